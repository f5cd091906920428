"""The PROXY protocol where NGINX can't be the measure: headers in pieces, limits, version 2 towards mail
servers, and real programs on both sides: HAProxy in front and behind, Dovecot behind."""

import socket
import ssl
import struct
import threading

import pytest
from conformance.proxy_protocol import LINE, addresses, v2
from support.backend_front import LOGIN
from support.haproxy import HAPROXY, HAProxy
from support.ports import connect, free_port, wait_until
from support.scripted_service import ScriptedService, header, ok

REAL, HERE = "192.0.2.7", "127.0.0.1"
V2 = v2(addresses(REAL))
needs_haproxy = pytest.mark.skipif(not HAPROXY, reason="haproxy is not installed")


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def with_checksum(block):
    header_bytes = v2(block + b"\x03\0\x04\0\0\0\0")
    return header_bytes[:-4] + struct.pack("!I", crc32c(header_bytes))


class ImapServer:
    """Lets everybody in, and remembers the PROXY header that each connection began with."""

    def __init__(self, context=None):
        self._listener = socket.create_server((HERE, 0))
        self.port = self._listener.getsockname()[1]
        self._context = context
        self.headers = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        peer.settimeout(10)
        try:
            self.headers.append(self._header(peer))
            if self._context:
                peer = self._context.wrap_socket(peer, server_side=True)
            peer.sendall(b"* OK ready\r\n")
            lines = peer.makefile("rb")
            tag = lines.readline().split()[0]
            for _ in range(2):
                peer.sendall(b"+ go on\r\n")
                lines.readline()
            peer.sendall(tag + b" OK in\r\n")
            lines.readline()
        except (OSError, IndexError):
            pass
        finally:
            peer.close()

    @staticmethod
    def _header(peer):
        def exactly(size):
            data = b""
            while len(data) < size and (more := peer.recv(size - len(data))):
                data += more
            return data

        data = exactly(1)
        if data == b"\r":
            data += exactly(15)
            return data + exactly(struct.unpack("!H", data[14:16])[0])
        while not data.endswith(b"\r\n") and (more := exactly(1)):
            data += more
        return data

    def close(self):
        self._listener.close()


def decoded(data):
    """A version 2 header: command, addresses, and its TLVs."""
    assert data[:12] == b"\r\n\r\n\0\r\nQUIT\n" and data[12] >> 4 == 2
    command, family = data[12] & 15, data[13]
    size = {0x00: 0, 0x11: 12, 0x21: 36}[family]
    assert data[-7:-4] == b"\x03\0\x04"  # the checksum comes last
    assert crc32c(data[:-4] + b"\0\0\0\0") == struct.unpack("!I", data[-4:])[0]
    block = data[16:16 + size]
    half = (size - 4) // 2
    ends = None
    if size:
        kind = socket.AF_INET6 if family == 0x21 else socket.AF_INET
        ports = struct.unpack("!HH", block[-4:])
        ends = ((socket.inet_ntop(kind, block[:half]), ports[0]), (socket.inet_ntop(kind, block[half:2 * half]), ports[1]))
    return command, ends, types(data[16 + size:])


def types(data):
    found = {}
    while data:
        length = struct.unpack("!H", data[1:3])[0]
        found[data[0]] = data[3:3 + length]
        data = data[3 + length:]
    return found


@pytest.fixture
def imap_server():
    made = []

    def make(context=None):
        made.append(ImapServer(context))
        return made[-1]
    yield make
    for one in made:
        one.close()


class Balanced:
    """Postern with a listener that wants a header."""

    def __init__(self, server, backend_port, directives="", listen="proxy_protocol", address=HERE, timeout="5s"):
        self.service = ScriptedService(lambda request, number: ok(Auth_Server=HERE, Auth_Port=backend_port))
        self.port = free_port()
        self.address = address
        where = f"[{address}]" if ":" in address else address
        self.proxy = server(f"auth_http {HERE}:{self.service.port}/; timeout {timeout}; {directives} "
                            f"server {{ listen {where}:{self.port} {listen}; protocol imap; }}", [self.port])

    def connect(self, source=None):
        return socket.create_connection((self.address, self.port), 10, (source, 0) if source else None)

    def logged(self, pattern):
        wait_until(lambda: self.proxy.log_lines(pattern), f"the log has {pattern}\n{self.proxy.log()[-1500:]}")

    def request(self):
        return self.service.requests()[-1]


@pytest.fixture
def balanced(server, imap_server):
    made = []

    def make(*arguments, backend=None, **options):
        backend = backend or imap_server().port
        made.append(Balanced(server, backend, *arguments, **options))
        return made[-1]
    yield make
    for one in made:
        one.service.close()


def log_in(client, protocol="imap"):
    lines = client.makefile("rb")
    assert lines.readline()
    heard = b""
    for line in LOGIN[protocol].splitlines(keepends=True):
        client.sendall(line.encode())
        heard = lines.readline()
    return heard


TRUST = "set_real_ip_from 127.0.0.0/8; set_real_ip_from ::1;"


@pytest.mark.parametrize("data", [LINE, V2, with_checksum(addresses(REAL))], ids=["v1", "v2", "checksum"])
def test_a_header_may_come_byte_by_byte(balanced, data):
    one = balanced(TRUST + "proxy_protocol on;")
    with one.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            client.send(bytes([byte]))
        assert log_in(client).startswith(b"a OK")
    assert header(one.request(), "Client-IP") == REAL
    assert header(one.request(), "Proxy-Protocol-Port") == "35646"


def test_a_login_in_the_same_segment_is_answered(balanced):
    one = balanced(TRUST + "proxy_protocol on;")
    with one.connect() as client:
        client.sendall(V2 + LOGIN["imap"].encode())
        lines = client.makefile("rb")
        assert lines.readline().startswith(b"* OK")
        assert lines.readline().startswith(b"a OK")


def test_a_slow_header_has_a_time_limit(balanced):
    one = balanced(timeout="300ms")
    with one.connect() as client:
        client.sendall(LINE[:20])
        assert ended(client)
    one.logged(r"\[info\] .* client timed out \(110: Connection timed out\) while reading PROXY protocol, client: 127.0.0.1")


def test_the_largest_header(balanced):
    one = balanced()
    block = addresses(REAL) + b"\x04" + struct.pack("!H", 4096 - 16 - 12 - 3) + b"x" * (4096 - 16 - 12 - 3)
    with one.connect() as client:
        client.sendall(v2(block))
        assert client.recv(100).startswith(b"* OK")
    for larger in (v2(block + b"x"), v2(addresses(REAL), size=60000)):
        with one.connect() as client:
            client.sendall(larger)
            assert ended(client)
    wait_until(lambda: len(one.proxy.log_lines(r"\[error\] .* header is too large while reading PROXY protocol")) == 2,
               "both are logged")


def ended(client):
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("data, said", [
    (with_checksum(addresses(REAL))[:-1] + b"x", "invalid PROXY protocol version 2 header"),
    (v2(addresses(REAL) + b"\x04\0\x09x"), "invalid PROXY protocol version 2 header"),
    (b"PROXY TCP4 300.1.1.1 198.51.100.1 1 2\r\n", 'broken header: "PROXY TCP4 300.1.1.1 198.51.100.1 1 2"'),
    (b"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n", 'broken header: "PROXY TCP6 192.0.2.7 198.51.100.1 1 2"'),
    (b"PROXY \x1b[31m\r\n", r'broken header: "PROXY \\x1b\[31m"'),
    (b"a LOGIN bob s3cret\r\n", 'broken header: "a LOGIN bob s3cret"'),
    (v2(command=0x41), "unknown PROXY protocol version: 4"),
], ids=["checksum", "tlv", "address", "family", "escaped", "none", "version"])
def test_what_is_broken_is_closed_and_logged(balanced, data, said):
    one = balanced()
    with one.connect() as client:
        client.sendall(data)
        assert ended(client)
    one.logged(rf"\[error\] .*{said} while reading PROXY protocol, client: 127.0.0.1, server: ")


def test_a_header_that_is_cut_off(balanced):
    one = balanced()
    with one.connect() as client:
        client.sendall(LINE[:25])
        client.shutdown(socket.SHUT_WR)
        assert ended(client)
    one.logged('broken header: "PROXY TCP4 192.0.2.7 198." while')


def test_the_log_and_the_rules_know_the_real_address(balanced):
    one = balanced(f"{TRUST} deny 192.0.2.8; proxy_protocol on;")
    with one.connect("127.9.9.9") as client:
        client.sendall(LINE)
        assert log_in(client).startswith(b"a OK")
    one.logged(r"client 127\.9\.9\.9:\d+ connected to")
    one.logged(r"client logged in, client: 192\.0\.2\.7, server")
    with one.connect() as client:
        client.sendall(LINE.replace(b"192.0.2.7", b"192.0.2.8"))
        assert client.recv(100) == b"* BYE access denied\r\n"
    one.logged(r"access forbidden by rule, client: 192\.0\.2\.8")


def test_nobody_but_the_trusted_may_say_who_calls(balanced):
    one = balanced("set_real_ip_from 127.9.9.9; deny 192.0.2.7; proxy_protocol on;")
    with one.connect() as client:
        client.sendall(LINE)
        assert log_in(client).startswith(b"a OK")
    assert header(one.request(), "Client-IP") == HERE
    assert header(one.request(), "Proxy-Protocol-Addr") == REAL
    with one.connect("127.9.9.9") as client:
        client.sendall(LINE)
        assert client.recv(100) == b"* BYE access denied\r\n"


def test_version_2_tells_a_server_about_tls(balanced, imap_server, pki):
    backend = imap_server()
    one = balanced(f"{TRUST} proxy_protocol v2; ssl_certificate {pki.server_rsa.path}; "
                   f"ssl_certificate_key {pki.server_rsa.key_path}; ssl_verify_client optional; "
                   f"ssl_client_certificate {pki.authority.path};", "ssl proxy_protocol", backend=backend.port)
    context = ssl.create_default_context(cafile=pki.authority.path)
    context.load_cert_chain(pki.client.path, pki.client.key_path)
    context.set_alpn_protocols(["imap"])
    with one.connect() as plain:
        plain.sendall(LINE)
        with context.wrap_socket(plain, server_hostname="mail.test") as client:
            assert log_in(client).startswith(b"a OK")
            cipher = client.cipher()[0].encode()
    command, (source, destination), found = decoded(backend.headers[0])
    assert (command, source, destination) == (1, (REAL, 35646), (HERE, one.port))
    assert found[0x02] == b"mail.test" and found[0x01] == b"imap"
    client_bits, verify = struct.unpack("!BI", found[0x20][:5])
    assert (client_bits, verify) == (7, 0)
    inner = types(found[0x20][5:])
    assert inner == {0x21: b"TLSv1.3", 0x22: b"bob x", 0x23: cipher, 0x24: b"ecdsa-with-SHA256", 0x25: b"RSA2048"}


def test_version_2_of_a_client_without_certificate(balanced, imap_server, pki):
    backend = imap_server()
    one = balanced(f"proxy_protocol v2; ssl_certificate {pki.server.path}; ssl_certificate_key {pki.server.key_path};",
                   "ssl", backend=backend.port)
    with one.connect() as plain:
        client = ssl._create_unverified_context().wrap_socket(plain)
        assert log_in(client).startswith(b"a OK")
        client.close()
    _, _, found = decoded(backend.headers[0])
    assert 0x02 not in found and 0x01 not in found
    assert struct.unpack("!BI", found[0x20][:5]) == (1, 1)
    inner = types(found[0x20][5:])
    assert 0x22 not in inner and inner[0x25] == b"EC256"


@pytest.mark.parametrize("word, wanted", [("on", b"PROXY UNKNOWN\r\n"), ("v2", None)])
def test_a_client_of_a_unix_socket_has_no_address(server, imap_server, folder, word, wanted):
    backend = imap_server()
    service = ScriptedService(lambda request, number: ok(Auth_Server=HERE, Auth_Port=backend.port))
    server(f"auth_http {HERE}:{service.port}/; proxy_protocol {word}; server {{ listen unix:{folder}/s; protocol imap; }}")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        wait_until(lambda: client.connect_ex(f"{folder}/s") in (0, 106), "it listens")
        assert log_in(client).startswith(b"a OK")
    if wanted:
        assert backend.headers == [wanted]
    else:
        assert decoded(backend.headers[0])[:2] == (0, None)
    service.close()


def test_ipv6_and_mixed_families(balanced, imap_server):
    backend = imap_server()
    one = balanced(f"{TRUST} proxy_protocol on;", address="::1", backend=backend.port)
    ports = []
    for line in (b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n", b"PROXY UNKNOWN\r\n", LINE):
        with one.connect() as client:
            client.sendall(line)
            ports.append(client.getsockname()[1])
            assert log_in(client).startswith(b"a OK")
    assert backend.headers == [f"PROXY TCP6 2001:db8::7 ::1 1 {one.port}\r\n".encode(),
                               f"PROXY TCP6 ::1 ::1 {ports[1]} {one.port}\r\n".encode(),
                               f"PROXY TCP6 ::ffff:192.0.2.7 ::1 35646 {one.port}\r\n".encode()]


def test_the_header_goes_before_tls_to_the_server(balanced, imap_server, pki):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.server.path, pki.server.key_path)
    backend = imap_server(context)
    one = balanced(f"{TRUST} proxy_protocol on; proxy_ssl on; proxy_ssl_verify on; proxy_ssl_name mail.test; "
                   f"proxy_ssl_trusted_certificate {pki.authority.path};", backend=backend.port)
    with one.connect() as client:
        client.sendall(LINE)
        assert log_in(client).startswith(b"a OK")
    assert backend.headers == [f"PROXY TCP4 {REAL} {HERE} 35646 {one.port}\r\n".encode()]


@pytest.mark.parametrize("word", ["on", "v2"])
def test_dovecot_knows_the_client(server, dovecot, directory, account, word):
    port = free_port()
    directory.know(account)
    directory.ports["imap"] = dovecot.imap_haproxy_port
    server(f"auth_http {HERE}:{directory.port}/; {TRUST} proxy_protocol {word}; "
           f"server {{ listen {HERE}:{port} proxy_protocol; protocol imap; }}", [port])
    with connect(port) as client:
        client.sendall(LINE)
        lines = client.makefile("rb")
        lines.readline()
        client.sendall(f"a LOGIN {account.name} {account.password}\r\n".encode())
        assert lines.readline().startswith(b"a OK")
    wait_until(lambda: f"user=<{account.name}>, method=PLAIN, rip={REAL}" in dovecot.log(), "Dovecot logs the client")


@needs_haproxy
@pytest.mark.parametrize("protocol", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl", "send-proxy-v2-ssl-cn"])
def test_haproxy_in_front(balanced, folder, pki, protocol):
    one = balanced(f"{TRUST} proxy_protocol on;")
    with open(f"{folder}/both.pem", "w") as out:
        for path in (pki.server.path, pki.server.key_path):
            with open(path) as part:
                out.write(part.read())
    tls = f"ssl crt {folder}/both.pem" if "ssl" in protocol else ""
    balancer = HAProxy(folder, f"{HERE}:{one.port}", bind=tls, server=protocol)
    try:
        with socket.create_connection((HERE, balancer.port), 10, ("127.9.8.7", 0)) as client:
            source = client.getsockname()[1]
            if tls:
                client = ssl._create_unverified_context().wrap_socket(client)
            assert log_in(client).startswith(b"a OK")
            client.close()
    finally:
        balancer.stop()
    request = one.request()
    assert header(request, "Client-IP") == "127.9.8.7"
    assert header(request, "Proxy-Protocol-Addr") == "127.9.8.7"
    assert header(request, "Proxy-Protocol-Port") == str(source)
    assert header(request, "Proxy-Protocol-Server-Addr") == HERE
    assert header(request, "Proxy-Protocol-Server-Port") == str(balancer.port)


@needs_haproxy
@pytest.mark.parametrize("word", ["on", "v2"])
def test_haproxy_behind_understands_us(balanced, imap_server, folder, word):
    backend = imap_server()
    behind = HAProxy(folder, f"{HERE}:{backend.port}", bind="accept-proxy", server="send-proxy")
    try:
        one = balanced(f"{TRUST} proxy_protocol {word};", backend=behind.port)
        with one.connect() as client:
            client.sendall(LINE)
            assert log_in(client).startswith(b"a OK")
    finally:
        behind.stop()
    assert backend.headers == [f"PROXY TCP4 {REAL} {HERE} 35646 {one.port}\r\n".encode()]
