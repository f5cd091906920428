"""Every kind of address that "listen" takes, and which server gets a connection."""

import os
import socket

import pytest
from support.ports import connect, free_port, wait_until
from support.scripted_backend import ScriptedBackend
from support.scripted_service import ScriptedService, ok

MPTCP = 262  # IPPROTO_MPTCP, which Python 3.11 has no name for


def has_multipath():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP).close()
    except OSError:
        return False
    return True


def greeting(family, address):
    with socket.socket(family) as client:
        client.settimeout(5)
        client.connect(address)
        return client.recv(200)


def test_ipv6_unix_sockets_and_ranges(server, folder):
    port = free_port()
    path = os.path.join(folder, "mail.sock")
    proxy = server(f"auth_http 127.0.0.1:9/; server {{ listen [::1]:{port}; listen unix:{path}; protocol pop3; }} "
                   f"server {{ listen 127.0.0.1:{port}-{port + 1}; protocol imap; }}", [port], kind="postern")
    assert greeting(socket.AF_INET6, ("::1", port)) == b"+OK POP3 ready\r\n"
    assert greeting(socket.AF_UNIX, path) == b"+OK POP3 ready\r\n"
    assert os.stat(path).st_mode & 0o777 == 0o666
    for number in (port, port + 1):
        assert greeting(socket.AF_INET, ("127.0.0.1", number)) == b"* OK IMAP4 ready\r\n"
    wait_until(lambda: proxy.log_lines(rf"client \[::1\]:\d+ connected to \[::1\]:{port}"), "IPv6 is logged")
    wait_until(lambda: proxy.log_lines(rf"client unix: connected to unix:{path}"), "the UNIX client is logged")
    proxy.stop()
    assert not os.path.exists(path)


def test_a_unix_socket_that_was_left_over_is_replaced(server, folder):
    path = os.path.join(folder, "mail.sock")
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(path)
    port = free_port()
    server(f"auth_http 127.0.0.1:9/; server {{ listen unix:{path}; listen 127.0.0.1:{port}; protocol pop3; }}",
           [port], kind="postern")
    assert greeting(socket.AF_UNIX, path) == b"+OK POP3 ready\r\n"


def test_an_exact_address_goes_before_the_wildcard_of_its_port(server):
    port = free_port()
    server(f"auth_http 127.0.0.1:9/; server {{ listen {port}; protocol pop3; }} "
           f"server {{ listen 127.0.0.3:{port}; protocol imap; }}", [port], kind="postern")
    assert greeting(socket.AF_INET, ("127.0.0.2", port)) == b"+OK POP3 ready\r\n"
    assert greeting(socket.AF_INET, ("127.0.0.3", port)) == b"* OK IMAP4 ready\r\n"


def test_a_worker_without_connections_left_says_so(server):
    port = free_port()
    proxy = server(f"auth_http 127.0.0.1:9/; server {{ listen 127.0.0.1:{port}; protocol pop3; }}", [port],
                   kind="postern")
    proxy.stop()
    with open(proxy.configuration) as file:
        text = file.read().replace("worker_connections 4096", "worker_connections 4")
    with open(proxy.configuration, "w") as file:
        file.write(text)
    proxy.start()
    held = []
    try:
        for _ in range(8):
            held.append(connect(port))
        wait_until(lambda: proxy.log_lines(r"\[alert\].*4 worker_connections are not enough"), "it is logged")
        served = held[0]
        assert served.recv(100) == b"+OK POP3 ready\r\n"
        assert held[-1].recv(100) == b""
    finally:
        for client in held:
            client.close()


@pytest.mark.skipif(not has_multipath(), reason="the system has no multipath TCP")
def test_multipath_tcp_to_the_client(server):
    """A client of several paths is served and relayed, in bulk too, and so is one that knows only TCP."""
    port = free_port()
    backend = ScriptedBackend(lambda address: ("pop3", None))
    service = ScriptedService(lambda request, number: ok(),
                              lambda request: {"address": "127.0.0.1", "port": backend.port})
    try:
        server(f"auth_http 127.0.0.1:{service.port}/; server {{ listen 127.0.0.1:{port} multipath; protocol pop3; }}",
               [port], kind="postern")
        for protocol in (MPTCP, 0):
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol) as client:
                client.settimeout(10)
                client.connect(("127.0.0.1", port))
                if protocol == MPTCP:
                    assert client.getsockopt(socket.SOL_SOCKET, 38) == MPTCP  # SO_PROTOCOL
                lines = client.makefile("rb")
                assert lines.readline() == b"+OK POP3 ready\r\n"
                client.sendall(b"USER bob\r\nPASS pw\r\n")
                assert [lines.readline() for _ in range(2)] == [b"+OK\r\n", b"+OK backend knows you\r\n"]
                for number in range(40):
                    line = b"X" + b"%02d" % number * 20000
                    client.sendall(line + b"\r\n")
                    assert lines.readline() == b"+OK relayed " + line + b"\r\n"
                lines.close()
    finally:
        service.close()
        backend.close()
