"""A mailbox server for IMAP, POP3 and SMTP that lets everybody in, in whatever form a proxy asks for it, and an
authentication service that sends everybody there: for tests of what measures, where nothing is about speed."""

import http.server
import re
import threading

from .mail_listeners import MailListeners

LITERAL = re.compile(rb"\{(\d+)\}$")


class AnyService:
    """The authentication service. `port`; `backends`: the mailbox server's port of each protocol."""

    def __init__(self, backends, port=0):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(200)
                for name, value in (("Auth-Status", "OK"), ("Auth-Server", "127.0.0.1"), ("Content-Length", "0"),
                                    ("Auth-Port", str(backends[self.headers["Auth-Protocol"]]))):
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class AnyMailbox(MailListeners):
    """The mailbox server. `ports` of a protocol; `logins` is what came, as (protocol, command)."""

    def __init__(self, ports=None):
        self.logins = []
        super().__init__(ports)

    def serve(self, protocol, peer):
        with peer, peer.makefile("rb") as lines:
            say = getattr(self, f"_{protocol}")
            try:
                peer.sendall({"imap": b"* OK ready\r\n", "pop3": b"+OK ready\r\n", "smtp": b"220 backend.test ESMTP\r\n"}[protocol])
                while line := lines.readline():
                    peer.sendall(say(line.rstrip(b"\r\n"), peer, lines))
            except OSError:
                pass  # a client that has gone

    def _imap(self, line, peer, lines):
        while literal := LITERAL.search(line):
            peer.sendall(b"+ go on\r\n")
            line = line[:literal.start()] + lines.read(int(literal[1])) + lines.readline().rstrip(b"\r\n")
        tag, _, command = line.partition(b" ")
        verb = command.split(b" ")[0].upper()
        if verb == b"AUTHENTICATE" and len(command.split(b" ")) == 2:
            peer.sendall(b"+ \r\n")
            lines.readline()
        if verb in (b"LOGIN", b"AUTHENTICATE"):
            self.logins.append(("imap", verb.decode()))
        answer = b"* CAPABILITY IMAP4rev1\r\n" if verb == b"CAPABILITY" else b""
        return answer + tag + b" OK done\r\n"

    def _pop3(self, line, peer, lines):
        verb = line.split(b" ")[0].upper()
        if verb == b"PASS":
            self.logins.append(("pop3", "PASS"))
        return b"+OK\r\n.\r\n" if verb == b"CAPA" else b"+OK\r\n"

    def _smtp(self, line, peer, lines):
        verb = line.split(b" ")[0].upper()
        if verb == b"EHLO":
            return b"250-backend.test\r\n250-XCLIENT ADDR HELO LOGIN NAME PORT PROTO\r\n250 AUTH PLAIN\r\n"
        if verb == b"XCLIENT":
            self.logins.append(("smtp", "XCLIENT"))
            return b"220 backend.test ESMTP\r\n"
        if verb == b"AUTH":
            self.logins.append(("smtp", "AUTH"))
            return b"235 in\r\n"
        return b"250 ok\r\n"
