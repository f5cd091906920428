"""A private Postfix on loopback: delivers all mail for example.test into one of
Dovecot's Maildirs, and believes XCLIENT.

Postfix's master has to be started by root: without root there is no Postfix, and the tests that need
it are skipped with that reason."""

import os
import re
import shutil
import subprocess

from .dovecot import DOMAIN
from .ports import free_port, wait_until
from .processes import Program

SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix n - n 60  1 pickup
cleanup   unix n - n -   0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n -   - trivial-rewrite
bounce    unix - - n -   0 bounce
defer     unix - - n -   0 bounce
trace     unix - - n -   0 bounce
verify    unix - - n -   1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n -   - proxymap
error     unix - - n -   - error
retry     unix - - n -   - error
discard   unix - - n -   - discard
virtual   unix - n n -   - virtual
anvil     unix - - n -   1 anvil
scache    unix - - n -   1 scache
tlsmgr    unix - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
"""


def why_not():
    """The reason why there can be no Postfix here; None if there can."""
    if os.geteuid() != 0:
        return "Postfix has to be started by root"
    if not os.path.exists("/usr/sbin/postfix"):
        return "Postfix is not installed"
    return None


class Postfix:
    def __init__(self, folder, dovecot=None, port=None, certificate=None, more=""):
        """With a Dovecot: mail goes to its `inbox`, and AUTH asks it. With a certificate: nobody may
        send mail before STARTTLS. `more`: lines of main.cf, which win."""
        self.folder = os.path.join(folder, "postfix")
        self.port = port or free_port()
        self.log_file = os.path.join(self.folder, "log", "mail.log")
        configuration = os.path.join(self.folder, "etc")
        for name in ("etc", "queue", "data", "log"):
            os.makedirs(os.path.join(self.folder, name))
        shutil.chown(os.path.join(self.folder, "data"), "postfix", "postfix")
        with open(os.path.join(configuration, "main.cf"), "w") as out:
            out.write(self._main(dovecot, certificate, more))
        with open(os.path.join(configuration, "master.cf"), "w") as out:
            out.write(SERVICES.format(port=self.port))
        open(os.path.join(configuration, "aliases"), "w").close()
        subprocess.run(["/usr/sbin/postfix", "-c", configuration, "check"], check=True, capture_output=True, timeout=60)
        self.program = Program("postfix", ["/usr/lib/postfix/sbin/master", "-c", configuration, "-d"],
                               self.folder, [self.port])

    def log(self):
        with open(self.log_file, errors="replace") as log:
            return log.read()

    def wait_for_log(self, pattern):
        return wait_until(lambda: re.search(pattern, self.log()), f"Postfix logs {pattern}")

    def stop(self):
        self.program.stop()

    def _main(self, dovecot, certificate, more):
        folder = self.folder
        sasl = f"""
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {dovecot.auth_socket}
virtual_mailbox_base = {dovecot.mail}
virtual_uid_maps = static:{dovecot.uid}
virtual_gid_maps = static:{dovecot.gid}
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_maps = static:{dovecot.inbox.name}/Maildir/
""" if dovecot else ""
        tls = f"""
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = {certificate.path}
smtpd_tls_key_file = {certificate.key_path}
smtpd_tls_loglevel = 1
""" if certificate else ""
        return f"""
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {self.log_file}
maillog_file_prefixes = {folder}
myhostname = postfix.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
message_size_limit = 60000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
virtual_minimum_uid = 1
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_client_connection_count_limit = 0
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
{sasl}{tls}{more}"""
