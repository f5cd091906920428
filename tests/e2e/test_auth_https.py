"""The authentication service behind https."""

import imaplib
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.flask_auth import FlaskAuth
from support.ports import connect, free_port, wait_until
from support.scripted_service import ScriptedService, header, refusal
from support.tls_backend import shake_hands

SECRET = "Tr0ub4dor-and-3-horses"


class SecureService(ScriptedService):
    """A scripted service under TLS."""

    def __init__(self, certificate, answer, authority=None, required=False, version=None, ciphers=None):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if version:
            self._context.set_ciphers((ciphers or "DEFAULT") + ":@SECLEVEL=0")
            self._context.minimum_version = self._context.maximum_version = version
        self._context.load_cert_chain(certificate.path, certificate.key_path)
        if authority:
            self._context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
            self._context.load_verify_locations(authority.path)
        self.asked, self.resumed, self.certificates, self.failures, self.connections = [], [], [], [], 0
        self._context.sni_callback = lambda connection, name, context: self.asked.append(name)
        super().__init__(lambda request, number: answer)

    def _serve(self, connection):
        self.connections += 1
        connection.settimeout(10)
        try:
            secure = shake_hands(self._context, connection)
        except OSError as error:
            self.failures.append(str(error))
            connection.close()
            return
        self.resumed.append(secure.session_reused)
        self.certificates.append(secure.getpeercert())
        super()._serve(secure)


@pytest.fixture
def service():
    made = []

    def make(*arguments, **options):
        made.append(SecureService(*arguments, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def front(server):
    def make(port, directives, host="127.0.0.1"):
        listen = free_port()
        proxy = server(f"auth_http https://{host}:{port}/auth; {directives} "
                       f"server {{ listen 127.0.0.1:{listen}; protocol imap; }}", [listen])
        proxy.listen = listen
        return proxy
    return make


def log_in(proxy):
    with connect(proxy.listen) as client:
        lines = client.makefile("rb")
        lines.readline()
        client.sendall(f"a LOGIN bob {SECRET}\r\n".encode())
        return lines.readline()


def trusting(pki):
    return f"auth_http_ssl_trusted_certificate {pki.authority.path};"


NO = refusal("no such luck")
INTERNAL = b"* BAD internal server error\r\n"


def test_the_guides_service_behind_https(server, dovecot, pki, folder):
    account = dovecot.account()
    flask = FlaskAuth(folder, dovecot.imap_port, dovecot.pop3_port, dovecot.submission_port, pki.server)
    try:
        port = free_port()
        server(f"auth_http https://localhost:{flask.port}/mail/auth; {trusting(pki)} "
               f"server {{ listen 127.0.0.1:{port}; protocol imap; }}", [port])
        client = imaplib.IMAP4("127.0.0.1", port, timeout=20)
        client.login(account.name, account.password)
        assert client.select() == ("OK", [b"3"])
        client.logout()
    finally:
        flask.stop()


def test_a_good_certificate_is_believed(front, service, pki):
    secure = service(pki.server, NO)
    proxy = front(secure.port, trusting(pki), host="localhost")
    assert log_in(proxy) == b"a NO no such luck\r\n"
    assert secure.asked == ["localhost"]
    assert header(secure.requests()[0], "Host") == "localhost"


def test_an_address_is_never_asked_for_by_name(front, service, pki):
    secure = service(pki.server, NO)
    assert log_in(front(secure.port, trusting(pki))) == b"a NO no such luck\r\n"
    assert secure.asked == [None]


@pytest.mark.parametrize("case", ["wrong name", "expired", "self-signed", "unknown authority", "revoked", "system's authorities"])
def test_a_bad_certificate_is_told_nothing(front, service, pki, case):
    certificate, directives, said = {
        "wrong name": (pki.wrong_name, trusting(pki), r'SSL certificate does not match "localhost"'),
        "expired": (pki.expired, trusting(pki), r"SSL certificate verify error: \(10:certificate has expired\)"),
        "self-signed": (pki.self_signed, trusting(pki), r"SSL certificate verify error: \(18:self-signed certificate\)"),
        "unknown authority": (pki.unknown, trusting(pki), r"SSL certificate verify error: \(2[01]:"),
        "revoked": (pki.revoked, trusting(pki) + f"auth_http_ssl_crl {pki.crl};",
                    r"SSL certificate verify error: \(23:certificate revoked\)"),
        "system's authorities": (pki.server, "", r"SSL certificate verify error: \(2[01]:"),
    }[case]
    secure = service(certificate, NO)
    proxy = front(secure.port, directives, host="localhost")
    assert log_in(proxy) == INTERNAL
    assert secure.requests() == []
    wait_until(lambda: proxy.log_lines(rf"\[error\] .*auth http server \S+:{secure.port} {said}"), proxy.log())
    assert SECRET not in proxy.log()


@pytest.mark.parametrize("options, directives", [
    ({"version": ssl.TLSVersion.TLSv1_1}, ""),
    ({"version": ssl.TLSVersion.TLSv1_2}, "auth_http_ssl_protocols TLSv1.3;"),
    ({"version": ssl.TLSVersion.TLSv1_2, "ciphers": "AES128-SHA"}, "auth_http_ssl_ciphers ECDHE+AESGCM;")])
def test_a_weak_service_is_told_nothing(front, service, pki, options, directives):
    secure = service(pki.server_rsa, NO, **options)
    proxy = front(secure.port, trusting(pki) + directives)
    assert log_in(proxy) == INTERNAL
    wait_until(lambda: proxy.log_lines(r"\[error\] .*auth http server \S+: SSL_do_handshake\(\) failed"), proxy.log())
    assert secure.requests() == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_service_that_wants_our_certificate_and_gets_none(front, service, pki, version):
    secure = service(pki.server, NO, authority=pki.authority, required=True, version=version)
    proxy = front(secure.port, trusting(pki))
    assert log_in(proxy) == INTERNAL
    # With TLS 1.3 our side of the handshake is over before the service looks (RFC 8446 section 4.4.2.4).
    wait_until(lambda: proxy.log_lines(r"\[error\] .*auth http server \S+: SSL_\w+\(\) failed \(SSL: .*alert"), proxy.log())
    assert secure.requests() == []
    assert SECRET not in proxy.log()


def test_a_service_that_hangs_up_in_the_handshake(front, pki):
    heard = []

    def hang_up(listener):
        peer, _ = listener.accept()
        with peer:
            heard.append(peer.recv(10))  # of the ClientHello
    with socket.create_server(("127.0.0.1", 0)) as rude:
        thread = threading.Thread(target=hang_up, args=(rude,))
        thread.start()
        proxy = front(rude.getsockname()[1], trusting(pki))
        assert log_in(proxy) == INTERNAL
        thread.join(10)
    assert heard[0][0] == 0x16  # RFC 8446 section 5.1: a handshake
    wait_until(lambda: proxy.log_lines(
        r"\[error\] .*auth http server \S+: (peer closed connection in SSL handshake|recv\(\) failed)"), proxy.log())


def test_any_certificate_will_do_where_that_is_written(front, service, pki):
    secure = service(pki.expired, NO)
    assert log_in(front(secure.port, "auth_http_ssl_verify off;")) == b"a NO no such luck\r\n"


def test_the_name_may_be_another(front, service, pki):
    secure = service(pki.wrong_name, NO)
    proxy = front(secure.port, trusting(pki) + "auth_http_ssl_name elsewhere.test;")
    assert log_in(proxy) == b"a NO no such luck\r\n"
    assert secure.asked == ["elsewhere.test"]


def test_our_certificate_is_shown(front, service, pki):
    secure = service(pki.server, NO, authority=pki.authority)
    log_in(front(secure.port, trusting(pki) + f"auth_http_ssl_certificate {pki.client.path}; "
                 f"auth_http_ssl_certificate_key {pki.client.key_path};"))
    assert (("commonName", "bob x"),) in secure.certificates[0]["subject"]


def test_a_service_that_stalls_in_the_handshake_is_timed_out(front, pki):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = front(silent.getsockname()[1], trusting(pki) + "auth_http_timeout 300ms;")
        assert log_in(proxy) == INTERNAL
    wait_until(lambda: proxy.log_lines(r"auth http server \S+ timed out \(110: Connection timed out\)"), proxy.log())


def test_plain_http_is_no_https(front, pki):
    plain = ScriptedService(lambda request, number: NO)
    proxy = front(plain.port, trusting(pki) + "auth_http_timeout 1s;")
    assert log_in(proxy) == INTERNAL
    assert all(SECRET.encode() not in request for request in plain.requests())
    plain.close()


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("directives, expected", [("", [False, True]), ("auth_http_ssl_session_reuse off;", [False, False])])
def test_sessions_are_resumed(front, service, pki, directives, expected, version):
    secure = service(pki.server, NO)
    proxy = front(secure.port, trusting(pki) + f"auth_http_ssl_protocols {version};" + directives)
    for _ in range(2):
        assert log_in(proxy) == b"a NO no such luck\r\n"
    assert secure.resumed == expected


def test_connections_are_kept_under_tls(front, pki):
    connections = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            connections.add(self.client_address)
            self.send_response(200)
            self.send_header("Auth-Status", "no such luck")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *arguments):
            pass
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.server.path, pki.server.key_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as program:
        program.daemon_threads = True
        program.socket = context.wrap_socket(program.socket, server_side=True)
        threading.Thread(target=program.serve_forever, daemon=True).start()
        proxy = front(program.server_address[1], trusting(pki) + "auth_http_keepalive 2;")
        for _ in range(5):
            assert log_in(proxy) == b"a NO no such luck\r\n"
        proxy.stop()
        program.shutdown()
    assert len(connections) == 1
