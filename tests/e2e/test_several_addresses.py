"""Authentication services and mailbox servers that have names: all their addresses are tried, again when
they move, and no address that is silent takes all the time."""

import contextlib
import socket
import time

import pytest
from support.backend_front import trusting
from support.ports import connect, free_port, wait_until
from support.scripted_backend import CLOSE, HANG, ScriptedBackend
from support.scripted_dns import A, AAAA, NXDOMAIN, SERVFAIL, ScriptedDns
from support.scripted_service import Answer, ScriptedService, ok
from support.silent_address import SilentAddress
from support.tls_backend import TlsBackend

AUTH, MAIL = "auth.example.test", "mail.example.test"
FAILED = b"* BAD internal server error\r\n"
LOGGED_IN = b"a OK"
NOBODY = "127.0.55.1"   # nobody listens there: connections are refused
SILENT = "127.0.55.2"
HERE = "127.0.0.1"


class Only(ScriptedBackend):
    """A backend at one address."""

    def __init__(self, host):
        super().__init__(lambda address: ("imap", None), host)


def four(*addresses):
    return [socket.inet_aton(address) for address in addresses]


class World:
    """The proxy, DNS, a service on 127.0.0.1 and a backend on all of 127.0.0.0/8. Who is to be found by name
    says what DNS knows: `auth` and `mail`, (A records, AAAA records)."""

    def __init__(self, server, auth=None, mail=None, directives="", ttl=300, backend=None, limits="10s", answer=None):
        self.backend = backend or ScriptedBackend(lambda address: ("imap", None))
        self.service = ScriptedService(lambda request, number: answer or self.right())
        self.mail_host = MAIL if mail else HERE
        self.dns = ScriptedDns({}, ttl)
        self.know(AUTH, auth)
        self.know(MAIL, mail)
        self.port = free_port()
        self.proxy = server(f"auth_http http://{AUTH if auth else HERE}:{self.service.port}/auth; resolver 127.0.0.1:{self.dns.port}; auth_http_timeout {limits}; timeout {limits}; "
                            f"{directives} server {{ listen 127.0.0.1:{self.port}; protocol imap; }}", [self.port], kind="postern")

    def know(self, name, records):
        for kind, values in zip((A, AAAA), records or ([], [])):
            self.dns.answers[(name, kind)] = values

    def right(self):
        return ok(Auth_Server=self.mail_host, Auth_Port=self.backend.port)

    def log_in(self):
        """What the client hears, and how long that took."""
        with connect(self.port, timeout=30) as client:
            lines = client.makefile("rb")
            lines.readline()
            began = time.monotonic()
            client.sendall(b"a LOGIN bob secret\r\n")
            return lines.readline(), time.monotonic() - began

    def visits(self, address):
        return len(self.backend.connections(address))

    def errors(self, pattern=""):
        return self.proxy.log_lines(rf"\[error\].*{pattern}")

    def close(self):
        self.dns.close()
        self.service.close()
        self.backend.close()


@pytest.fixture
def world(server):
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(contextlib.closing(World(server, **options)))


@pytest.fixture
def silent():
    with contextlib.ExitStack() as stack:
        yield lambda port: stack.enter_context(contextlib.closing(SilentAddress(SILENT, port)))


# The authentication service


def test_the_services_second_address_is_tried(world):
    one = world(auth=(four(NOBODY, HERE), []))
    assert one.log_in()[0].startswith(LOGGED_IN)
    assert len(one.errors()) == 1
    assert one.errors(rf"connect\(\) to {NOBODY}:\d+ failed \(111: Connection refused\) while in http auth state")


def test_an_address_that_failed_is_tried_last_for_a_while(world):
    one = world(auth=(four(NOBODY, HERE), []))
    for _ in range(4):
        assert one.log_in()[0].startswith(LOGGED_IN)
    assert len(one.errors(NOBODY)) == 1


def test_both_families_are_tried(world):
    one = world(auth=(four(NOBODY), [socket.inet_pton(socket.AF_INET6, "::1")]))
    assert one.log_in()[0] == FAILED  # the service listens on 127.0.0.1 alone
    assert one.errors(rf"connect\(\) to {NOBODY}:\d+ failed")
    assert one.errors(r"connect\(\) to \[::1\]:\d+ failed \(111: Connection refused\) while in http auth state")


def test_a_silent_address_of_the_service_takes_its_share_alone(world, silent):
    one = world(auth=(four(SILENT, HERE), []), limits="3s")
    silent(one.service.port)
    heard, seconds = one.log_in()
    assert heard.startswith(LOGGED_IN) and 1.3 < seconds < 2.6
    assert one.errors(rf"auth http server {SILENT}:\d+ timed out \(110: Connection timed out\) while in http auth state")
    heard, seconds = one.log_in()
    assert heard.startswith(LOGGED_IN) and seconds < 1


def test_all_addresses_together_take_no_longer_than_the_limit(world, silent):
    one = world(auth=(four(NOBODY, SILENT, "127.0.55.3"), []), limits="2s")
    silent(one.service.port)
    heard, seconds = one.log_in()
    assert heard == FAILED and 0.8 < seconds < 2.5
    for address in (NOBODY, SILENT, "127.0.55.3"):
        assert one.errors(address)


def test_a_service_that_was_asked_is_not_asked_again_elsewhere(world):
    one = world(auth=(four(HERE, NOBODY), []), answer=Answer())
    assert one.log_in()[0] == FAILED
    assert len(one.service.requests()) == 1 and not one.errors(NOBODY)


def test_a_service_that_moves_is_found_again(world):
    one = world(auth=(four(NOBODY), []), ttl=1)
    assert one.log_in()[0] == FAILED
    one.know(AUTH, (four(HERE), []))
    wait_until(lambda: one.log_in()[0].startswith(LOGGED_IN), "the new address is known")
    assert one.dns.count(AUTH, A) >= 2


def test_a_service_whose_name_is_not_known_yet(world):
    one = world(auth=(NXDOMAIN, NXDOMAIN))
    assert one.log_in()[0] == FAILED
    assert one.errors(rf'auth http server "{AUTH}" could not be resolved \(3: Host not found\) while in http auth state')
    one.know(AUTH, (four(HERE), []))  # failures are not kept
    assert one.log_in()[0].startswith(LOGGED_IN)


def test_the_service_is_found_while_dns_is_broken(world):
    one = world(auth=(four(HERE), []), ttl=1)
    assert one.log_in()[0].startswith(LOGGED_IN)
    one.know(AUTH, (SERVFAIL, SERVFAIL))
    asked = one.dns.count(AUTH, A)
    wait_until(lambda: one.log_in()[0].startswith(LOGGED_IN) and one.dns.count(AUTH, A) > asked, "DNS was asked again")
    assert not one.errors()


def test_services_and_mailboxes_at_unix_sockets(server, folder):
    port, auth, mail = free_port(), f"{folder}/auth", f"{folder}/mail"
    proxy = server(f"auth_http unix:{auth}:/auth; server {{ listen 127.0.0.1:{port}; protocol imap; }}", [port], kind="postern")

    def log_in():
        with connect(port) as client:
            client.sendall(b"a LOGIN bob secret\r\n")
            return client.makefile("rb").read().splitlines(keepends=True)[1]

    assert log_in() == FAILED
    assert proxy.log_lines(rf"\[crit\] .*connect\(\) to unix:{auth} failed \(2: No such file or directory\) while in http auth state")
    service = ScriptedService(lambda request, number: ok(Auth_Server=f"unix:{mail}", Auth_Port=1), path=auth)
    try:
        assert log_in() == FAILED
        assert proxy.log_lines(rf"\[crit\] .*connect\(\) to unix:{mail} failed \(2: No such file or directory\) while connecting to upstream")
        assert b"\r\nHost: localhost\r\n" in service.requests()[0]
    finally:
        service.close()


# The mailbox server


def test_the_mailboxs_second_address_is_tried(world):
    one = world(mail=(four("127.0.0.2", "127.0.0.3"), []), backend=Only("127.0.0.3"))
    assert one.log_in()[0].startswith(LOGGED_IN)
    assert one.errors(r"connect\(\) to 127\.0\.0\.2:\d+ failed \(111: Connection refused\) while connecting to upstream, .*upstream: 127\.0\.0\.2:")
    assert one.proxy.log_lines(r"client logged in, .*upstream: 127\.0\.0\.3:\d+$")
    for _ in range(3):
        assert one.log_in()[0].startswith(LOGGED_IN)
    assert len(one.errors()) == 1


def test_mailboxes_on_ipv4_and_ipv6(world):
    one = world(mail=(four("127.0.0.2"), [socket.inet_pton(socket.AF_INET6, "::1")]), backend=Only("::1"))
    assert one.log_in()[0].startswith(LOGGED_IN)
    assert one.proxy.log_lines(r"client logged in, .*upstream: \[::1\]:\d+$")


def test_a_silent_address_of_the_mailbox_takes_its_share_alone(world, silent):
    one = world(mail=(four(SILENT, "127.0.0.3"), []), backend=Only("127.0.0.3"), limits="3s")
    silent(one.backend.port)
    heard, seconds = one.log_in()
    assert heard.startswith(LOGGED_IN) and 1.3 < seconds < 2.6
    assert one.errors(rf"connect\(\) to {SILENT}:\d+ failed \(110: Connection timed out\) while connecting to upstream")
    assert one.log_in()[1] < 1


def test_who_takes_connections_and_says_nothing_is_silent_too(world):
    hanging = ScriptedBackend(lambda address: ("imap", [HANG if address == SILENT else b"* OK ready\r\n", b"+ \r\n", b"+ \r\n", b"{tag} OK in\r\n"]))
    one = world(mail=(four(SILENT, HERE), []), backend=hanging, limits="3s")
    answers = [one.log_in()[0] for _ in range(2)]
    assert all(answer.startswith(LOGGED_IN) for answer in answers)
    assert one.visits(SILENT) == 1
    assert one.errors(rf"connect\(\) to {SILENT}:\d+ failed \(110: Connection timed out\) while connecting to upstream")


def test_the_last_address_gets_all_the_time_that_is_left(world, silent):
    one = world(mail=(four(NOBODY, SILENT), []), backend=Only("127.0.0.3"), limits="1500ms")
    silent(one.backend.port)
    heard, seconds = one.log_in()
    assert heard == FAILED and 1.3 < seconds < 2.5
    assert one.proxy.log_lines(r"\[info\].*upstream timed out \(110: Connection timed out\) while connecting to upstream")


def test_users_are_spread_over_the_addresses(world):
    addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    one = world(mail=(four(*addresses), []))
    for _ in range(6):
        assert one.log_in()[0].startswith(LOGGED_IN)
    assert [one.visits(address) for address in addresses] == [2, 2, 2]


def test_a_mailbox_that_moves_is_found_again(world):
    one = world(mail=(four("127.0.0.2"), []), ttl=1)
    assert one.log_in()[0].startswith(LOGGED_IN)
    one.know(MAIL, (four("127.0.0.3"), []))
    wait_until(lambda: one.log_in()[0].startswith(LOGGED_IN) and one.visits("127.0.0.3"), "the new address is known")


def test_a_mailbox_server_that_was_talked_to_is_the_only_one(world):
    """Its greeting is the last moment: whatever it does then, the login may have reached it."""
    one = world(mail=(four("127.0.0.2", "127.0.0.3"), []),
                backend=ScriptedBackend(lambda address: ("imap", [CLOSE] if address == "127.0.0.2" else None)))
    assert one.log_in()[0] == FAILED
    assert one.visits("127.0.0.3") == 0


def test_a_wrong_certificate_is_like_no_answer(world, pki):
    """One rule for services and mailbox servers: such a one was told nothing, and the next one is tried."""
    wrong = TlsBackend("imap", pki.wrong_name, at_once=True)
    right = TlsBackend("imap", pki.server, at_once=True, host="127.0.0.3", port=wrong.port)
    try:
        one = world(mail=(four(HERE, "127.0.0.3"), []), directives=f"proxy_ssl on; {trusting(pki)}", backend=wrong)
        assert one.log_in()[0].startswith(LOGGED_IN)
        assert wrong.visits[0].heard() == b"" and b"bob" in right.visits[0].heard()
        assert one.errors(rf'upstream SSL certificate does not match "mail\.test" while SSL handshaking to upstream, .*upstream: {HERE}:')
    finally:
        right.close()


def test_nobody_is_told_anything_if_all_certificates_are_wrong(world, pki):
    first = TlsBackend("imap", pki.wrong_name, at_once=True)
    second = TlsBackend("imap", pki.expired, at_once=True, host="127.0.0.3", port=first.port)
    try:
        one = world(mail=(four(HERE, "127.0.0.3"), []), directives=f"proxy_ssl on; {trusting(pki)}", backend=first)
        assert one.log_in()[0] == FAILED
        assert first.visits[0].heard() == second.visits[0].heard() == b""
        assert len(one.errors("upstream SSL certificate")) == 2
    finally:
        second.close()
