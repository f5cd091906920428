"""Postern in front of the mail server: its configuration and its users file."""

import os
import subprocess

from .programs import Failed, Program, free_port, unprivileged_account

PORTS = {"imap": 8143, "pop3": 8110, "smtp": 8587}

CONFIGURATION = """\
# What `make run` started: Postern in front of a private Dovecot, written by scripts/run-demo.
# The language and the directives are those of NGINX's mail proxy; docs/directives.md has them all.

{user}daemon off;                     # stay at the terminal that started us
worker_processes 1;             # event loops; "auto" makes one a processor
pid postern.pid;
error_log error.log info;       # at level info, each login is a line

events {{
    worker_connections 1024;
}}

mail {{
    server_name mail.example.org;

    # A backend's own words reach the client when it refuses a login.
    proxy_pass_error_message on;

    # Who may log in stands in the file "users", a line a user, as `postern passwd` prints it. Dovecot
    # gets the same name and password. "default=" is where a user's mailbox is if the line says
    # nothing else. A service that knows the users would be: auth_http localhost:9000/mail/auth;

    server {{
        listen 127.0.0.1:{imap};
        protocol imap;
        auth_file users default=127.0.0.1:{backend_imap};
        imap_capabilities IMAP4rev1 UIDPLUS IDLE LITERAL+;
    }}

    server {{
        listen 127.0.0.1:{pop3};
        protocol pop3;
        auth_file users default=127.0.0.1:{backend_pop3};
        pop3_capabilities TOP USER UIDL;
    }}

    server {{
        listen 127.0.0.1:{smtp};
        protocol smtp;
        auth_file users default=127.0.0.1:{backend_smtp};
        smtp_auth plain login;
        smtp_capabilities "SIZE 52428800" 8BITMIME ENHANCEDSTATUSCODES;
        proxy_smtp_auth on;     # log in to Dovecot's submission service as the client did to us
        xclient off;            # Dovecot would have to be told to trust us with it
    }}
}}
"""


class Postern:
    def __init__(self, program, folder, users, mail_server):
        if not os.access(program, os.X_OK):
            raise Failed(f"there is no {program}: run make first")
        folder.mkdir()
        self._program_file = program
        self.ports = {name: free_port(wanted) for name, wanted in PORTS.items()}
        self.configuration = folder / "postern.conf"
        self.users = folder / "users"
        self.log = folder / "error.log"
        self._write_users(users)
        self.configuration.write_text(self._configuration(mail_server.ports))
        self._program = Program("postern", [program, "-c", self.configuration, "-p", f"{folder}/"],
                                self.ports.values(), folder / "output.log")

    def start(self):
        self._program.start()

    def is_running(self):
        return self._program.is_running()

    def stop(self):
        self._program.stop()

    def show_log(self):
        self._program.show_log()

    def _write_users(self, users):
        with open(os.open(self.users, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
            for user, password in users.items():
                made = subprocess.run([self._program_file, "passwd", user], input=password + "\n",
                                      capture_output=True, text=True)
                if made.returncode != 0:
                    raise Failed(f"postern passwd failed: {made.stderr.strip()}")
                out.write(made.stdout)
        if os.geteuid() == 0:
            account = unprivileged_account()
            os.chown(self.users, account.pw_uid, account.pw_gid)

    def _configuration(self, backend_ports):
        user = ""
        if os.geteuid() == 0:
            name = unprivileged_account().pw_name
            user = f"user {name} nogroup;            # whoever talks to the network is not root\n"
        return CONFIGURATION.format(user=user, **self.ports,
                                    **{f"backend_{name}": port for name, port in backend_ports.items()})
