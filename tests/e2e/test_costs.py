"""What a session costs, where that can be counted: memory and descriptors, allocations, system calls. Nothing here
is about time; what is, is measured by bench/."""

import collections

import pytest
from support.bench_programs import PROTOCOLS, IdleSessions, run_load
from support.broken_off import FickleServers, anybody, break_off
from support.costs import Costs, ImapSession
from support.ports import wait_until
from support.proxy import has_sanitizers

PIPES_KEPT = 16  # by each event loop, for the next bulk transfers
KIB = 1 << 10
MIB = 1 << 20


pytestmark = pytest.mark.skipif(has_sanitizers(), reason="sanitizers take the place of malloc")


@pytest.fixture
def costs(server, folder, pki):
    made = []

    def start(*arguments, **options):
        made.append(Costs(server, folder, pki, *arguments, **options))
        return made[-1]
    yield start
    for one in made:
        one.close()


# What holds what is idle: the listening port, directives, and the bytes that a session may cost.
IDLE = {
    "plain": ("imap", "", 520),
    "TLS": ("imaps", "", 15200),
    "TLS, ssl_lean": ("imaps", "ssl_lean on;", 1200),
}


@pytest.mark.parametrize("kind", IDLE)
def test_an_idle_session_holds_two_descriptors_and_no_buffer(costs, kind):
    name, directives, most_bytes = IDLE[kind]
    count = 1000
    counted = costs(directives)
    tls = ["--tls", "implicit"] if name == "imaps" else []

    def idle(clients):
        return IdleSessions(clients, "imap", counted.ports[name], *tls)
    base = counted.descriptors()
    with idle(50):
        pass
    counted.wait_for_sockets(base["socket"])
    before, own_before = counted.heap.look(), counted.own_bytes()
    with idle(count):
        assert counted.descriptors() == base + collections.Counter(socket=2 * count)
        during, own_during = counted.heap.look(), counted.own_bytes()
    each = (during.live_bytes - before.live_bytes) / count
    own_each = (own_during - own_before) / count
    print(f"{each:.0f} bytes of the heap for each session, {own_each:.0f} of the process")
    assert each <= most_bytes
    # What many logins at a time needed may lie between what is left: how many they were is chance.
    assert own_each <= most_bytes * 1.2 + (5 * MIB if tls else MIB) / count
    # Only what all sessions share may have grown.
    largest = 16 * KIB if kind == "TLS" else KIB  # of OpenSSL's objects
    assert during.blocks_from(largest) - before.blocks_from(largest) <= 2
    counted.wait_for_sockets(base["socket"])
    after = counted.heap.look()
    assert abs(after.live_bytes - before.live_bytes) <= 64 * KIB


@pytest.mark.parametrize("kind", IDLE)
def test_a_round_trip_allocates_nothing_and_leaves_nothing(costs, kind):
    name, directives, _ = IDLE[kind]
    counted = costs(directives)
    wrap = anybody().wrap_socket if name == "imaps" else None
    sessions = [ImapSession(counted.ports[name], wrap) for _ in range(20)]
    for session in sessions:
        session.ask(b"NOOP")
    before = counted.heap.look()
    for _ in range(50):
        for session in sessions:
            session.ask(b"NOOP")
    after = counted.heap.look()
    each = (after.allocations - before.allocations) / 1000
    # OpenSSL takes buffers for each record.
    assert each <= (9 if kind == "TLS" else 0)
    assert after.live_bytes == before.live_bytes
    for session in sessions:
        session.close()


@pytest.mark.parametrize("kind", IDLE)
def test_what_a_bulk_transfer_needed_is_given_back(costs, kind):
    name, directives, _ = IDLE[kind]
    counted = costs(directives)
    wrap = anybody().wrap_socket if name == "imaps" else None
    first, *others = [ImapSession(counted.ports[name], wrap) for _ in range(4)]

    def transfer(session):
        session.socket.sendall(b"a BULK 16000000\r\n")
        # Nobody reads until all buffers on the way are full, and the proxy has to wait.
        quiet = 0
        while quiet < 5:
            quiet = quiet + 1 if counted.is_idle() else 0
        assert session.hear() >= 16_000_000
        session.ask(b"NOOP")
    transfer(first)
    # What is kept for the next one is the event loop's, not the session's: it is there once.
    before, descriptors = counted.heap.look(), counted.descriptors()
    for session in others:
        transfer(session)
        assert counted.heap.look().live_bytes == before.live_bytes
        assert counted.descriptors() == descriptors
    for session in (first, *others):
        session.close()


# How many a login and its end need, with the authentication service kept connected. Waits are not among them: how
# many events are there at a time is chance.
SYSTEM_CALLS = {"imap": 33, "pop3": 33, "smtp": 36, "imaps": 43}
WAITS = 18


@pytest.mark.parametrize("name", SYSTEM_CALLS)
def test_system_calls_of_a_login(costs, name):
    count = 100
    counted = costs("auth_http_keepalive 4;", traced=True)
    arguments = ["imap" if name == "imaps" else name, counted.ports[name], "--clients", 1]
    if name == "imaps":
        arguments += ["--tls", "implicit"]
    base = counted.sockets()

    def log_in(times):
        run_load("login", *arguments, "--count", times)
        # All have ended; connections to the authentication service are kept.
        wait_until(lambda: counted.sockets() <= base + 4, "all sessions have ended")
    log_in(10)
    before = len(counted.system_calls())
    log_in(count)
    calls = collections.Counter(counted.system_calls()[before:])
    each = {call: calls[call] / count for call in sorted(calls)}
    print(each)
    waits = calls.pop("epoll_wait", 0)
    assert calls.total() / count <= SYSTEM_CALLS[name], each
    assert waits / count <= WAITS, each


def sessions_of_all_kinds(counted, fickle_port, portion):
    """Runs so much of 20,000 sessions; how many it were."""
    total = 0
    for protocol, count, *tls in (*((protocol, 3500) for protocol in PROTOCOLS), ("imap", 2000, "--tls", "implicit"),
                                  ("imap", 500, "--tls", "implicit", "--resume"), ("pop3", 500, "--tls", "starttls"),
                                  ("smtp", 500, "--tls", "starttls")):
        port = counted.ports["imaps" if "implicit" in tls else protocol]
        total += run_load("login", protocol, port, "--clients", 16, "--count", int(count * portion), *tls)["units"]
    return total + break_off(int(180 * portion), counted.ports, fickle_port)


@pytest.mark.parametrize("directives", ["", "ssl_lean on;"])
def test_after_20000_sessions_all_is_as_before(costs, directives):
    """Logins with and without TLS, refused ones, and sessions that either side breaks off in each of their stages."""
    fickle = FickleServers()
    counted = costs(directives, service_port=fickle.port)
    base = counted.sockets()
    sessions_of_all_kinds(counted, counted.ports["other"], 1 / 4)
    counted.wait_for_sockets(base)
    before, own_before = counted.heap.look(), counted.own_bytes()
    total = sessions_of_all_kinds(counted, counted.ports["other"], 1)
    assert total >= 20_000
    counted.wait_for_sockets(base)
    after, own_after = counted.heap.look(), counted.own_bytes()
    print(f"after {total} sessions the heap grew by {after.live_bytes - before.live_bytes} bytes, "
          f"the process by {own_after - own_before}")
    assert after.live_bytes - before.live_bytes <= 64 * KIB
    assert own_after - own_before <= MIB
    assert counted.descriptors()["pipe"] <= 2 * PIPES_KEPT
    fickle.close()
