"""A private Dovecot on loopback: IMAP, POP3 and submission, with users and a few messages."""

import email.message
import email.utils
import grp
import mailbox
import os
import pathlib
import pwd
import shutil
import sys

from .programs import Failed, Program, free_ports, unprivileged_account

CONFIGURATION = """\
# A private Dovecot for `make run`, written by scripts/run-demo. Listens on loopback only.
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = postern-demo
log_path = {folder}/dovecot.log
protocols = imap pop3 submission
listen = 127.0.0.1
hostname = mail.example.org
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:~/Maildir
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
first_valid_gid = 1
namespace inbox {{
  inbox = yes
}}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = home={folder}/mail/%Lu
}}
submission_relay_host = 127.0.0.1
submission_relay_port = {delivery_port}
submission_relay_trusted = no
{identity}
service imap-login {{
  {chroot}
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  {chroot}
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service submission-login {{
  {chroot}
  inet_listener submission {{
    port = {smtp}
  }}
}}
"""

# Dovecot's processes are those of whoever starts it, and may not change their root directory.
ORDINARY_USER = """\
default_login_user = {user}
default_internal_user = {user}
default_internal_group = {group}
service anvil {{
  chroot =
}}
"""

MESSAGES = {
    "Welcome": "This message lies in Dovecot, and Postern has brought you there.",
    "Lunch?": "At noon, in the usual place. Bring the slides.",
    "Minutes of Monday": "1. The new mail proxy works.\n2. There is no item two.",
}


class MailServer:
    def __init__(self, folder, users, user_lines):
        self._folder = folder
        self._account = unprivileged_account()
        imap, pop3, smtp, delivery_port = free_ports(0, 0, 0, 0)
        self.ports = {"imap": imap, "pop3": pop3, "smtp": smtp}
        (folder / "mail").mkdir(parents=True)
        for user in users:
            self._fill_mailbox(user)
        (folder / "users").write_text(user_lines)
        configuration = folder / "dovecot.conf"
        configuration.write_text(self._configuration(delivery_port))

        dovecot = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if not dovecot:
            raise Failed("there is no Dovecot: scripts/install-dependencies --run")
        delivery = pathlib.Path(__file__).with_name("delivery.py")
        self.programs = [
            Program("delivery",
                    [sys.executable, "-B", delivery, delivery_port, folder / "mail",
                     self._account.pw_uid, self._account.pw_gid],
                    [delivery_port], folder / "delivery.log"),
            Program("dovecot", [dovecot, "-F", "-c", configuration], self.ports.values(),
                    folder / "dovecot.log"),
        ]

    def _configuration(self, delivery_port):
        identity = ""
        if os.geteuid() != 0:
            identity = ORDINARY_USER.format(user=pwd.getpwuid(os.geteuid()).pw_name,
                                            group=grp.getgrgid(os.getegid()).gr_name)
        return CONFIGURATION.format(folder=self._folder, uid=self._account.pw_uid,
                                    gid=self._account.pw_gid, delivery_port=delivery_port,
                                    identity=identity, chroot="chroot =" if identity else "",
                                    **self.ports)

    def _fill_mailbox(self, user):
        home = self._folder / "mail" / user
        home.mkdir()
        maildir = mailbox.Maildir(home / "Maildir")
        for subject, text in MESSAGES.items():
            message = email.message.EmailMessage()
            message["From"] = "Carol <carol@example.org>"
            message["To"] = user
            message["Subject"] = subject
            message["Date"] = email.utils.localtime()
            message["Message-ID"] = email.utils.make_msgid(domain="example.org")
            message.set_content(text + "\n")
            maildir.add(message.as_bytes(policy=message.policy.clone(linesep="\n")))
        if os.geteuid() == 0:
            for folder, _, files in os.walk(home):
                for path in [folder, *(os.path.join(folder, name) for name in files)]:
                    os.chown(path, self._account.pw_uid, self._account.pw_gid)
