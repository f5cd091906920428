"""What Postern mends where a transcript can't be compared, because NGINX loops, hangs or is silent."""

import socket
import threading
import time

import pytest
from support.ports import connect, free_port, wait_until
from support.scripted_backend import CLOSE, ScriptedBackend
from support.scripted_service import Answer, ScriptedService, ok, refusal


@pytest.fixture(autouse=True)
def only_postern(request):
    if request.config.getoption("--proxy") == "nginx":
        pytest.skip("these are what NGINX does not do")


@pytest.fixture
def front(server):
    """front(answers, replies, directives): a POP3 proxy; returns a client that has read the greeting."""
    parts = []

    def start(choose, replies=None, directives=""):
        backend = ScriptedBackend(lambda address: ("pop3", replies))
        service = ScriptedService(choose, lambda request: {"address": "127.0.0.1", "port": backend.port})
        port = free_port()
        proxy = server(f"auth_http 127.0.0.1:{service.port}/; {directives} server {{ listen 127.0.0.1:{port}; protocol pop3; }}", [port])
        client = connect(port)
        lines = client.makefile("rb")
        assert lines.readline().startswith(b"+OK")
        parts.append((client, lines, service, backend))
        return client, lines, service, proxy

    yield start
    for client, lines, service, backend in parts:
        lines.close()
        client.close()
        service.close()
        backend.close()


def log_in(client, lines):
    client.sendall(b"USER bob\r\nPASS pw\r\n")
    assert lines.readline() == b"+OK\r\n"
    return lines.readline()


def test_wait_without_a_time_means_one_second_and_ends(front):
    client, lines, service, _ = front(lambda request, number: ok() if number else Answer.of(Auth_Status="WAIT"))
    begin = time.monotonic()
    assert log_in(client, lines) == b"+OK backend knows you\r\n"
    assert 0.9 < time.monotonic() - begin < 5
    assert len(service.requests()) == 2


def test_answer_and_end_in_one_packet(front):
    """The service's last bytes and its FIN arrive together, and the head is incomplete."""
    answer = Answer(b"HTTP/1.0 200 OK\r\nAuth-Sta", ending="at once")
    client, lines, _, proxy = front(lambda request, number: answer)
    assert log_in(client, lines) == b"-ERR internal server error\r\n"
    assert wait_until(lambda: proxy.log_lines(r"\[error\].*auth http server"), "the reason is logged")


def test_answer_that_is_far_too_long_is_refused_and_logged(front):
    client, lines, _, proxy = front(lambda request, number: Answer(b"HTTP/1.0 200 OK\r\nX-Long: " + b"x" * (1 << 20) + b"\r\n\r\n"))
    assert log_in(client, lines) == b"-ERR internal server error\r\n"
    logged = wait_until(lambda: proxy.log_lines(r"\[error\].*auth http server"), "the reason is logged")
    assert len(logged[0]) < 2100


def test_backend_that_hangs_up_is_logged(front):
    client, lines, _, proxy = front(lambda request, number: ok(), [(b"+OK hi\r\n", CLOSE)])
    assert log_in(client, lines) == b"-ERR internal server error\r\n"
    assert wait_until(lambda: proxy.log_lines(r"\[error\].*upstream"), "the reason is logged")


def test_command_and_end_in_one_packet(front):
    """A client that says QUIT and shuts at once is answered and let go at once."""
    client, lines, _, _ = front(lambda request, number: refusal())
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # the FIN goes with the data
    client.sendall(b"NOOP\r\n")
    client.shutdown(socket.SHUT_WR)
    begin = time.monotonic()
    assert lines.readline() == b"+OK\r\n"
    assert lines.readline() == b""
    assert time.monotonic() - begin < 5


def test_service_whose_name_is_unknown_is_no_reason_not_to_start(server):
    port = free_port()
    proxy = server(f"auth_http nowhere.invalid:9000/auth; server {{ listen 127.0.0.1:{port}; protocol pop3; }}", [port])
    with connect(port, timeout=40) as client:
        lines = client.makefile("rb")
        lines.readline()
        client.sendall(b"USER bob\r\nPASS pw\r\n")
        assert lines.readline() == b"+OK\r\n"
        assert lines.readline() == b"-ERR internal server error\r\n"
    assert "nowhere.invalid" in proxy.log() + proxy.program.text()


def test_no_source_of_users_is_named(folder, server):
    proxy = server(f"server {{ listen 127.0.0.1:{free_port()}; protocol pop3; }}", start=False)
    ran = proxy.run("-t")
    assert ran.returncode == 1
    assert "auth_http" in ran.stderr and "auth_file" in ran.stderr


def test_kept_connections_to_the_service(server):
    """auth_http_keepalive: one HTTP/1.1 connection serves many logins."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen = []

    def serve(peer):
        with peer:
            while True:
                raw = b""
                while b"\r\n\r\n" not in raw:
                    data = peer.recv(65536)
                    if not data:
                        return
                    raw += data
                seen.append((peer.getpeername()[1], raw))
                peer.sendall(b"HTTP/1.1 200 OK\r\nAuth-Status: no\r\nAuth-Wait: 0\r\nContent-Length: 2\r\n\r\nno")

    def accept():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(peer,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port = free_port()
    server(f"auth_http 127.0.0.1:{listener.getsockname()[1]}/; auth_http_keepalive 2; server {{ listen 127.0.0.1:{port}; protocol pop3; }}", [port])
    for _ in range(10):
        with connect(port) as client:
            lines = client.makefile("rb")
            lines.readline()
            assert log_in(client, lines) == b"-ERR no\r\n"
    listener.close()
    assert len(seen) == 10
    assert len({source for source, _ in seen}) == 1
    assert all(b" HTTP/1.1\r\n" in raw.split(b"\n")[0] + b"\n" for _, raw in seen)


def test_mail_without_a_login_has_no_credentials_of_a_failed_one(server):
    """NGINX keeps MAIL over a failed AUTH, as we do, but sends that login and password with the RCPT."""
    service = ScriptedService(lambda request, number: refusal("no", Auth_Wait=1))
    try:
        port = free_port()
        server(f"auth_http 127.0.0.1:{service.port}/; smtp_auth plain none; xclient off; "
               f"server {{ listen 127.0.0.1:{port}; protocol smtp; }}", [port])
        with connect(port) as client:
            lines = client.makefile("rb")
            lines.readline()
            for line, reply in ((b"MAIL FROM:<a@b.c>", b"250 2.0.0 OK\r\n"), (b"AUTH PLAIN AGJvYgBzM2NyZXQ=", b"535 5.7.0 no\r\n"),
                                (b"RCPT TO:<d@e.f>", b"535 5.7.0 no\r\n")):
                client.sendall(line + b"\r\n")
                assert lines.readline() == reply
        first, second = service.requests()
        assert b"Auth-User: bob\r\nAuth-Pass: s3cret\r\n" in first
        assert b"Auth-Method: none\r\nAuth-User: \r\nAuth-Pass: \r\n" in second and b"From: MAIL FROM:<a@b.c>\r\n" in second
    finally:
        service.close()
