"""The name of an SMTP client: looked up, confirmed, and never trusted further than that."""

import socket
import time

import pytest
from support.ports import connect, free_port, wait_until
from support.scripted_dns import A, AAAA, NXDOMAIN, PTR, REFUSED, SERVFAIL, ScriptedDns, name_bytes
from support.scripted_service import ScriptedService, refusal

REVERSE = ("1.0.0.127.in-addr.arpa", PTR)
HOME = socket.inet_aton("127.0.0.1")
AWAY = socket.inet_aton("192.0.2.1")

CASES = {
    "confirmed": ({REVERSE: [name_bytes("mx.example.org")], ("mx.example.org", A): [AWAY, HOME]}, "mx.example.org", None),
    "no name": ({REVERSE: NXDOMAIN}, "[UNAVAILABLE]", r"127\.0\.0\.1 could not be resolved \(3: Host not found\)"),
    "DNS fails": ({REVERSE: SERVFAIL}, "[TEMPUNAVAIL]",
                  r"127\.0\.0\.1 could not be resolved \(2: Server failure\) while in resolving client address, client: 127"),
    "DNS fails for the name": ({REVERSE: [name_bytes("mx.example.org")], ("mx.example.org", A): SERVFAIL}, "[TEMPUNAVAIL]",
                               r'"mx\.example\.org" could not be resolved \(2: Server failure\) while in resolving client hostname'),
    "DNS refuses": ({REVERSE: REFUSED}, "[TEMPUNAVAIL]", r"127\.0\.0\.1 could not be resolved \(5: Operation refused\)"),
    "empty answer": ({}, "[UNAVAILABLE]", r"127\.0\.0\.1 could not be resolved \(3: Host not found\)"),
    "no answer for the name": ({REVERSE: [name_bytes("mx.example.org")], ("mx.example.org", A): None}, "[TEMPUNAVAIL]",
                               r'"mx\.example\.org" could not be resolved \(110: Operation timed out\)'),
    "first of two names": ({REVERSE: [name_bytes("mx.example.org"), name_bytes("two.example.org")],
                            ("two.example.org", A): [HOME]}, "[UNAVAILABLE]", r'"mx\.example\.org" could not'),
    "long answer": ({REVERSE: [name_bytes("mx.example.org")], ("mx.example.org", A): [AWAY] * 40 + [HOME]}, "mx.example.org", None),
    "an address as name": ({REVERSE: [name_bytes("127.0.0.1")], ("127.0.0.1", A): [HOME]}, "[UNAVAILABLE]",
                           r'127\.0\.0\.1 resolved to invalid host name "127\.0\.0\.1"'),
    "no answer": ({REVERSE: None}, "[TEMPUNAVAIL]", r"127\.0\.0\.1 could not be resolved \(110: Operation timed out\)"),
    "not its name": ({REVERSE: [name_bytes("mx.example.org")], ("mx.example.org", A): [AWAY]}, "[UNAVAILABLE]", None),
    "name without address": ({REVERSE: [name_bytes("mx.example.org")], ("mx.example.org", A): NXDOMAIN},
                             "[UNAVAILABLE]", r'"mx\.example\.org" could not be resolved \(3: Host not found\)'),
    "line break in the name": ({REVERSE: [name_bytes([b"mx\r\nAuth-Status: OK", b"org"])]}, "[TEMPUNAVAIL]",
                               r"127\.0\.0\.1 resolved to invalid host name "),
    "space in the name": ({REVERSE: [name_bytes([b"mx LOGIN=root", b"org"])]}, "[TEMPUNAVAIL]", r"127\.0\.0\.1 resolved to invalid host name "),
}


@pytest.mark.parametrize("case", CASES)
def test_client_host(server, case):
    answers, expected, logged = CASES[case]
    dns = ScriptedDns(answers)
    service = ScriptedService(lambda raw, number: refusal("no"))
    try:
        port = free_port()
        proxy = server(f"auth_http 127.0.0.1:{service.port}/; resolver 127.0.0.1:{dns.port} ipv6=off; resolver_timeout 1s; "
                       f"server {{ listen 127.0.0.1:{port}; protocol smtp; }}", [port], kind="postern")
        with connect(port) as client:
            assert client.recv(200).startswith(b"220 ")
            client.sendall(b"AUTH PLAIN AGJvYgBwdw==\r\n")
            assert client.recv(200) == b"535 5.7.0 no\r\n"
        request = next(raw for raw in service.requests() if b"Auth-User: bob" in raw)
        hosts = [line for line in request.split(b"\r\n") if line.startswith(b"Client-Host:")]
        assert hosts == [b"Client-Host: " + expected.encode()]
        assert request.count(b"Auth-Status") == 0
        if logged:
            wait_until(lambda: proxy.log_lines(rf"\[error\].*{logged}"), "the reason is logged")
    finally:
        dns.close()
        service.close()


def test_client_host_of_an_ipv6_client(server):
    reverse = ".".join("1" + "0" * 31) + ".ip6.arpa"
    dns = ScriptedDns({(reverse, PTR): [name_bytes("six.example.org")],
                       ("six.example.org", AAAA): [socket.inet_pton(socket.AF_INET6, "::1")]})
    service = ScriptedService(lambda raw, number: refusal("no"))
    try:
        port = free_port()
        server(f"auth_http 127.0.0.1:{service.port}/; resolver 127.0.0.1:{dns.port}; "
               f"server {{ listen [::1]:{port}; listen 127.0.0.1:{port}; protocol smtp; }}", [port], kind="postern")
        with socket.create_connection(("::1", port), timeout=10) as client:
            assert client.recv(200).startswith(b"220 ")
            client.sendall(b"AUTH PLAIN AGJvYgBwdw==\r\n")
            assert client.recv(200) == b"535 5.7.0 no\r\n"
        request = next(raw for raw in service.requests() if b"Auth-User: bob" in raw)
        assert b"\r\nClient-IP: ::1\r\nClient-Host: six.example.org\r\n" in request
    finally:
        dns.close()
        service.close()


def greeted(port):
    with connect(port) as client:
        assert client.recv(200).startswith(b"220 ")


def test_the_next_server_is_asked_and_answers_are_kept(server):
    silent = ScriptedDns({REVERSE: None, ("mx.example.org", A): None})
    broken = ScriptedDns({REVERSE: SERVFAIL, ("mx.example.org", A): SERVFAIL})
    good = ScriptedDns({REVERSE: [name_bytes("mx.example.org")], ("mx.example.org", A): [HOME]}, ttl=0)
    service = ScriptedService(lambda raw, number: refusal("no"))
    try:
        port = free_port()
        proxy = server(f"auth_http 127.0.0.1:{service.port}/; "
                       f"resolver 127.0.0.1:{silent.port} 127.0.0.1:{broken.port} 127.0.0.1:{good.port} ipv6=off valid=1h; "
                       f"server {{ listen 127.0.0.1:{port}; protocol smtp; }}", [port], kind="postern")
        for _ in range(4):
            greeted(port)
        assert not proxy.log_lines("could not be resolved")
        assert good.questions == [REVERSE, ("mx.example.org", A)]
        assert silent.count(*REVERSE) + broken.count(*REVERSE) >= 1
    finally:
        for one in (silent, broken, good, service):
            one.close()


def test_no_session_waits_longer_than_its_limits(server):
    dns = ScriptedDns({REVERSE: None})
    service = ScriptedService(lambda raw, number: refusal("no"))
    try:
        port = free_port()
        server(f"auth_http 127.0.0.1:{service.port}/; resolver 127.0.0.1:{dns.port}; resolver_timeout 300ms; "
               f"server {{ listen 127.0.0.1:{port}; protocol smtp; }}", [port], kind="postern")
        began = time.monotonic()
        greeted(port)
        assert 0.25 < time.monotonic() - began < 1.5
    finally:
        dns.close()
        service.close()
