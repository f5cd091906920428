"""A proxy whose authentication service sends everybody to one backend, and what its clients hear."""

from .ports import connect, free_port, wait_until
from .scripted_service import ScriptedService, ok

PASSWORD = "Tr0ub4dor-and-3-horses"
LOGIN = {"imap": f"a LOGIN bob {PASSWORD}\r\n", "pop3": f"USER bob\r\nPASS {PASSWORD}\r\n",
         "smtp": "AUTH PLAIN AGJvYgBUcjB1YjRkb3ItYW5kLTMtaG9yc2Vz\r\n"}
FAILED = {"imap": b"* BAD internal server error\r\n", "pop3": b"-ERR internal server error\r\n",
          "smtp": b"451 4.3.2 Internal server error\r\n"}
ACCEPTED = {"imap": b"a OK", "pop3": b"+OK", "smtp": b"235 "}


class Front:
    """answer: headers of the service besides Auth-Server and Auth-Port; or each: a function of the
    request's number that makes them."""

    def __init__(self, server, protocol, port, directives, host="127.0.0.1", timeout="3s", each=None, **answer):
        self.protocol, self.port = protocol, free_port()
        self.service = ScriptedService(lambda request, number: ok(
            Auth_Server=host, Auth_Port=port, **(each(number) if each else answer)))
        self.proxy = server(f"auth_http 127.0.0.1:{self.service.port}/auth; server_name mail.test; timeout {timeout}; "
                            f"proxy_smtp_auth on; xclient off; {directives} "
                            f"server {{ listen 127.0.0.1:{self.port}; protocol {protocol}; }}", [self.port])

    def log_in(self):
        """The last line that a client hears about its login."""
        with connect(self.port) as client:
            lines = client.makefile("rb")
            lines.readline()
            heard = b""
            for line in LOGIN[self.protocol].splitlines(keepends=True):
                client.sendall(line.encode())
                heard = lines.readline()
            return heard

    def logged(self, pattern):
        wait_until(lambda: self.proxy.log_lines(pattern), f"the log has {pattern}\n{self.proxy.log()[-1500:]}")

    def errors(self):
        return self.proxy.log_lines(r"\[(warn|error|crit|alert|emerg)\]")


def trusting(pki, more=""):
    return f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {pki.authority.path}; proxy_ssl_name mail.test; {more}"
