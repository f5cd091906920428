"""A private Dovecot (IMAP, POP3, submission) on loopback, with real users and real messages."""

import os
import pwd
import secrets
import subprocess

from .ports import free_port
from .processes import Program

DOMAIN = "example.test"
MESSAGE = "From: Ann <ann@example.test>\r\nTo: {user}@example.test\r\nSubject: Message {number}\r\n" \
          "Message-Id: <{number}.{user}@example.test>\r\n\r\nThis is message {number} for {user}.\r\n"


class Account:
    def __init__(self, name, password, folder):
        self.name = name
        self.password = password
        self.folder = folder  # its Maildir

    def new_mail(self):
        """Contents of the messages that were delivered and that nobody has looked at."""
        new = os.path.join(self.folder, "new")
        result = []
        for name in sorted(os.listdir(new)):
            with open(os.path.join(new, name), "rb") as file:
                result.append(file.read())
        return result


class Dovecot:
    """With a certificate it speaks TLS too: on ports of their own, and after STARTTLS on the others."""

    def __init__(self, folder, relay_port=None, certificate=None, directives=""):
        self._certificate, self._directives = certificate, directives
        self.imaps_port, self.pop3s_port, self.submissions_port = [free_port() if certificate else 0 for _ in range(3)]
        self.folder = os.path.join(folder, "dovecot")
        self.mail = os.path.join(self.folder, "mail")
        os.makedirs(self.mail)
        self.imap_port, self.pop3_port, self.submission_port = free_port(), free_port(), free_port()
        self.imap_haproxy_port = free_port()  # wants a header of the PROXY protocol
        self.auth_socket = os.path.join(self.folder, "run", "sasl")
        self.log_file = os.path.join(self.folder, "log")
        self._users = os.path.join(self.folder, "users")
        # Mailboxes belong to nobody if we are root, else to whom we are.
        root = os.geteuid() == 0
        owner = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.geteuid())
        self.uid, self.gid = owner.pw_uid, owner.pw_gid
        os.chown(self.mail, self.uid, self.gid)
        open(self._users, "w").close()
        self.inbox = self._add("inbox", messages=0)  # where Postfix delivers
        # All at once: Dovecot sees no second change of the file within one second.
        self._spare = [self._add(f"user{secrets.token_hex(3)}", messages=3) for _ in range(120)]
        configuration = os.path.join(self.folder, "dovecot.conf")
        with open(configuration, "w") as out:
            out.write(self._configuration(root, relay_port))
        self.program = Program("dovecot", ["/usr/sbin/dovecot", "-F", "-c", configuration], self.folder,
                               [self.imap_port, self.pop3_port, self.submission_port])

    def account(self):
        """A user that nobody has used yet, with a password of its own and three messages."""
        return self._spare.pop()

    def _add(self, name, messages):
        password = f"Pw-{secrets.token_hex(8)}"
        maildir = os.path.join(self.mail, name, "Maildir")
        for part in ("", "cur", "new", "tmp"):
            os.makedirs(os.path.join(maildir, part), exist_ok=True)
        for number in range(1, messages + 1):
            with open(os.path.join(maildir, "new", f"{1700000000 + number}.{number}.test"), "w", newline="") as out:
                out.write(MESSAGE.format(user=name, number=number))
        for path, folders, files in os.walk(os.path.dirname(maildir)):
            for entry in [path, *(os.path.join(path, file) for file in files)]:
                os.chown(entry, self.uid, self.gid)
        with open(self._users, "a") as out:
            out.write(f"{name}:{{PLAIN}}{password}\n")
        return Account(name, password, maildir)

    def log(self):
        with open(self.log_file, errors="replace") as log:
            return log.read()

    def stop(self):
        # Its submission process outlives the master for as long as a client stays.
        self.program.stop(must_clean_up=False)

    def _tls(self):
        if not self._certificate:
            return "ssl = no"
        return f"""
ssl = yes
ssl_cert = <{self._certificate.path}
ssl_key = <{self._certificate.key_path}
ssl_min_protocol = TLSv1.2
{self._directives}"""

    def _configuration(self, root, relay_port):
        me = pwd.getpwuid(os.geteuid()).pw_name
        group = subprocess.run(["id", "-gn"], capture_output=True, text=True).stdout.strip()
        users = "" if root else f"""
default_login_user = {me}
default_internal_user = {me}
default_internal_group = {group}
service anvil {{ chroot = }}
"""
        chroot = "" if root else "chroot ="
        relay = f"""
submission_relay_host = 127.0.0.1
submission_relay_port = {relay_port}
submission_relay_trusted = yes
""" if relay_port else ""
        return f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
instance_name = postern-e2e
log_path = {self.log_file}
protocols = imap pop3 submission
listen = 127.0.0.1
{self._tls()}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_cache_size = 0
auth_failure_delay = 0
mail_max_userip_connections = 0
login_trusted_networks = 127.0.0.0/8
haproxy_trusted_networks = 127.0.0.0/8
hostname = dovecot.test
mail_location = maildir:~/Maildir
mail_uid = {self.uid}
mail_gid = {self.gid}
first_valid_uid = 1
first_valid_gid = 1
mailbox_idle_check_interval = 1s
namespace inbox {{
  inbox = yes
}}
passdb {{
  driver = passwd-file
  args = username_format=%n {self._users}
}}
userdb {{
  driver = static
  args = home={self.mail}/%n
}}
{users}{relay}
service imap-login {{
  {chroot}
  service_count = 0
  client_limit = 2000
  inet_listener imap {{
    port = {self.imap_port}
  }}
  inet_listener imaps {{
    port = {self.imaps_port}
  }}
  inet_listener imap_haproxy {{
    port = {self.imap_haproxy_port}
    haproxy = yes
  }}
}}
service pop3-login {{
  {chroot}
  inet_listener pop3 {{
    port = {self.pop3_port}
  }}
  inet_listener pop3s {{
    port = {self.pop3s_port}
  }}
}}
service submission-login {{
  {chroot}
  inet_listener submission {{
    port = {self.submission_port}
  }}
  inet_listener submissions {{
    port = {self.submissions_port}
    ssl = yes
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap {{
  process_limit = 1024
}}
service auth {{
  unix_listener sasl {{
    mode = 0666
  }}
}}
"""
