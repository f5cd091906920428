"""What a client may take and send until its login (`login_timeout`, `limit_login_bytes`, `max_commands`,
`max_errors`): clients that send a byte at a time, wherever they do it, are told goodbye and hold nothing."""

import socket
import ssl
import threading
import time

import pytest
from support.guessing import PROTOCOLS, RIGHT, WELCOME, Client, check_password
from support.ports import connect, free_port, wait_until
from support.scripted_backend import ScriptedBackend
from support.scripted_service import ScriptedService, header, refusal

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
TOO_LONG = {"imap": b"* BYE login took too long\r\n", "pop3": b"-ERR [SYS/TEMP] login took too long\r\n",
            "smtp": b"421 4.4.2 Login took too long, closing connection\r\n"}
TOO_MUCH = {"imap": b"* BYE too much was sent before login\r\n", "pop3": b"-ERR [SYS/TEMP] too much was sent before login\r\n",
            "smtp": b"421 4.7.0 Too much was sent before login, closing connection\r\n"}
INVALID = {"imap": b"a BAD invalid command\r\n", "pop3": b"-ERR invalid command\r\n", "smtp": b"500 5.5.1 Invalid command\r\n"}
NOOP = {"imap": b"a NOOP\r\n", "pop3": b"NOOP\r\n", "smtp": b"NOOP\r\n"}
NONSENSE = {"imap": b"a NONSENSE\r\n", "pop3": b"NONSENSE\r\n", "smtp": b"NONSENSE\r\n"}
STARTTLS = {"imap": b"a STARTTLS\r\n", "pop3": b"STLS\r\n", "smtp": b"STARTTLS\r\n"}
AUTH = {"imap": b"a AUTHENTICATE PLAIN\r\n", "pop3": b"AUTH PLAIN\r\n", "smtp": b"AUTH PLAIN\r\n"}
BYTE_SECONDS = 0.05
LIMIT_SECONDS = 1


class Front:
    """Ports by protocol: plain ones, `tls` that begin with TLS, and `proxied` with a PROXY header."""

    def __init__(self, server, directives, choose=check_password, **options):
        self.service = ScriptedService(choose, lambda request: {"address": "127.0.0.1", "port": self.backends[header(request, "Auth-Protocol")].port})
        self.backends = {name: ScriptedBackend(lambda address, name=name: (name, None)) for name in PROTOCOLS}
        self.ports, self.tls, self.proxied = ({name: free_port() for name in PROTOCOLS} for _ in range(3))
        blocks = "".join(f"server {{ protocol {name}; starttls on; listen 127.0.0.1:{self.ports[name]}; listen 127.0.0.1:{self.tls[name]} ssl;"
                         f" listen 127.0.0.1:{self.proxied[name]} proxy_protocol; }}\n" for name in PROTOCOLS)
        self.proxy = server(f"server_name mail.test; auth_http 127.0.0.1:{self.service.port}/auth; {directives}\n{blocks}",
                            [*self.ports.values(), *self.tls.values(), *self.proxied.values()], **options)

    def close(self):
        self.service.close()
        for backend in self.backends.values():
            backend.close()


@pytest.fixture
def front(server):
    made = []

    def make(*arguments, **options):
        made.append(Front(server, *arguments, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


def client_hello():
    context = ssl.create_default_context()
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="mail.test").do_handshake()
    return outgoing.read()


def under_tls(sock):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock)


# Where a client is slow: (which ports, whether it is told). What it sends then never ends there.
STAGES = {"commands": ("ports", True), "literal": ("ports", True), "exchange": ("ports", True), "under_tls": ("tls", True),
          "silent": ("tls", False), "handshake": ("tls", False), "starttls": ("ports", False), "proxy": ("proxied", False)}


class SlowClient(threading.Thread):
    """Sends a byte at a time until it is cut off; then it knows `seconds`, and what it `heard` at the end."""

    def __init__(self, front, protocol, stage, source):
        super().__init__(daemon=True)
        self.protocol, self.stage, self.source = protocol, stage, source
        self.port = getattr(front, STAGES[stage][0])[protocol]
        self.heard, self.seconds = b"", None
        self.start()

    def run(self):
        started = time.monotonic()
        self.socket = connect(self.port, source=self.source)
        self.socket.settimeout(BYTE_SECONDS)
        rest = self.prepare()
        while not rest or self.listen():
            self.socket.settimeout(BYTE_SECONDS)
            if rest:
                try:
                    self.socket.sendall(rest[:1])
                except OSError:
                    break
                rest = rest[1:]
            elif not self.listen():
                break
        self.seconds = time.monotonic() - started
        self.socket.close()

    def prepare(self):
        """Goes as far as to where it is slow; returns what it says there."""
        if self.stage == "silent":
            return b""
        if self.stage == "handshake":
            return client_hello()
        if self.stage == "proxy":
            return b"PROXY TCP6 2001:db8::1111:2222:3333:4444 2001:db8::1:2:3:4 65535 65535\r\n"
        if self.stage == "under_tls":
            self.socket.settimeout(10)
            self.socket = under_tls(self.socket)
        self.exchange(b"")
        if self.stage == "literal":
            if self.protocol == "imap":
                self.exchange(b"a LOGIN {999}\r\n")
            return b"x" * 999
        if self.stage == "exchange":
            self.exchange(AUTH[self.protocol])
            return b"A" * 999
        if self.stage == "starttls":
            self.exchange(STARTTLS[self.protocol])
            return client_hello()
        return NOOP[self.protocol] * 99

    def exchange(self, line):
        self.socket.settimeout(10)
        self.socket.sendall(line)
        self.socket.recv(999)

    def listen(self):
        self.socket.settimeout(BYTE_SECONDS)
        try:
            data = self.socket.recv(999)
        except TimeoutError:
            return True
        except OSError:
            return False
        self.heard += data
        return bool(data)


def test_a_login_that_takes_too_long(front):
    """Every protocol and stage at once; and somebody who is quick is not disturbed."""
    front = front(f"timeout 1m; login_timeout {LIMIT_SECONDS}s; pop3_auth plain; smtp_auth plain;")
    slow = [SlowClient(front, protocol, stage, f"127.3.{i}.{j}") for i, protocol in enumerate(PROTOCOLS, 1) for j, stage in enumerate(STAGES, 1)]
    relayed = Client(front.ports["imap"], "imap", "127.3.9.9")
    assert relayed.login("bob", RIGHT) == WELCOME["imap"]
    for one in slow:
        one.join(20)
        what = (one.protocol, one.stage, one.seconds, one.heard)
        assert one.seconds is not None and LIMIT_SECONDS - 0.1 < one.seconds < LIMIT_SECONDS + 3, what
        told = STAGES[one.stage][1]
        assert one.heard.endswith(TOO_LONG[one.protocol]) if told else one.heard == b"", what
        line, = front.proxy.log_lines(f"client has not logged in within {LIMIT_SECONDS * 1000} ms.*client: {one.source}[, ]")
        assert "[info]" in line
    assert relayed.say(b"b NOOP").startswith(b"* ECHO"), "who is logged in has no such limit"
    relayed.close()


def test_the_old_limit_says_nothing_as_before(front):
    front = front("timeout 500ms; login_timeout 1m;")
    with Client(front.ports["imap"], "imap") as client:
        assert client.read() == b""
    assert front.proxy.log_lines(r"client timed out \(110: .* while in auth state")


def test_a_service_that_is_slow_is_not_the_clients_fault(front):
    """The login is answered though its time has passed meanwhile; what comes after it is not."""
    def choose(request, number):
        time.sleep(1.3)
        return check_password(request, number) if number else refusal(Auth_Wait=1)
    front = front("login_timeout 1s;", choose=choose)
    with Client(front.ports["imap"], "imap", "127.3.7.7") as client:
        assert client.login("bob", "wrong").startswith(b"a NO ")
        assert client.read() == TOO_LONG["imap"]
    with Client(front.ports["imap"], "imap", "127.3.7.7") as client:
        assert client.login("bob", RIGHT) == WELCOME["imap"]
        assert client.say(b"b NOOP").startswith(b"* ECHO")


@every_protocol
@pytest.mark.parametrize("tls", [False, True])
def test_too_much_before_the_login(front, protocol, tls):
    front = front("limit_login_bytes 1000; max_commands 100000;")
    noop = {"imap": b"a NOOP\r\n", "pop3": b"NOOP\r\n", "smtp": b"NOOP\r\n"}[protocol]
    done = {"imap": b"a OK completed\r\n", "pop3": b"+OK\r\n", "smtp": b"250 2.0.0 OK\r\n"}[protocol]
    fill = noop * (1000 // len(noop))
    rest = 1000 - len(fill)
    for more, told in ((b"x" * rest, b""), (b"x" * (rest + 1), TOO_MUCH[protocol])):
        with connect((front.tls if tls else front.ports)[protocol]) as plain:
            client = under_tls(plain) if tls else plain
            client.settimeout(10)
            client.recv(999)
            heard = b""
            for start in range(0, len(fill), len(noop)):
                client.sendall(noop)
                heard += client.recv(999)
            assert heard == done * (len(fill) // len(noop))
            client.sendall(more)
            client.settimeout(10 if told else 0.3)
            try:
                assert client.recv(999) == told
            except TimeoutError:
                assert not told, "1000 bytes are allowed"
            client.close()
    wait_until(lambda: front.proxy.log_lines(r"\[info\].*client sent more than 1000 bytes before its login while in auth state, client: "), "the log says so")


def test_too_much_in_a_literal_and_in_an_exchange(front):
    front = front("limit_login_bytes 300; imap_client_buffer 4k;")
    for begin in (b"a LOGIN {2000}\r\n", b"a AUTHENTICATE PLAIN\r\n"):
        with Client(front.ports["imap"], "imap") as client:
            assert client.say(begin.rstrip(b"\r\n")).startswith(b"+ ")
            client.socket.sendall(b"x" * 299)
            assert client.read() == TOO_MUCH["imap"]


def trickle(client, data):
    for byte in data:
        client.socket.sendall(bytes([byte]))
        time.sleep(0.002)


@every_protocol
@pytest.mark.parametrize("line, limit, logged", [(NONSENSE, "max_errors 3;", "client sent too many invalid commands"),
                                                 (NOOP, "max_commands 2;", "client sent too many commands")])
def test_commands_and_errors_a_byte_at_a_time(front, protocol, line, limit, logged):
    front = front(limit)
    with Client(front.ports[protocol], protocol) as client:
        for _ in range(2):
            trickle(client, line[protocol])
            assert client.read() != b""
        trickle(client, line[protocol])
        assert client.read() == INVALID[protocol]
        assert client.read() == b""
    assert front.proxy.log_lines(rf"\[info\].*{logged} while in auth state, client: 127.0.0.1,")


def test_slow_clients_leave_nothing_behind(front):
    front = front("timeout 1m; login_timeout 500ms;")
    clients = [connect(front.ports["imap"]) for _ in range(50)]
    for client in clients:
        client.settimeout(10)
        while client.recv(999):
            pass
        client.close()
    assert len(front.proxy.log_lines("client has not logged in within 500 ms while in auth state")) == 50
    with socket.create_connection(("127.0.0.1", front.ports["imap"]), timeout=5) as client:
        assert client.recv(99) == b"* OK IMAP4 ready\r\n"
