"""`allow` and `deny` in a mail server: the first rule that matches decides. NGINX has them in http only."""

import socket

import pytest
from support.ports import connect, free_port

# What a denied client is told, by protocol.
DENIED = {"imap": "* BYE access denied\r\n", "pop3": "-ERR access denied\r\n", "smtp": "554 5.7.1 Access denied\r\n"}
GREETING = {"imap": "* OK IMAP4 ready\r\n", "pop3": "+OK POP3 ready\r\n", "smtp": "220 mail.test ESMTP ready\r\n"}
RULES = "allow 127.0.0.2; deny 127.0.0.0/30; allow 127.1.0.0/16; deny all;"


@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
@pytest.mark.parametrize("source, allowed", [("127.0.0.1", False), ("127.0.0.2", True), ("127.0.0.3", False),
                                             ("127.0.0.4", False), ("127.1.255.255", True), ("127.2.0.0", False)])
def test_first_match_decides(server, protocol, source, allowed):
    port = free_port()
    proxy = server(f"server_name mail.test; auth_http 127.0.0.1:{free_port()}/; {RULES} server {{ listen 127.0.0.1:{port}; protocol {protocol}; }}", [port])
    with connect(port, source=source) as client:
        assert client.recv(200).decode() == (GREETING if allowed else DENIED)[protocol]
        if not allowed:
            assert client.recv(1) == b""
    forbidden = proxy.log_lines(r"\[error\].*access forbidden by rule.*client: " + source)
    assert len(forbidden) == (0 if allowed else 1)


def test_server_rules_replace_those_of_mail(server):
    port = free_port()
    server(f"auth_http 127.0.0.1:{free_port()}/; deny all; server {{ listen 127.0.0.1:{port}; protocol pop3; allow all; }}", [port])
    with connect(port) as client:
        assert client.recv(200) == b"+OK POP3 ready\r\n"


def test_ipv6_and_unix(server, folder):
    port, path = free_port(), f"{folder}/socket"
    server(f"auth_http 127.0.0.1:{free_port()}/; "
           f"server {{ listen [::1]:{port}; listen unix:{path}; protocol pop3; deny ::1; allow unix:; deny all; }}", [port])
    with socket.create_connection(("::1", port), timeout=10) as client:
        assert client.recv(200).decode() == DENIED["pop3"]
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(path)
        assert client.recv(200) == b"+OK POP3 ready\r\n"
