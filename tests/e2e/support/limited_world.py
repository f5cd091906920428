"""A proxy with limits in front of a mailbox server that lets everybody in, and its clients, who come from addresses of
their own choice."""

from .any_mailbox import AnyMailbox, AnyService
from .ports import connect, free_port

CLIENT, OTHER = "127.0.0.7", "127.0.1.7"
GREETING = {"imap": b"* OK IMAP4 ready\r\n", "pop3": b"+OK POP3 ready\r\n", "smtp": b"220 proxy.test ESMTP ready\r\n"}
GOODBYE = {"imap": b"* BYE [UNAVAILABLE] too many connections, try again later\r\n",
           "pop3": b"-ERR [SYS/TEMP] too many connections, try again later\r\n",
           "smtp": b"421 4.7.0 Too many connections, try again later\r\n"}
LOGIN = {"imap": [b"a LOGIN bob pw\r\n"], "pop3": [b"USER bob\r\n", b"PASS pw\r\n"],
         "smtp": [b"EHLO me\r\n", b"AUTH PLAIN AGJvYgBwdw==\r\n"]}


class World:
    """The proxy with a listener for each protocol, a mailbox server that lets everybody in, and clients."""

    def __init__(self, server, directives, listen="", options=None):
        self.mailbox = AnyMailbox()
        self.service = AnyService(self.mailbox.ports)
        self.ports = {protocol: free_port() for protocol in GREETING}
        self.text = lambda more: (
            f"auth_http 127.0.0.1:{self.service.port}/; server_name proxy.test; smtp_auth plain; limit_exempt none; {more} "
            + "".join(f"server {{ listen 127.0.0.1:{port} {listen}; protocol {protocol}; }}" for protocol, port in self.ports.items()))
        self.proxy = server(self.text(directives), list(self.ports.values()), **(options or {}))
        self.clients = []

    def come(self, protocol="imap", source=CLIENT, timeout=10):
        client = connect(self.ports[protocol], source=source, timeout=timeout)
        self.clients.append(client)
        return client

    def greeted(self, protocol="imap", source=CLIENT, timeout=10):
        client = self.come(protocol, source, timeout)
        assert line_of(client) == GREETING[protocol]
        return client

    def logged_in(self, protocol="imap", source=CLIENT):
        client = self.greeted(protocol, source)
        for command in LOGIN[protocol]:
            client.sendall(command)
            while line_of(client)[3:4] == b"-":
                pass
        return client

    def lines(self, pattern):
        return self.proxy.log_lines(pattern)

    def close(self):
        for client in self.clients:
            client.close()
        self.service.close()
        self.mailbox.close()


def line_of(client):
    """The next line, or what there is before the end."""
    line = b""
    while not line.endswith(b"\n"):
        byte = client.recv(1)
        if not byte:
            break
        line += byte
    return line


def is_over(client):
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def still_works(session):
    session.sendall(b"b NOOP\r\n")
    return line_of(session).startswith(b"b OK")
