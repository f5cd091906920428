"""Memory runs out. A session that has none ends with a line in the log and, where a client can be told, an answer;
all others go on, and what comes later is served again."""

import contextlib
import os
import re
import resource
import socket
import ssl

import pytest
from support.fault_injector import EVERY, FaultInjector
from support.fault_site import FaultSite
from support.load_dialogues import DIALOGUES
from support.ports import connect, free_port, wait_until
from support.proxy import has_sanitizers

pytestmark = pytest.mark.skipif(has_sanitizers(), reason="sanitizers take the place of malloc, and much address space")

ANSWER = {"imap": b"* BAD internal server error\r\n", "pop3": b"-ERR internal server error\r\n",
          "smtp": b"451 4.3.2 Internal server error\r\n"}
CROWD = 20  # in the middle of their logins: they have the frames that a loop keeps for the next ones
MIB = 1 << 20
USER = b"quick"  # the service never takes its time with this one


@pytest.fixture
def crowded(server, folder, pki):
    """Started with (directives): a site, what makes it fail, and what closes it."""
    with contextlib.ExitStack() as stack:
        def start(directives="", **options):
            injector = FaultInjector(folder)
            silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2 * CROWD))
            port = free_port()
            waits = f"server {{ listen 127.0.0.1:{port}; protocol imap; auth_http 127.0.0.1:{silent.getsockname()[1]}/; }}"
            # Sessions under OpenSSL need memory for each record: those that must not notice have none of it.
            site = FaultSite(server, pki, waits, [port], directives, count=3, environment=injector.environment, **options)
            stack.callback(site.close)
            before = sockets_of(site.worker())
            for _ in range(CROWD):
                client = stack.enter_context(connect(port))
                assert client.recv(100).startswith(b"* OK")
                client.sendall(b"a LOGIN bob secret\r\n")
            wait_until(lambda: sockets_of(site.worker()) == before + 2 * CROWD, "all wait for the service")
            return site, injector
        yield start


class Visitor:
    """One session from its connection to its goodbye; `heard` is all that it was told."""

    def __init__(self, protocol, port, wrapped):
        self.heard, self.problem, self.finished = [], None, False
        try:
            with connect(port) as plain:
                client = anybody().wrap_socket(plain) if wrapped else plain
                with client, client.makefile("rb") as self._lines:
                    self._client = client
                    self.finished = self._talk(DIALOGUES[protocol])
        except OSError as error:
            self.problem = error

    def _talk(self, dialogue):
        if not self._hear(dialogue.greeting):
            return False
        for line, wanted in (*dialogue.login_steps(USER, 1), dialogue.echo(USER, b"mark"), dialogue.goodbye):
            self._client.sendall(line + b"\r\n")
            if not self._hear(wanted):
                return False
        return True

    def _hear(self, wanted):
        while line := self._lines.readline():
            self.heard.append(line)
            if line.startswith(wanted):
                return True
        return False


def anybody():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def sockets_of(pid):
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            count += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
    return count


def is_legal(heard, protocol):
    """What a client heard of a session that broke off: nothing that it could take for success."""
    whole = b"".join(heard)
    return whole.endswith(b"\n") or not whole, ANSWER[protocol] not in b"".join(heard[:-1])


def sweep(site, injector, protocol, mode, count, step):
    """One session for each allocation that it makes; that one and `count` - 1 others fail. Returns how many there
    were, and how often the client was told."""
    worker, told, after = site.worker(), 0, 0
    while True:
        injector.fail_allocations(worker, after, count)
        visitor = Visitor(protocol, site.ports[protocol][mode], mode == "implicit")
        if not injector.stop():
            break
        assert site.worker() == worker, f"allocation {after} has ended the worker"
        assert not site.live.errors, f"allocation {after}: {site.live.errors}"
        assert all(is_legal(visitor.heard, protocol)), visitor.heard
        told += ANSWER[protocol] in visitor.heard
        after += step
    assert visitor.finished, visitor.heard
    return after, told


@pytest.mark.parametrize("count", [1, EVERY], ids=["that one", "all that follow"])
@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
def test_each_allocation_of_a_session_may_fail(crowded, protocol, count):
    site, injector = crowded()
    worker = site.worker()
    sockets = sockets_of(worker)
    allocations, told = sweep(site, injector, protocol, "plain", count, 1)
    print(f"{allocations} allocations, {told} times the client was told")
    assert allocations > 20
    # Before there is a session nobody can be told; nor when the backend has been left to the relay.
    assert told >= allocations - 10
    lines = site.proxy.log_lines(r"\[crit\] .*out of memory \(12: Cannot allocate memory\)")
    assert len(lines) >= allocations
    in_session = [line for line in lines if re.search(r" \*\d+ out of memory .* while .*client: 127\.0\.0\.1, server: ", line)]
    assert len(in_session) >= told - 2
    assert not site.proxy.log_lines(r"\[(alert|emerg)\]")
    wait_until(lambda: sockets_of(worker) <= sockets, "no descriptor is left")
    site.check()


@pytest.mark.parametrize("directives", ["", "ssl_lean on; ssl_session_cache shared:zone:1m; ssl_session_tickets off;"])
def test_so_may_those_under_tls(crowded, directives):
    site, injector = crowded(directives)
    worker = site.worker()
    sockets = sockets_of(worker)
    allocations, _ = sweep(site, injector, "imap", "implicit", 1, 5)
    assert allocations > 100
    assert not site.proxy.log_lines(r"\[(alert|emerg)\]")
    wait_until(lambda: sockets_of(worker) <= sockets, "no descriptor is left")
    site.check()


def test_no_more_address_space(server, pki):
    """As with `ulimit -v`: clients come until there is no memory for them. When some have gone, others are served."""
    directives = "imap_client_buffer 64k; limit_login_bytes 128k;"
    site = FaultSite(server, pki, count=3, directives=directives)
    with open(f"/proc/{site.worker()}/statm") as statm:
        size = int(statm.read().split()[0]) * resource.getpagesize()
    site.close()
    site.proxy.stop()
    site = FaultSite(server, pki, count=3, directives=directives, around=["prlimit", f"--as={size + 4 * MIB}"])
    worker = site.worker()
    clients = []
    try:
        while not site.proxy.log_lines(r"\[crit\] .*out of memory"):
            client = connect(site.ports["imap"]["plain"])
            clients.append(client)
            client.sendall(b"a LOGIN bob " + b"x" * 40_000)  # kept until the line has its end
            assert len(clients) < 3000
        told = [client for client in clients if drain(client).endswith(ANSWER["imap"])]
        print(f"{len(clients)} clients, {len(told)} were told")
        site.live.check()
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: sockets_of(worker) < 30, "all have gone")
    site.check()
    assert site.worker() == worker
    assert not site.proxy.log_lines(r"\[(alert|emerg)\]")
    site.close()


def drain(client):
    client.settimeout(0.01)
    heard = b""
    with contextlib.suppress(OSError):
        while data := client.recv(4096):
            heard += data
    return heard
