"""What is logged at level debug, and for whom."""

import os
import socket

import pytest
from support.ports import connect, free_port, wait_until


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
    wait_until(lambda: os.path.exists(path), "the socket is there")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(path)
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
