"""Postern in front of the mail server: its configuration and its users file."""

import os
import re
import shutil
import subprocess

from .programs import Failed, Program, free_ports, unprivileged_account

# As they are written in conf/examples/demo.conf.
PORTS = {"imap": 8143, "pop3": 8110, "smtp": 8587, "imaps": 8993}
BACKEND_PORTS = {"imap": 10143, "pop3": 10110, "smtp": 10587}


def make_users(program, users):
    """A line of a users file for each, as `postern passwd` makes it; Dovecot reads the same form."""
    if not os.access(program, os.X_OK):
        raise Failed(f"there is no {program}: run make first")
    lines = []
    for user, password in users.items():
        made = subprocess.run([program, "passwd", user], input=password + "\n", capture_output=True,
                              text=True)
        if made.returncode != 0:
            raise Failed(f"postern passwd failed: {made.stderr.strip()}")
        lines.append(made.stdout)
    return "".join(lines)


class Postern:
    def __init__(self, program, folder, example, user_lines, backend_ports):
        folder.mkdir()
        self.ports = dict(zip(PORTS, free_ports(*PORTS.values())))
        self.configuration = folder / "postern.conf"
        self.users = folder / "users"
        self.log = folder / "error.log"
        self._write_users(user_lines)
        self._write_configuration(example, backend_ports)
        self.programs = [Program("postern", [program, "-c", self.configuration, "-p", f"{folder}/"],
                                 self.ports.values(), folder / "output.log")]

    def taken_ports(self):
        """Those that were wanted and that somebody else has."""
        return [wanted for name, wanted in PORTS.items() if self.ports[name] != wanted]

    def _write_users(self, lines):
        with open(os.open(self.users, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
            out.write(lines)
        shutil.chown(self.users, unprivileged_account().pw_uid)  # whom Postern's worker runs as

    def _write_configuration(self, example, backend_ports):
        actual = {PORTS[name]: port for name, port in self.ports.items()}
        actual.update({BACKEND_PORTS[name]: port for name, port in backend_ports.items()})
        text = re.sub(r"(?<=127\.0\.0\.1:)\d+", lambda port: str(actual[int(port[0])]),
                      example.read_text())
        self.configuration.write_text(text)
