"""How mail proxies were broken before, one test an incident. T02 bytes after a login reach the backend once; T06, T09, T10 credentials; T07 retries; T08 hostile
strings; T14 clients that vanish; T17 resource limits; T21 smuggling; T23 acknowledged and lost;
T26 secrets in logs; T30 log injection. The server is Postern; most run with NGINX as well."""

import base64
import itertools
import os
import random
import re
import socket
import struct
import threading
import time
import unicodedata

import pytest
from support.ports import connect, free_port, wait_until
from support.processes import resident_bytes
from support.scripted_backend import ScriptedBackend
from support.scripted_service import ScriptedService, header, ok, refusal

SECRET = "Tr0ub4dor-and-3-horses"


class Front:
    """A proxy with one server a protocol, a scripted service and scripted backends."""

    def __init__(self, server, choose, directives="", scripts=None, **options):
        self.service = ScriptedService(choose, lambda request: {"address": "127.0.0.1", "port": self.backends[header(request, "Auth-Protocol")].port})
        self.backends = {name: ScriptedBackend(lambda address, name=name: (name, (scripts or {}).get(name))) for name in ("imap", "pop3", "smtp")}
        self.port = {name: free_port() for name in self.backends}
        blocks = "".join(f"server {{ listen 127.0.0.1:{port}; protocol {name}; }}\n" for name, port in self.port.items())
        self.proxy = server(f"server_name mail.test; auth_http 127.0.0.1:{self.service.port}/auth; {directives}\n{blocks}", self.port.values(), **options)

    def client(self, protocol):
        return Talk(connect(self.port[protocol], timeout=20))

    def log_in_in_vain(self, protocol):
        talk = self.client(protocol)
        talk.socket.sendall(LOGIN[protocol])
        while talk.read():
            pass
        talk.close()

    def backend_bytes(self, protocol):
        """What each connection to the backend brought, after the last one has ended."""
        connections = self.backends[protocol].connections("127.0.0.1")
        for connection in connections:
            wait_until(connection.ended.is_set, "the backend's connection ends", 10)
        return [b"".join(connection.lines) for connection in connections]

    def close(self):
        self.service.close()
        for backend in self.backends.values():
            backend.close()


class Talk:
    """A client that speaks line by line."""

    def __init__(self, sock):
        self.socket = sock
        self._lines = sock.makefile("rb")
        self.greeting = self.read()

    def read(self):
        return self._lines.readline()

    def say(self, line):
        self.socket.sendall(line + b"\r\n")
        return self.read()

    def close(self):
        self._lines.close()
        self.socket.close()

    def vanish(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


@pytest.fixture
def front(server):
    opened = []

    def start(choose=lambda request, number: ok(), directives="", **options):
        opened.append(Front(server, choose, directives, **options))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def encoded(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode())


LOGIN = {
    "imap": b"a LOGIN bob " + SECRET.encode() + b"\r\n",
    "pop3": b"USER bob\r\nPASS " + SECRET.encode() + b"\r\n",
    "smtp": b"EHLO c\r\nAUTH PLAIN " + encoded(f"\0bob\0{SECRET}") + b"\r\n",
}
AFTER = {
    "imap": b"b SELECT INBOX\r\nc FETCH 1 ALL\r\nd LOGOUT\r\n",
    "pop3": b"STAT\r\nRETR 1\r\nQUIT\r\n",
    "smtp": b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nQUIT\r\n",
}


@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
def test_t02_bytes_after_the_login_reach_the_backend_once(front, protocol):
    """Every split of login and first commands into two packets."""
    front = front()
    stream = LOGIN[protocol] + AFTER[protocol]
    clients = []
    for split in range(1, len(stream), 2):
        talk = Talk(connect(front.port[protocol], timeout=20))
        talk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        talk.socket.sendall(stream[:split])
        clients.append((talk, stream[split:]))
    time.sleep(0.2)  # the first packets are to be read by themselves
    for talk, rest in clients:
        talk.socket.sendall(rest)
    for talk, rest in clients:
        while talk.read():
            pass
        talk.close()
    received = front.backend_bytes(protocol)
    assert len(received) == len(clients)
    for data in received:
        assert data.endswith(AFTER[protocol]) and data.count(AFTER[protocol].split(b"\r\n")[0]) == 1, data


MALFORMED = [b"!!!!", b"A", b"AAAAA", b"=", b"====", b"AA==", b"\xff\xfe", b"AGJvYg==", b"Ym9i", b"*", b"", b"AGJvYgBwYXNz\x00", b" AGJvYgBwYXNz", b"Y" * 3000]


@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
def test_t06_malformed_credentials_go_nowhere(front, protocol):
    front = front(lambda request, number: refusal(), "imap_auth plain cram-md5 external; pop3_auth plain cram-md5 external; smtp_auth plain cram-md5 external;")
    start = {"imap": b"a AUTHENTICATE ", "pop3": b"AUTH ", "smtp": b"AUTH "}[protocol]
    bad = {"imap": b"BAD invalid command\r\n", "pop3": b"-ERR invalid command\r\n", "smtp": b"500 5.5.1 Invalid command\r\n"}[protocol]
    for text in MALFORMED:
        for mechanism in (b"PLAIN", b"CRAM-MD5"):
            talk = front.client(protocol)
            assert talk.say(start + mechanism).startswith((b"+ ", b"334 "))
            reply = talk.say(text)
            assert reply.endswith(bad), (mechanism, text, reply)
            talk.close()
    assert front.service.requests() == []
    assert front.backends[protocol].connections("127.0.0.1") == []


def attempt(talk, protocol, mechanism, user):
    """One attempt; returns its last reply."""
    start = {"imap": b"a AUTHENTICATE ", "pop3": b"AUTH ", "smtp": b"AUTH "}[protocol]
    secret = b"secret-of-" + user
    if mechanism == "PLAIN":
        return talk.say(start + b"PLAIN " + encoded(b"\0" + user + b"\0" + secret))
    if mechanism == "LOGIN":
        talk.say(start + b"LOGIN " + encoded(user))
        return talk.say(encoded(secret))
    if mechanism == "CRAM-MD5":
        talk.say(start + b"CRAM-MD5")
        return talk.say(encoded(user + b" " + (user * 32)[:32]))
    return talk.say(start + b"EXTERNAL " + encoded(user))


MECHANISMS = ["PLAIN", "LOGIN", "CRAM-MD5", "EXTERNAL"]


@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
def test_t07_t09_retry_with_every_other_mechanism_has_no_trace_of_the_first(front, protocol):
    front = front(lambda request, number: refusal("no", Auth_Wait=1),
                  "imap_auth plain login cram-md5 external; pop3_auth plain cram-md5 external; smtp_auth plain login cram-md5 external;")
    pairs = list(itertools.product(MECHANISMS, MECHANISMS))
    talks = [front.client(protocol) for _ in pairs]
    for position in (0, 1):  # all at the same time, since each refusal takes its second
        threads = [threading.Thread(target=lambda talk=talk, pair=pair, number=number: setattr(
            talk, "reply", attempt(talk, protocol, pair[position], f"u{number}p{position}".encode())))
            for number, (talk, pair) in enumerate(zip(talks, pairs))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for talk in talks:
            assert b"no" in talk.reply.lower() or b"535" in talk.reply, talk.reply
    requests = front.service.requests()
    assert len(requests) == 2 * len(pairs)
    for request in requests:
        user = header(request, "Auth-User")
        number, position = map(int, re.fullmatch(r"u(\d+)p(\d)", user).groups())
        mechanism = pairs[number][position]
        method = {"PLAIN": "plain", "LOGIN": "plain", "CRAM-MD5": "cram-md5", "EXTERNAL": "external"}[mechanism]
        assert header(request, "Auth-Method") == method
        wanted = {"plain": f"secret-of-{user}", "cram-md5": (user * 32)[:32], "external": ""}[method]
        assert header(request, "Auth-Pass") == wanted
        assert header(request, "Auth-Login-Attempt") == str(position + 1)
        assert (header(request, "Auth-Salt") is not None) == (method == "cram-md5")


def test_t09_mail_without_login_has_no_trace_of_a_failed_login(front):
    front = front(lambda request, number: refusal("no", Auth_Wait=1) if number == 0 else ok(), "smtp_auth plain none;")
    talk = front.client("smtp")
    assert talk.say(b"AUTH PLAIN " + encoded(f"\0bob\0{SECRET}")) == b"535 5.7.0 no\r\n"
    assert talk.say(b"MAIL FROM:<a@b>").startswith(b"250")
    assert talk.say(b"RCPT TO:<c@d>").startswith(b"250")
    request = front.service.requests()[1]
    assert b"bob" not in request and SECRET.encode() not in request
    talk.close()


@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
@pytest.mark.parametrize("mechanism", ["CRAM-MD5", "EXTERNAL"])
def test_t10_mechanism_that_is_not_configured_is_refused(front, protocol, mechanism):
    front = front()
    start = {"imap": b"a AUTHENTICATE ", "pop3": b"AUTH ", "smtp": b"AUTH "}[protocol] + mechanism.encode()
    bad = {"imap": b"a BAD invalid command\r\n", "pop3": b"-ERR invalid command\r\n", "smtp": b"500 5.5.1 Invalid command\r\n"}[protocol]
    for line in (start, start + b" " + encoded("bob"), start + b" =", start.lower()):
        talk = front.client(protocol)
        assert talk.say(line) == bad if line != start.lower() else talk.say(line).endswith(bad[2:])
        talk.close()
    assert front.service.requests() == []


HOSTILE = [b"bob\r\nAuth-Status: OK", b"bob\nX: y", b"bob\0root", b'b"o\\b', b"b%0d%0ab", b"{3}", b"b\xf6b", b"\xff\xfe\xfd",
           b"x" * 255, b"bob smith", b"${jndi}", b"%s%n%d", b"b'or'1", b"<b>", b"a=b+c"]


@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
def test_t08_hostile_names_and_passwords(front, protocol):
    """Each arrives percent-encoded at the service and whole at the backend, or is refused; it never
    becomes another header or another line."""
    front = front(directives="proxy_smtp_auth on; smtp_auth plain;")
    start = {"imap": b"a AUTHENTICATE PLAIN ", "pop3": b"AUTH PLAIN ", "smtp": b"AUTH PLAIN "}[protocol]
    for text in HOSTILE:
        before = len(front.service.requests())
        count = len(front.backends[protocol].connections("127.0.0.1"))
        talk = front.client(protocol)
        reply = talk.say(start + encoded(b"\0" + text + b"\0" + text))
        talk.close()
        requests = front.service.requests()[before:]
        if any(byte in text for byte in b"\r\n\0"):
            assert b"nvalid command" in reply and not requests, (text, reply)
            continue
        wanted = re.sub(rb"[\x00-\x20%]", lambda byte: b"%%%02X" % byte.group()[0], text)
        names = [line.split(b":")[0] for line in requests[0].split(b"\r\n")[1:-2]]
        assert names[:6] == [b"Host", b"Auth-Method", b"Auth-User", b"Auth-Pass", b"Auth-Protocol", b"Auth-Login-Attempt"]
        assert len(names) == len(set(names)) == {"imap": 7, "pop3": 7, "smtp": 8}[protocol]
        assert b"\r\nAuth-User: " + wanted + b"\r\nAuth-Pass: " + wanted + b"\r\n" in requests[0]
        sent = front.backend_bytes(protocol)[count]
        expected = {
            "imap": b"a LOGIN {%d}\r\n%b {%d}\r\n%b\r\n" % (len(text), text, len(text), text),
            "pop3": b"USER %b\r\nPASS %b\r\n" % (text, text),
        }.get(protocol)
        if expected:
            assert sent == expected
        else:
            assert b"XCLIENT ADDR=127.0.0.1 NAME=[UNAVAILABLE]\r\nAUTH PLAIN " + encoded(b"\0" + text + b"\0" + text) + b"\r\n" in sent


def test_t08_hostile_login_becomes_one_xclient_argument(front):
    front = front()
    for text in [text for text in HOSTILE if not any(byte in text for byte in b"\r\n\0")]:
        count = len(front.backends["smtp"].connections("127.0.0.1"))
        talk = front.client("smtp")
        assert talk.say(b"AUTH PLAIN " + encoded(b"\0" + text + b"\0pw")).startswith(b"235")
        talk.close()
        xtext = re.sub(rb"[\x00-\x20+=\x7f-\xff]", lambda byte: b"+%02X" % byte.group()[0], text)
        assert b"XCLIENT ADDR=127.0.0.1 LOGIN=" + xtext + b" NAME=[UNAVAILABLE]\r\n" in front.backend_bytes("smtp")[count]


@pytest.mark.parametrize("text", [b"h\0lo", b"h\x01lo", b"h\xf6lo", b'h"lo', b"h%0alo"])
def test_t08_hostile_helo_and_addresses(front, text):
    front = front(directives="smtp_auth none; xclient off;")
    talk = front.client("smtp")
    talk.say(b"HELO " + text)
    talk.say(b"MAIL FROM:<" + text + b"@b>")
    talk.say(b"RCPT TO:<" + text + b"@d>")
    talk.close()
    for request in front.service.requests():
        assert b"\0" not in request
        assert request.count(b"\r\n") == request.count(b"\n") == 13
    front.backend_bytes("smtp")


def open_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


STATES = {
    "imap": [b"", b"a", b"a LOGIN bob {3}\r\n", b"a LOGIN {5}\r\nbo", b"a AUTHENTICATE PLAIN\r\n", b"a AUTHENTICATE LOGIN\r\n", b"a AUTHENTICATE LOGIN\r\nYm9i\r\n",
             b"a AUTHENTICATE CRAM-MD5\r\n", b"a AUTHENTICATE EXTERNAL\r\n", b"a LOGIN bob pw\r\n", b"a LOGIN bob pw\r\nb SELECT"],
    "pop3": [b"", b"US", b"USER bob\r\n", b"USER bob\r\nPASS", b"AUTH PLAIN\r\n", b"AUTH LOGIN\r\nYm9i\r\n", b"AUTH CRAM-MD5\r\n", b"USER bob\r\nPASS pw\r\n", b"USER bob\r\nPASS pw\r\nRE"],
    "smtp": [b"", b"EH", b"EHLO c\r\n", b"AUTH PLAIN\r\n", b"AUTH LOGIN\r\nYm9i\r\n", b"AUTH CRAM-MD5\r\n", b"MAIL FROM:<a@b>\r\n", b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n",
             b"AUTH PLAIN AGJvYgBwdw==\r\n", b"AUTH PLAIN AGJvYgBwdw==\r\nDATA\r\nhalf"],
}


@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
def test_t14_clients_that_vanish_in_any_state_leave_nothing(front, protocol):
    front = front(directives="imap_auth plain login cram-md5 external; pop3_auth plain cram-md5; smtp_auth plain login cram-md5 none; timeout 2s;")
    worker = wait_until(front.proxy.workers, "a worker runs")[0]
    connect(front.port[protocol]).close()
    time.sleep(0.1)
    before = open_descriptors(worker)
    garbage = random.Random(14)
    for round_ in range(4):
        talks = []
        for state in STATES[protocol]:
            talk = front.client(protocol)
            talk.socket.sendall(state)
            talks.append(talk)
        time.sleep(0.1)
        for talk in talks:
            if round_ == 0:
                talk.close()
            elif round_ == 1:
                talk.vanish()
            elif round_ == 2:
                talk.socket.shutdown(socket.SHUT_WR)
                talk.close()
            else:
                try:
                    talk.socket.sendall(garbage.randbytes(3000))
                    talk.vanish()
                except OSError:
                    talk.close()
    wait_until(lambda: open_descriptors(worker) <= before, f"descriptors are back to {before}", 10)
    assert front.proxy.workers() == [worker], "the worker died"
    talk = front.client(protocol)
    assert talk.greeting
    talk.close()
    assert not front.proxy.log_lines(r"\[(alert|emerg|crit)\]")


@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
def test_t14_clients_that_are_silent_in_any_state_are_sent_away(front, protocol):
    front = front(directives="imap_auth plain login cram-md5 external; pop3_auth plain cram-md5; smtp_auth plain login cram-md5 none; timeout 1s; proxy_timeout 1s;")
    talks = []
    for state in STATES[protocol]:
        talk = front.client(protocol)
        talk.socket.sendall(state)
        talks.append(talk)
    for talk in talks:
        while talk.read():
            pass
        talk.close()


@pytest.mark.parametrize("protocol, stream", [
    ("imap", b"x" * (1 << 20)), ("pop3", b"x" * (1 << 20)), ("smtp", b"x" * (1 << 20)),
    ("imap", b"a LOGIN " + b"(" * 100000 + b"\r\n"), ("imap", b"a LOGIN {4294967295}\r\n"), ("imap", b"a LOGIN {4294967295+}\r\n" + b"x" * 100000),
    ("imap", b"a LOGIN " + b"{1+}\r\nx " * 10000), ("smtp", b"MAIL FROM:<" + b"x" * 100000 + b">\r\n"), ("smtp", b"AUTH PLAIN " + b"A" * 100000 + b"\r\n"),
], ids=["imap line", "pop3 line", "smtp line", "parentheses", "literal", "literal+", "literals", "address", "base64"])
def test_t17_too_much_of_anything_costs_little(front, protocol, stream):
    front = front(directives="timeout 3s;")
    worker = wait_until(front.proxy.workers, "a worker runs")[0]

    def flood():
        clients = [connect(front.port[protocol]) for _ in range(20)]
        assert clients[0].recv(8)  # the worker is there
        for client in clients:
            client.settimeout(5)
            try:
                client.sendall(stream)
            except OSError:
                pass  # it has hung up, as it should
        time.sleep(0.2)
        peak = resident_bytes(worker)
        for client in clients:
            client.close()
        return peak

    before = flood()  # what a worker needs once, it may keep
    grown = flood() - before
    assert grown < 20 * (32 << 10), f"{grown >> 10} KiB for 20 clients"
    assert front.proxy.workers() == [worker]


@pytest.mark.parametrize("protocol, command", [("imap", b"a NOOP\r\n"), ("pop3", b"NOOP\r\n"), ("smtp", b"NOOP\r\n")])
def test_t17_commands_without_end(front, protocol, command, request):
    """A hundred thousand pipelined commands: answered up to max_commands, then the end; others go on."""
    if request.config.getoption("--proxy") == "nginx":
        pytest.skip("NGINX has no max_commands")
    front = front(directives="max_commands 1000;")
    worker = wait_until(front.proxy.workers, "a worker runs")[0]

    def flood():
        client = connect(front.port[protocol])
        client.settimeout(10)
        assert client.recv(8)  # the worker is there
        try:
            client.sendall(command * 100000)
        except OSError:
            pass
        return client

    flood().close()  # what a worker needs once, it may keep
    before = resident_bytes(worker)
    client = flood()
    with connect(front.port[protocol]) as other:
        begin = time.monotonic()
        assert other.recv(100)
        assert time.monotonic() - begin < 1
    assert resident_bytes(worker) - before < 2 << 20
    wait_until(lambda: front.proxy.log_lines("client sent too many commands"), "the limit is logged")
    client.close()


def test_t17_replies_that_nobody_reads(front):
    """Pipelined commands whose replies are not read: the proxy stops reading."""
    front = front(directives="timeout 3s; max_errors 100000000;")
    worker = wait_until(front.proxy.workers, "a worker runs")[0]

    def flood():
        client = connect(front.port["imap"])
        client.settimeout(1)
        assert client.recv(8)
        try:
            for _ in range(64):
                client.sendall(b"a CAPABILITY\r\n" * 10000)
        except OSError:
            pass
        return client

    flood().close()
    before = resident_bytes(worker)
    client = flood()
    assert resident_bytes(worker) - before < 2 << 20
    client.close()


SMUGGLING = [b"a\n.\r\nMAIL FROM:<evil@x>\r\n", b"a\r.\r\nMAIL FROM:<evil@x>\r\n", b"a\n.\nMAIL FROM:<evil@x>\r\n", b"a\r\n.\r\r\nMAIL\r\n", b"a\r\n\0.\r\nb\0\0\r\n", b"a\r.\rb\r\n", b"\xff" * 100 + b"\r\n"]


@pytest.mark.parametrize("text", SMUGGLING)
def test_t21_mail_data_goes_through_byte_by_byte(front, text):
    front = front(directives="xclient off;")
    talk = front.client("smtp")
    assert talk.say(b"AUTH PLAIN " + encoded("\0bob\0pw")).startswith(b"235")
    assert talk.say(b"DATA").startswith(b"354")
    for index in range(len(text)):
        talk.socket.sendall(text[index:index + 1])
    talk.socket.sendall(b"\r\n.\r\n")
    time.sleep(0.1)
    talk.close()
    assert front.backend_bytes("smtp")[0].split(b"DATA\r\n", 1)[1] == text + b"\r\n.\r\n"


def test_t23_nothing_is_acknowledged_before_the_backend_has_it(front):
    """DATA and BDAT before login are refused; after it the backend's own replies come, and none else."""
    front = front(directives="smtp_auth plain none; xclient off;", scripts={"smtp": [b"220 b\r\n", b"250 b\r\n", b"250 sender\r\n", b"250 rcpt\r\n", b"354 go\r\n", b"", b"", b"452 4.3.1 disk full\r\n"]})
    talk = front.client("smtp")
    for line in (b"DATA", b"BDAT 5 LAST", b"BURL x LAST"):
        assert talk.say(line) == b"500 5.5.1 Invalid command\r\n"
    assert talk.say(b"EHLO c").startswith(b"250")
    while (line := talk.read())[:4] == b"250-":
        assert b"CHUNKING" not in line.upper() and b"BINARYMIME" not in line.upper()
    assert talk.say(b"MAIL FROM:<a@b>") == b"250 2.0.0 OK\r\n"
    assert talk.say(b"RCPT TO:<c@d>") == b"250 rcpt\r\n"
    assert talk.say(b"DATA") == b"354 go\r\n"
    talk.socket.sendall(b"Subject: x\r\n\r\n")
    assert talk.say(b".") == b"452 4.3.1 disk full\r\n"
    talk.close()


def test_t26_secrets_are_in_no_log(front, request):
    """All ways to log in, right and wrong, at level debug: no password in any form in any log."""
    if request.config.getoption("--proxy") == "nginx":
        pytest.skip("NGINX logs commands that are too long with all that is in them")
    backend_secret = "Backend-secret-77"
    front = front(lambda raw, number: ok(Auth_Pass=backend_secret) if number % 3 else refusal("no", Auth_Wait=1), level="debug", directives="""
        imap_auth plain login cram-md5; pop3_auth plain apop cram-md5; smtp_auth plain login cram-md5; proxy_smtp_auth on;""")
    digest = "c4c9334bac560ecc979e58001b3e22fb"
    cram = encoded(f"bob {digest}")
    plain = encoded(f"\0bob\0{SECRET}")
    secret = SECRET.encode()
    dialogues = {
        "imap": [[b"a LOGIN bob " + secret], [b'a LOGIN bob "' + secret + b'"'], [b"a LOGIN bob {%d+}\r\n%b" % (len(secret), secret)],
                 [b"a AUTHENTICATE PLAIN " + plain], [b"a AUTHENTICATE PLAIN", plain], [b"a AUTHENTICATE LOGIN", encoded("bob"), encoded(secret)],
                 [b"a AUTHENTICATE CRAM-MD5", cram], [b"a LOGIN bob " + secret + b" extra words"], [b"LOGIN bob " + secret], [b"a LOGIN bob " + secret * 300],
                 [b"a AUTHENTICATE PLAIN", plain + b"!"], [secret], [b"a " + secret], [b"a LOGIN bob " + secret + b"\0"]],
        "pop3": [[b"USER bob", b"PASS " + secret], [b"AUTH PLAIN " + plain], [b"AUTH LOGIN", encoded("bob"), encoded(secret)], [b"APOP bob " + digest.encode()],
                 [b"AUTH CRAM-MD5", cram], [b"PASS " + secret], [b"USER bob", b"PASS " + secret * 300], [b"PASSWORD " + secret], [secret]],
        "smtp": [[b"AUTH PLAIN " + plain], [b"AUTH PLAIN", plain], [b"AUTH LOGIN " + encoded("bob"), encoded(secret)], [b"AUTH CRAM-MD5", cram],
                 [b"AUTH PLAIN " + plain + b" " + plain], [b"AUTH PLAIN " + plain * 200], [b"AUTHPLAIN " + plain], [plain], [secret]],
    }
    for protocol, talks in dialogues.items():
        for lines in talks:
            for _ in range(2):
                talk = front.client(protocol)
                for line in lines:
                    talk.say(line)
                talk.close()
    front.proxy.stop()
    logs = ""
    for folder, _, names in os.walk(front.proxy.prefix):
        for name in names:
            if name != "proxy.conf":
                with open(os.path.join(folder, name), errors="surrogateescape") as file:
                    logs += file.read()
    assert "client logged in" in logs and "[debug]" in logs
    for text in (SECRET, backend_secret, digest, f"\0bob\0{SECRET}", f"\0bob\0{backend_secret}", f"bob {digest}"):
        data = text.encode()
        forms = [text, data.hex(), data.hex().upper(), " ".join(f"{byte:02x}" for byte in data), "".join(f"\\x{byte:02x}" for byte in data)]
        forms += [base64.b64encode(b"x" * shift + data).decode()[4:-4] for shift in range(3)]
        for form in forms:
            assert form not in logs, f"{text!r} as {form!r} in a log"


@pytest.mark.parametrize("whose", ["clients", "services"])
@pytest.mark.parametrize("protocol,replies", [
    ("imap", [b"* OK\r\n", b"+ go on\r\n", b"+ go on\r\n", b"{tag} NO who is %b?\r\n"]), ("pop3", [b"+OK\r\n", b"+OK\r\n", b"-ERR PASS %b?\r\n"]),
    ("smtp", [b"220 x\r\n", b"250 x\r\n", b"535 AUTH PLAIN %b?\r\n"])])
def test_t26_a_server_that_repeats_the_password(front, protocol, replies, whose, request):
    if request.config.getoption("--proxy") == "nginx":
        pytest.skip("NGINX logs all that servers say")
    password = SECRET if whose == "clients" else "Backend-secret-77"
    told = encoded(f"\0bob\0{password}") if protocol == "smtp" else password.encode()
    front = front(lambda raw, number: ok(**({} if whose == "clients" else {"Auth_Pass": password})), level="debug", directives="proxy_smtp_auth on; xclient off;",
                  scripts={protocol: [reply.replace(b"%b", told) for reply in replies]})
    front.log_in_in_vain(protocol)
    wait_until(lambda: front.proxy.log_lines("upstream sent invalid response: .not shown, as it repeats the password."), front.proxy.log())
    assert told.decode() not in front.proxy.log()


@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
def test_t26_a_service_that_repeats_the_password(front, protocol, request):
    if request.config.getoption("--proxy") == "nginx":
        pytest.skip("NGINX logs all that services say")
    front = front(lambda raw, number: refusal(f"wrong password {SECRET}"), level="debug")
    front.log_in_in_vain(protocol)
    wait_until(lambda: front.proxy.log_lines("client login failed: .not shown, as it repeats the password."), front.proxy.log())
    assert SECRET not in front.proxy.log()


INJECTIONS = [b"a LOGIN \"x\x07y\" pw", b"a LOGIN x\x1b[31mred pw", b"a LOGIN x\x85y pw", b'a LOGIN x",login:"root pw', b"a LOGIN {5+}\r\nx\r\ny pw", b"a LOGIN {5+}\r\nx\nyzz pw", b"a LOGIN x\xe2\x80\xa8y pw", b"a LOGIN x\xc2\x85y pw"]


def test_t30_one_event_is_one_line_in_the_log(front, request):
    if request.config.getoption("--proxy") == "nginx":
        pytest.skip("NGINX writes names as they are")
    front = front(lambda raw, number: refusal("bad \x85 text \xe2\x80\xa9 end"))
    for text in INJECTIONS:
        talk = front.client("imap")
        talk.say(text)
        talk.close()
    smtp = front.client("smtp")
    smtp.say(b"MAIL FROM:<\x1b[31m\x07@x>")
    smtp.close()
    pop3 = front.client("pop3")
    pop3.say(b"AUTH PLAIN " + encoded(b"\0a\r\n2026/11/23 00:00:00 [alert] 1#1: forged\0pw"))
    pop3.close()
    front.proxy.stop()
    with open(front.proxy.error_log, "rb") as file:
        log = file.read()
    line = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[[a-z]+\] \d+#\d+: .*")
    for one in log.split(b"\n")[:-1]:
        text = one.decode("utf-8")
        assert line.fullmatch(text), one
        # Neither control characters nor Unicode's own line and paragraph separators.
        assert not {unicodedata.category(c) for c in text} & {"Cc", "Zl", "Zp"}, one
    assert b"] 1#1: forged" not in log
    assert log.count(b"client login failed") == len([text for text in INJECTIONS if b"\n" not in text])
