"""Logins at IMAP servers that take literals without being asked (RFC 7888), which NGINX never sends."""

import pytest
from support.ports import connect, free_port, wait_until
from support.scripted_backend import ScriptedBackend
from support.scripted_service import ScriptedService, ok

WITH_LITERALS = b"* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ AUTH=PLAIN] ready\r\n"
IN_ONE_PIECE = [b"x7 LOGIN {3+}\r\n", b"bob {2+}\r\n", b"pw\r\n"]
IN_TURNS = [b"x7 LOGIN {3}\r\n", b"bob {2}\r\n", b"pw\r\n"]


@pytest.fixture
def log_in(server):
    """log_in(replies): what the client hears, the proxy, and the lines that the mailbox server heard."""
    parts = []

    def run(replies):
        backend = ScriptedBackend(lambda address: ("imap", replies))
        service = ScriptedService(lambda request, number: ok(), lambda request: {"address": "127.0.0.1", "port": backend.port})
        parts.extend((backend, service))
        port = free_port()
        proxy = server(f"auth_http 127.0.0.1:{service.port}/; server {{ listen 127.0.0.1:{port}; protocol imap; }}", [port])
        with connect(port) as client, client.makefile("rb") as lines:
            lines.readline()
            client.sendall(b"x7 LOGIN bob pw\r\n")
            heard = lines.readline()
        connection = backend.connections("127.0.0.1")[0]
        assert connection.ended.wait(10)
        return heard, proxy, connection

    yield run
    for part in parts:
        part.close()


def test_the_login_goes_in_one_piece(log_in):
    heard, proxy, backend = log_in([WITH_LITERALS, b"", b"", b"{tag} OK backend knows you\r\n"])
    assert heard == b"x7 OK backend knows you\r\n"
    assert backend.lines == IN_ONE_PIECE
    assert backend.early  # nothing was waited for


def test_a_refusal_is_told_and_logged_as_ever(log_in):
    heard, proxy, backend = log_in([WITH_LITERALS, b"", b"", b"{tag} NO [AUTHENTICATIONFAILED] no\r\n"])
    assert heard == b"* BAD internal server error\r\n"
    assert backend.lines == IN_ONE_PIECE
    said = 'upstream sent invalid response: "x7 NO \\[AUTHENTICATIONFAILED\\] no" while reading response from upstream'
    wait_until(lambda: proxy.log_lines(said), "the reason is logged")


def test_a_server_that_asks_all_the_same_is_not_believed(log_in):
    heard, proxy, backend = log_in([WITH_LITERALS, b"+ go on\r\n", b"", b""])
    assert heard == b"* BAD internal server error\r\n"
    wait_until(lambda: proxy.log_lines(r'invalid response: "\+ go on"'), "the reason is logged")


@pytest.mark.parametrize("greeting", [b"* OK LITERAL+ ready\r\n", b"* OK [CAPABILITY IMAP4rev1] LITERAL+\r\n",
                                      b"* OK ready\r\n* OK [CAPABILITY LITERAL+]\r\n"])
def test_who_does_not_list_it_in_the_greeting_asks_for_each_part(log_in, greeting):
    heard, _, backend = log_in([greeting, b"+ \r\n", b"+ \r\n", b"{tag} OK in\r\n"])
    assert heard == b"x7 OK in\r\n"
    assert backend.lines == IN_TURNS
    assert not backend.early
