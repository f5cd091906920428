"""A proxy whose users all have the password RIGHT, and clients that try others."""

import base64

from .ports import connect, free_port
from .scripted_backend import ScriptedBackend
from .scripted_service import ScriptedService, header, ok, refusal

PROTOCOLS = ("imap", "pop3", "smtp")
RIGHT = "right"
TOO_MANY = {"imap": b"a NO [UNAVAILABLE] too many failed logins, try again later\r\n",
            "pop3": b"-ERR [SYS/TEMP] too many failed logins, try again later\r\n",
            "smtp": b"454 4.7.0 Too many failed logins, try again later\r\n"}
WRONG = {"imap": b"a NO Invalid login or password\r\n", "pop3": b"-ERR Invalid login or password\r\n",
         "smtp": b"535 5.7.0 Invalid login or password\r\n"}
WELCOME = {"imap": b"a OK backend knows you\r\n", "pop3": b"+OK backend knows you\r\n",
           "smtp": b"235 2.0.0 OK\r\n"}


def check_password(request, number):
    return ok() if header(request, "Auth-Pass") == RIGHT else refusal()


class Guessed:
    """One server a protocol. `choose` is the service's, `scripts` what the backends say."""

    def __init__(self, server, limits, choose=check_password, scripts=None, auth=None, servers=None, **options):
        scripts = scripts or {}
        self.service = ScriptedService(choose, lambda request: {"address": "127.0.0.1", "port": self.backends[header(request, "Auth-Protocol")].port})
        self.backends = {name: ScriptedBackend(lambda address, name=name: (name, scripts.get(name))) for name in PROTOCOLS}
        self.port = {name: free_port() for name in PROTOCOLS}
        blocks = "".join(f"server {{ listen 127.0.0.1:{port}{(servers or {}).get(name, '')}; protocol {name}; }}\n" for name, port in self.port.items())
        auth = auth(self) if auth else f"auth_http 127.0.0.1:{self.service.port}/auth;"
        self.mail = f"server_name mail.test; {auth} limit_exempt none; {limits}\n{blocks}"
        self.proxy = server(self.mail, self.port.values(), **options)

    def client(self, protocol, source=None):
        return Client(self.port[protocol], protocol, source)

    def login(self, protocol, user, password, source=None):
        """The reply to one login on a connection of its own."""
        with self.client(protocol, source) as client:
            return client.login(user, password)

    def lines(self, pattern):
        return self.proxy.log_lines(pattern)

    def asked(self, user):
        return [request for request in self.service.requests() if header(request, "Auth-User") == user]

    def close(self):
        self.service.close()
        for backend in self.backends.values():
            backend.close()


class Client:
    def __init__(self, port, protocol, source=None):
        self.protocol = protocol
        self.socket = connect(port, source=source, timeout=20)
        self.lines = self.socket.makefile("rb")
        self.greeting = self.read()

    def read(self):
        return self.lines.readline()

    def say(self, line):
        self.socket.sendall(line + b"\r\n")
        return self.read()

    def send_login(self, user, password):
        user, password = user.encode(), password.encode()
        if self.protocol == "imap":
            self.socket.sendall(b"a LOGIN %s %s\r\n" % (user, password))
        elif self.protocol == "pop3":
            self.say(b"USER " + user)
            self.socket.sendall(b"PASS " + password + b"\r\n")
        else:
            self.socket.sendall(b"AUTH PLAIN " + base64.b64encode(b"\0" + user + b"\0" + password) + b"\r\n")

    def login(self, user, password):
        self.send_login(user, password)
        return self.read()

    def close(self):
        self.lines.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()
