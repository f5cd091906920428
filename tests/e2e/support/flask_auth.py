"""The guide's Flask program as an authentication service."""

import os

from .ports import free_port
from .processes import Program
from .proxy import ROOT

PROGRAM = os.path.join(ROOT, "tests", "seed", "11-flask-auth-server.py")
RUNNER = os.path.join(os.path.dirname(__file__), "flask_runner.py")


class FlaskAuth:
    def __init__(self, folder, imap_port, pop3_port, smtp_port, certificate=None):
        self.port = free_port()
        arguments = ["/usr/bin/python3", RUNNER, PROGRAM, self.port, "127.0.0.1", imap_port, pop3_port, smtp_port]
        if certificate:
            arguments += [certificate.path, certificate.key_path]
        self.program = Program("flask", [str(argument) for argument in arguments], folder, [self.port])

    def stop(self):
        self.program.stop()
