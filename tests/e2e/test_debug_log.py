"""What is logged at level debug, and for whom."""

import base64
import hashlib
import hmac
import os
import re
import socket
import ssl

import pytest
from support.ports import connect, free_port, wait_until
from support.scripted_backend import ScriptedBackend
from support.scripted_service import ScriptedService, ok, refusal


def talk(client, line):
    client.sendall(line + b"\r\n")
    return client.recv(1000)


def end(client):
    assert talk(client, b"QUIT").startswith(b"+OK")
    assert client.recv(100) == b""
    client.close()


@pytest.fixture
def debugged(server):
    """A proxy that logs errors only, but all for the clients that these directives name."""
    def start(events, listen=None, mail=""):
        port = free_port()
        listen = listen or f"127.0.0.1:{port}"
        return port, server(f"auth_http 127.0.0.1:9/; {mail} server {{ listen {listen}; protocol pop3; }}",
                            [] if listen.startswith("unix:") else [port], level="error", events=events)
    return start


def test_sessions_of_chosen_clients_are_logged_at_all_levels(debugged):
    port, proxy = debugged("debug_connection 127.0.0.2; debug_connection 127.0.1.0/24;")
    for source in ("127.0.0.1", "127.0.0.2", "127.0.1.77"):
        with connect(port, source=source) as client:
            assert client.recv(100).startswith(b"+OK")
            end(client)
    wait_until(lambda: proxy.log_lines(r"\[info\] .*\*3 client 127\.0\.1\.77:\d+ connected to"),
               "the last session is logged")
    assert proxy.log_lines(r"\[info\] .*\*2 client 127\.0\.0\.2:\d+ connected to")
    assert not proxy.log_lines(r"\*1 ")


def test_clients_of_unix_sockets(debugged, folder):
    path = os.path.join(folder, "s")
    _, proxy = debugged("debug_connection unix:;", f"unix:{path}")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        wait_until(lambda: client.connect_ex(path) == 0, "somebody listens")
        assert client.recv(100).startswith(b"+OK")
        end(client)
    wait_until(lambda: proxy.log_lines(r"\[info\] .*client unix: connected to unix:"), "it is logged")


def test_the_logs_are_those_of_the_server(debugged, folder):
    own = os.path.join(folder, "own.log")
    port, proxy = debugged("debug_connection 127.0.0.1;", mail=f"error_log {own} crit;")
    with connect(port) as client:
        assert client.recv(100).startswith(b"+OK")
        end(client)
    wait_until(lambda: "connected to" in open(own).read(), "it is in the server's own log")
    assert not proxy.log_lines("connected to")


SECRET = "Tr0ub4dor-secret"
KEY = "service-key-4711"


def b64(text):
    return base64.b64encode(text.encode("latin-1")).decode()


class Login:
    """A proxy at level debug in front of a service and a mailbox server, and a client of it."""

    def __init__(self, server, protocol, answer, directives=""):
        self.protocol = protocol
        self.backend = ScriptedBackend(lambda address: (protocol, None))
        self.service = ScriptedService(lambda request, number: answer,
                                       lambda request: {"address": "127.0.0.1", "port": self.backend.port})
        self.port = free_port()
        self.proxy = server(
            f"auth_http 127.0.0.1:{self.service.port}/path-{KEY}?key={KEY}; auth_http_header X-Key {KEY};"
            "imap_auth plain login cram-md5; pop3_auth plain apop cram-md5; smtp_auth plain login cram-md5;"
            f"proxy_smtp_auth on; server_name mail.test; {directives}"
            f"server {{ listen 127.0.0.1:{self.port}; protocol {protocol}; }}", [self.port], level="debug")
        self.client = connect(self.port)
        self.lines = self.client.makefile("rb")
        self.greeting = self.line()
        if protocol == "smtp":
            self.say("EHLO client.test")
            while not self.line().startswith("250 "):
                pass

    def close(self):
        self.lines.close()
        self.client.close()
        self.service.close()
        self.backend.close()

    def line(self):
        return self.lines.readline().decode("latin-1")

    def say(self, text):
        self.client.sendall(text.encode("latin-1") + b"\r\n")

    def ask(self, text):
        self.say(text)
        return self.line()

    def prompt(self, text):
        """What stands in the challenge that the server answers with."""
        return base64.b64decode(self.ask(text).split(" ", 1)[1]).decode("latin-1")


def digest(challenge):
    return hmac.new(SECRET.encode(), challenge.encode("latin-1"), "md5").hexdigest()


def plain(login, command):
    return login.ask(f"{command} {b64(chr(0) + 'bob' + chr(0) + SECRET)}"), [b64("\0bob\0" + SECRET)]


def plain_in_two_steps(login, command):
    login.prompt(command)
    return login.ask(b64("\0bob\0" + SECRET)), [b64("\0bob\0" + SECRET)]


def in_login_steps(login, command):
    login.prompt(command)
    login.prompt(b64("bob"))
    return login.ask(b64(SECRET)), [b64(SECRET)]


def cram(login, command):
    answer = f"bob {digest(login.prompt(command))}"
    return login.ask(b64(answer)), [b64(answer), answer.split()[1]]


def imap_login(login, command):
    return login.ask(f"{command} bob {SECRET}"), []


def imap_literals(login, command):
    assert login.ask(f"{command} {{3}}").startswith("+")
    assert login.ask(f"bob {{{len(SECRET)}}}").startswith("+")
    return login.ask(SECRET), []


def pop3_pass(login, command):
    assert login.ask("USER bob").startswith("+OK")
    return login.ask(f"{command} {SECRET}"), []


def apop(login, command):
    stamp = re.search("<.*>", login.greeting)[0]
    answer = hashlib.md5((stamp + SECRET).encode()).hexdigest()
    return login.ask(f"{command} bob {answer}"), [answer]


LOGINS = [("imap", "a LOGIN", imap_login), ("imap", "a LOGIN", imap_literals),
          ("imap", "a AUTHENTICATE PLAIN", plain_in_two_steps), ("imap", "a AUTHENTICATE PLAIN", plain),
          ("imap", "a AUTHENTICATE LOGIN", in_login_steps), ("imap", "a AUTHENTICATE CRAM-MD5", cram),
          ("pop3", "PASS", pop3_pass), ("pop3", "APOP", apop), ("pop3", "AUTH PLAIN", plain),
          ("pop3", "AUTH LOGIN", in_login_steps), ("pop3", "AUTH CRAM-MD5", cram),
          ("smtp", "AUTH PLAIN", plain), ("smtp", "AUTH LOGIN", in_login_steps), ("smtp", "AUTH CRAM-MD5", cram)]


@pytest.fixture
def login(server):
    made = []

    def start(*arguments, **options):
        made.append(Login(server, *arguments, **options))
        return made[-1]

    yield start
    for one in made:
        one.close()


def assert_silent(log, secrets):
    for secret in [SECRET, KEY, b64(SECRET), *secrets]:
        assert secret not in log, f"{secret} is in the log"
        # Nor is a part of it, in whatever coding: no run of eight of its characters.
        for i in range(len(secret) - 7):
            assert secret[i:i + 8] not in log, f"a part of {secret} is in the log"


@pytest.mark.parametrize("protocol, command, way", LOGINS, ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "refused"])
def test_no_login_leaves_a_secret_in_the_log(login, protocol, command, way, accepted):
    answer = ok(Auth_Pass=SECRET, Auth_User="bob") if accepted else refusal("go away")
    front = login(protocol, answer)
    reply, secrets = way(front, command)
    assert reply.startswith(("a OK", "+OK", "235") if accepted else ("a NO", "-ERR", "535")), reply
    front.client.shutdown(socket.SHUT_WR)
    expected = r"\[debug\].*relaying, " if accepted else r"\[debug\].*client connection closed"
    wait_until(lambda: front.proxy.log_lines(expected), "the end of the login is logged")
    log = front.proxy.log()
    assert log.count("[debug]") > 8
    assert_silent(log, secrets)
    verb = command.split()[1] if protocol == "imap" else command.split()[0]
    assert front.proxy.log_lines(rf"\[debug\] \d+#\d+: \*1 client sent {verb}, arguments: \d$")


@pytest.mark.parametrize("protocol, lines", [
    ("imap", [f"a LOGIN bob {SECRET} x", f"a NONSENSE {SECRET}", f"{SECRET}", "a AUTHENTICATE PLAIN ="]),
    ("imap", ["a AUTHENTICATE PLAIN", b64(SECRET) + "!"]),
    ("pop3", [f"PASS {SECRET}", f"USER", f"X {SECRET}", f"APOP bob {SECRET} x"]),
    ("pop3", ["AUTH PLAIN", b64(SECRET) + "!"]),
    ("smtp", [f"AUTH PLAIN {b64(SECRET)} x y", f"X {SECRET}", "AUTH LOGIN", b64("bob"), "!" + b64(SECRET)]),
])
def test_what_is_wrong_with_a_command_shows_nothing_of_it(login, protocol, lines):
    front = login(protocol, refusal("no"))
    for line in lines:
        assert front.ask(line)
    front.client.shutdown(socket.SHUT_WR)
    wait_until(lambda: front.proxy.log_lines(r"client closed connection"), "the session's end is logged")
    assert_silent(front.proxy.log(), [])


def test_life_of_a_session(login):
    front = login("pop3", ok())
    reply, _ = pop3_pass(front, "PASS")
    assert reply == "+OK backend knows you\r\n"
    front.client.shutdown(socket.SHUT_WR)
    assert front.line() == ""
    wait_until(lambda: front.proxy.log_lines("connections closed"), "the end is logged")
    texts = [re.sub(r"^.*\[debug\] \d+#\d+: \*1 ", "", line) for line in front.proxy.log_lines(r"\[debug\].*\*1 ")]
    service, backend = f"127.0.0.1:{front.service.port}", f"127.0.0.1:{front.backend.port}"
    request = front.service.requests()[0].decode("latin-1").split("\r\n")[1:-2]
    names = ", ".join(line.split(":")[0] for line in request)
    expected = [
        "client has 60000 ms until its login",
        "state: sending client greeting line",
        "state: in auth state",
        "client sent USER, arguments: 1",
        "client sent PASS, arguments: 1",
        "state: in http auth state",
        "auth http server has 60000 ms to answer",
        f"connecting to auth http server {service}",
        f"auth http server {service} is sent {len(front.service.requests()[0])} bytes, with the headers {names}",
        f"auth http server {service} answered 200 with the headers Auth-Status, Auth-Server, Auth-Port",
        "state: connecting to upstream",
        f"connecting to upstream {backend}",
        f"connected to upstream {backend}",
        "state: reading response from upstream",
        "upstream has sent 19 bytes that are not read yet",
        "state: sending user name to upstream",
        "state: reading response from upstream",
        "upstream has sent 14 bytes that are not read yet",
        "state: sending password to upstream",
        "state: reading response from upstream",
        "upstream has sent 23 bytes that are not read yet",
        "relaying, 0 bytes from client and 23 from upstream are there; silence limit 86400000 ms",
        "client and upstream connections closed",
    ]
    assert texts == expected
    assert "X-Key" in names


def test_tls_is_described(server, pki):
    port = free_port()
    certificate = pki.server
    proxy = server(f"auth_http 127.0.0.1:9/; ssl_certificate {certificate.path}; ssl_certificate_key {certificate.key_path};"
                   f"server {{ listen 127.0.0.1:{port} ssl; protocol pop3; }}", [port], level="debug")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with connect(port) as plain_client, context.wrap_socket(plain_client, server_hostname="mail.test") as client:
        assert client.recv(100).startswith(b"+OK")
        version, cipher = client.version(), client.cipher()[0]
    wait_until(lambda: proxy.log_lines(rf'\[debug\].*SSL with client: {version}, {cipher}, name "mail.test"$'), "TLS is described")
