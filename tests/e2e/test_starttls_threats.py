"""How STARTTLS and TLS ports of mail servers were broken before: T1 injection before and after
STARTTLS, T5 credentials in clear, T12 sessions of one server shown to a stricter one, T13 strange
names, T22 other protocols on our ports; clients that stall, and garbage."""

import random
import socket
import ssl
import threading

import pytest
from support.ports import connect, free_port, wait_until
from support.processes import resident_bytes
from support.scripted_service import ScriptedService, refusal

STARTTLS = {"imap": b"a STARTTLS\r\n", "pop3": b"STLS\r\n", "smtp": b"STARTTLS\r\n"}
ACCEPTED = {"imap": b"a OK completed\r\n", "pop3": b"+OK\r\n", "smtp": b"220 2.0.0 Start TLS\r\n"}
NOOP = {"imap": b"n NOOP\r\n", "pop3": b"NOOP\r\n", "smtp": b"NOOP\r\n"}
DONE = {"imap": b"n OK completed\r\n", "pop3": b"+OK\r\n", "smtp": b"250 2.0.0 OK\r\n"}
# What an attacker on the line would like to be read inside TLS.
INJECTED = {"imap": b"x LOGIN eve s3cret\r\n", "pop3": b"USER eve\r\nPASS s3cret\r\n",
            "smtp": b"EHLO eve\r\nAUTH PLAIN AGV2ZQBzM2NyZXQ=\r\n"}
PROTOCOLS = list(STARTTLS)
every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


class Front:
    def __init__(self, server, pki, directives="", more=""):
        self.service = ScriptedService(lambda request, number: refusal("no"))
        self.port = {name: free_port() for name in PROTOCOLS}
        self.ssl_port = {name: free_port() for name in PROTOCOLS}
        blocks = "".join(f"server {{ protocol {name}; starttls on; listen 127.0.0.1:{self.port[name]}; "
                         f"listen 127.0.0.1:{self.ssl_port[name]} ssl; {more} }}\n" for name in PROTOCOLS)
        self.proxy = server(f"server_name mail.test; auth_http 127.0.0.1:{self.service.port}/auth; {directives} "
                            f"ssl_certificate {pki.server.path}; ssl_certificate_key {pki.server.key_path};\n{blocks}",
                            [*self.port.values(), *self.ssl_port.values()])

    def logged(self, pattern):
        wait_until(lambda: self.proxy.log_lines(pattern), f"the log has {pattern}\n{self.proxy.log()[-2000:]}")


@pytest.fixture
def front(server, pki):
    made = []

    def make(*arguments, **options):
        made.append(Front(server, pki, *arguments, **options))
        return made[-1]
    yield make
    for one in made:
        one.service.close()


def anybody():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def line(client):
    text = b""
    while not text.endswith(b"\n"):
        byte = client.recv(1)
        if not byte:
            break
        text += byte
    return text


def still_works(front, protocol):
    with connect(front.port[protocol]) as plain:
        line(plain)
        plain.sendall(STARTTLS[protocol])
        assert line(plain) == ACCEPTED[protocol]
        with anybody().wrap_socket(plain) as client:
            client.sendall(NOOP[protocol])
            assert line(client) == DONE[protocol]


@every_protocol
def test_commands_behind_starttls_are_never_read(front, protocol):
    """T1: in one packet, and cut at every byte."""
    proxy = front()
    text = STARTTLS[protocol] + INJECTED[protocol]
    for cut in range(len(STARTTLS[protocol]), len(text) + 1):
        with connect(proxy.port[protocol]) as plain:
            line(plain)
            plain.sendall(text[:cut])
            assert line(plain) == ACCEPTED[protocol]
            with anybody().wrap_socket(plain) as client:
                client.sendall(NOOP[protocol])
                # The first thing that is said inside TLS is the answer to the first thing asked there.
                assert line(client) == DONE[protocol]
    assert proxy.service.requests() == []
    size = len(INJECTED[protocol])
    proxy.logged(rf"\[info\] .*client sent {size} bytes of plain text behind STARTTLS, discarded while in starttls state, "
                 rf"client: 127.0.0.1 using starttls")
    assert "s3cret" not in proxy.proxy.log()


@every_protocol
def test_the_first_byte_of_starttls_may_come_alone(front, protocol):
    proxy = front()
    command = STARTTLS[protocol]
    for cut in range(1, len(command)):
        with connect(proxy.port[protocol]) as plain:
            line(plain)
            plain.sendall(command[:cut])
            plain.sendall(command[cut:])
            assert line(plain) == ACCEPTED[protocol]
            with anybody().wrap_socket(plain) as client:
                client.sendall(NOOP[protocol])
                assert line(client) == DONE[protocol]


@every_protocol
def test_plain_text_instead_of_a_handshake_ends_the_connection(front, protocol):
    proxy = front()
    with connect(proxy.port[protocol]) as plain:
        line(plain)
        plain.sendall(STARTTLS[protocol])
        assert line(plain) == ACCEPTED[protocol]
        plain.sendall(INJECTED[protocol])
        left = b""
        try:
            while data := plain.recv(1000):
                left += data
        except ConnectionResetError:
            pass
        assert DONE[protocol] not in left
    proxy.logged(r"\[info\] .*SSL_do_handshake\(\) failed \(SSL: .*\) while in starttls state, client: 127.0.0.1 using starttls")
    assert proxy.service.requests() == []
    still_works(proxy, protocol)


def test_what_was_said_in_clear_is_forgotten(front):
    """T1: HELO, MAIL, tags, user names and errors."""
    proxy = front("smtp_auth plain none;")
    with connect(proxy.port["smtp"]) as plain:
        line(plain)
        for text, answer in ((b"HELO evil\r\n", b"250 "), (b"MAIL FROM:<a@b>\r\n", b"250 "), (b"STARTTLS\r\n", b"220 ")):
            plain.sendall(text)
            assert line(plain).startswith(answer)
        with anybody().wrap_socket(plain) as client:
            client.sendall(b"RCPT TO:<c@d>\r\n")
            assert line(client) == b"503 5.5.1 Bad sequence of commands\r\n"
    with connect(proxy.port["imap"]) as plain:
        line(plain)
        for _ in range(4):
            plain.sendall(b"a WHAT\r\n")
            assert line(plain) == b"a BAD invalid command\r\n"
        plain.sendall(b"a STARTTLS\r\n")
        line(plain)
        with anybody().wrap_socket(plain) as client:
            for _ in range(4):  # a fifth in all would be one too many
                client.sendall(b"\x00\r\n")
                assert line(client) == b"* BAD invalid command\r\n"


@every_protocol
def test_a_client_that_stalls_in_the_handshake_is_timed_out(front, protocol):
    proxy = front("timeout 300ms;")
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"  # the head of a record that never ends
    for port, starts in ((proxy.ssl_port[protocol], b""), (proxy.ssl_port[protocol], hello), (proxy.port[protocol], b"")):
        with connect(port) as client:
            if port == proxy.port[protocol]:
                line(client)
                client.sendall(STARTTLS[protocol])
                line(client)
            client.sendall(starts)
            try:
                while client.recv(1000):
                    pass
            except ConnectionResetError:
                pass
    wait_until(lambda: len(proxy.proxy.log_lines(r"client timed out \(110: Connection timed out\) while (SSL handshaking|in starttls state)")) == 3,
               "each is named in the log")


def test_other_protocols_on_our_ports(front):
    """T22: a browser that was led here, with TLS and without."""
    proxy = front()
    for protocol in PROTOCOLS:
        with connect(proxy.ssl_port[protocol]) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: mail.test\r\n\r\n")
            assert b"HTTP" not in plain.recv(1000)
        for names in (["h2", "http/1.1"], ["http/1.1"]):
            context = anybody()
            context.set_alpn_protocols(names)
            with pytest.raises(ssl.SSLError, match="no application protocol"):
                context.wrap_socket(connect(proxy.ssl_port[protocol]))
        with anybody().wrap_socket(connect(proxy.ssl_port[protocol])) as client:
            line(client)
            client.sendall(b"POST / HTTP/1.1\r\nHost: mail.test\r\n\r\n<script>x</script>\r\n" * 10)
            said = b""
            try:
                while data := client.recv(1000):
                    said += data
            except OSError:
                pass
            assert b"script" not in said and b"HTTP" not in said  # nothing of theirs comes back
    proxy.logged("no application protocol")


def test_ten_thousand_garbage_handshakes(front):
    proxy = front()
    worker = wait_until(proxy.proxy.workers, "a worker")[-1]
    hello = bytes.fromhex("160301") + bytes([0, 200]) + bytes.fromhex("010000c40303")
    ports = list(proxy.ssl_port.values())

    def flood(seed, count):
        noise = random.Random(seed)
        for index in range(count):
            kind = noise.randrange(4)
            garbage = noise.randbytes(noise.randrange(1, 600))
            try:
                with connect(ports[index % 3]) as client:
                    client.sendall((hello + garbage) if kind else garbage)
                    if kind == 3:
                        client.settimeout(5)
                        client.shutdown(socket.SHUT_WR)
                        while client.recv(4096):
                            pass
            except OSError:
                pass  # it is thrown out

    def wave():
        threads = [threading.Thread(target=flood, args=(seed, 625)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        still_works(proxy, "imap")
    wave()
    before = resident_bytes(worker)
    wave()
    assert resident_bytes(worker) < before + (8 << 20)
    assert proxy.proxy.workers()[-1] == worker
    assert not proxy.proxy.log_lines(r"\[(alert|crit|emerg)\]")


def test_a_hundred_thousand_strange_names_cost_nothing(server, pki):
    """T13: names come from configured ones only, however many are asked for."""
    port = free_port()
    blocks = "".join(f"server {{ listen 127.0.0.1:{port} ssl; protocol imap; server_name {name}; }}\n"
                     for name in ("a.test", "*.b.test"))
    proxy = server(f"auth_http 127.0.0.1:1; ssl_certificate {pki.server.path}; "
                   f"ssl_certificate_key {pki.server.key_path};\n{blocks}", [port])
    worker = wait_until(proxy.workers, "a worker")[-1]

    def hello(name):
        """A ClientHello from OpenSSL itself, without a connection."""
        out = ssl.MemoryBIO()
        try:
            anybody().wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
        except ssl.SSLWantReadError:
            pass
        return out.read()
    name = "x" * 32 + ".test"
    pattern = hello(name)
    assert name.encode() in pattern

    def ask(count, seed):
        noise = random.Random(seed)
        for _ in range(count):
            other = bytes(noise.choice(b"abcdefghijklmnop.-\xff\x00A") for _ in range(len(name)))
            with connect(port) as client:
                client.sendall(pattern.replace(name.encode(), other))
                client.recv(1)
    ask(300, 1)
    before = resident_bytes(worker)
    ask(3000, 2)
    assert resident_bytes(worker) < before + (4 << 20)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("directives", ["", "ssl_session_tickets off; ssl_session_cache shared:a:1m;"])
def test_a_session_of_one_server_opens_no_stricter_one(server, pki, version, directives):
    """T12: same certificate, same port, same keys, but one of them wants a client certificate."""
    port = free_port()
    server(f"auth_http 127.0.0.1:1; ssl_certificate {pki.server.path}; ssl_certificate_key {pki.server.key_path}; "
           f"{directives} server {{ listen 127.0.0.1:{port} ssl; protocol imap; server_name lax.test; }}\n"
           f"server {{ listen 127.0.0.1:{port} ssl; protocol imap; server_name strict.test; "
           f"ssl_verify_client on; ssl_client_certificate {pki.authority.path}; }}", [port])
    context = anybody()
    context.minimum_version = context.maximum_version = version

    def greet(name, session=None):
        with context.wrap_socket(connect(port), server_hostname=name, session=session) as client:
            return line(client), client.session, client.session_reused
    said, session, _ = greet("lax.test")
    assert said == b"* OK IMAP4 ready\r\n"
    assert greet("lax.test", session)[2]  # it is good, where it came from
    said, _, reused = greet("strict.test", session)
    assert said == b"* BYE No required SSL certificate\r\n" and not reused
