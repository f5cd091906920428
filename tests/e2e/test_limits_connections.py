"""How many may connect, and how fast: "limit_conn", "limit_newcomers", "limit_conn_rate", "limit_handshakes"; and who
makes way when there is no room."""

import os
import random
import signal
import socket
import ssl
import struct
import time

import pytest
from support.limited_world import CLIENT, GOODBYE, GREETING, OTHER, is_over, line_of, still_works
from support.ports import connect, wait_until
from support.processes import children_of


@pytest.mark.parametrize("protocol", GREETING)
def test_who_comes_too_fast_is_told_to_come_again(world, protocol):
    one = world("limit_conn_rate address 1r/m;")
    one.greeted(protocol)
    late = one.come(protocol)
    assert line_of(late) == GOODBYE[protocol]
    assert is_over(late)
    one.greeted(protocol, OTHER)
    wait_until(lambda: one.lines(rf'\[error\] .*limiting connections by "limit_conn_rate address", client: {CLIENT}, server: '), "it is logged")


def test_a_burst_may_come_early_and_others_wait_for_their_turn(world):
    one = world("limit_conn_rate address 30r/m burst=2;")
    for _ in range(3):
        one.greeted()
    assert not one.lines("delaying")
    began = time.monotonic()
    one.greeted()
    assert 1 < time.monotonic() - began < 6
    assert one.lines(rf'\[warn\] .*delaying connection for \d+ ms by "limit_conn_rate address", client: {CLIENT}')


def test_a_network_has_a_rate_too(world):
    one = world("limit_conn_rate network 2r/m;")
    one.greeted(source="127.0.5.1")
    assert line_of(one.come(source="127.0.5.2")) == GOODBYE["imap"]
    one.greeted(source="127.0.6.1")


def test_who_waits_and_leaves_is_forgotten(world):
    one = world("limit_conn_rate address 10r/m;")
    one.greeted()
    one.come().close()
    wait_until(lambda: one.lines("delaying connection"), "it waits")
    one.clients[0].close()
    os.kill(one.proxy.program.pid, signal.SIGHUP)
    wait_until(lambda: one.lines(r"worker process \d+ exited with code 0"), "nobody is waited for")


def test_a_full_address_waits_for_a_place_and_sessions_stay(world):
    one = world("limit_conn address 2;")
    first, second = one.logged_in(), one.logged_in()
    late = one.come()
    late.settimeout(0.3)
    with pytest.raises(TimeoutError):
        late.recv(1)
    one.logged_in(source=OTHER)
    assert still_works(first) and still_works(second)
    first.close()
    late.settimeout(10)
    assert line_of(late) == GREETING["imap"]
    assert still_works(second)


def test_there_is_no_waiting_for_ever(world):
    one = world("limit_conn address 3;")
    sessions = [one.logged_in() for _ in range(3)]
    waiting = {protocol: one.come(protocol, timeout=20) for protocol in GREETING}
    for protocol, client in waiting.items():
        assert line_of(client) == GOODBYE[protocol]
        assert is_over(client)
    assert all(still_works(session) for session in sessions)
    assert len(one.lines(rf'\[error\] .*limiting connections by "limit_conn address", client: {CLIENT}, server: ')) == 3


def test_newcomers_count_until_they_log_in(world):
    one = world("limit_newcomers address 1; limit_newcomers network off;")
    sessions = [one.logged_in() for _ in range(5)]
    one.greeted()
    late = one.come()
    late.settimeout(0.3)
    with pytest.raises(TimeoutError):
        late.recv(1)
    assert all(still_works(session) for session in sessions)


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def garbage(client):
    client.sendall(b"\x16\x03\x01\x00\x05hello" + b"\r\n" * 50)
    while client.recv(1000):
        pass


def half(client):
    client.shutdown(socket.SHUT_WR)
    while client.recv(1000):
        pass


def wrong_password(client):
    client.sendall(b"a LOGIN bob\r\nb LOGOUT\r\n")
    while client.recv(1000):
        pass


@pytest.mark.parametrize("listen", ["", "ssl"])
def test_every_end_gives_the_place_back(world, listen):
    one = world("limit_newcomers address 1; limit_conn address 1; timeout 20s; ssl_session_timeout 5m;", listen)
    for end in (reset, garbage, half, wrong_password) * 3:
        client = one.come()
        if not listen:
            assert line_of(client) == GREETING["imap"], end
        try:
            end(client)
        except ConnectionError:
            pass
        client.close()
    if listen:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(one.come()) as client:
            assert line_of(client) == GREETING["imap"]
    else:
        one.greeted()


def few_connections(world, count, directives="", listen=""):
    one = world(directives, listen, options={"start": False})
    with open(one.proxy.configuration) as file:
        text = file.read().replace("worker_connections 4096", f"worker_connections {count}")
    with open(one.proxy.configuration, "w") as file:
        file.write(text)
    one.proxy.start()
    return one


def test_the_oldest_stranger_makes_way_where_there_is_no_room(world):
    one = few_connections(world, 12)
    session = one.logged_in()
    strangers = []
    while not one.lines("it made way") and len(strangers) < 40:
        strangers.append(one.come())
        if len(strangers) == 10:
            # those who have just come are left alone
            wait_until(lambda: time.monotonic() - born > 1.1, "they have had time to log in")
        born = time.monotonic()
        try:
            line_of(strangers[-1])
        except ConnectionResetError:
            pass
    assert line_of(strangers[0]) == GOODBYE["imap"]
    assert is_over(strangers[0])
    assert still_works(session)
    assert one.lines(rf"\[error\] .*limiting connections, it made way for a newer client while in auth state, client: {CLIENT}, server: ")
    late = one.come()
    assert line_of(late) == GREETING["imap"]


def test_who_never_sends_a_proxy_header_makes_way_too(world):
    one = few_connections(world, 12, "set_real_ip_from 127.0.0.0/8;", "proxy_protocol")
    silent = [one.come() for _ in range(12)]
    born = time.monotonic()
    wait_until(lambda: time.monotonic() - born > 1.1, "they have had time to say something")
    late = one.come()
    late.sendall(proxied("198.51.100.1"))
    assert line_of(late) == GREETING["imap"]
    assert line_of(silent[0]) == GOODBYE["imap"]


def test_those_who_are_turned_away_hold_nothing(world):
    """However many they are, and though they never close."""
    one = world("limit_conn_rate address 1r/m;")
    one.greeted()
    (worker,) = children_of(one.proxy.program.pid)

    def descriptors():
        return len(os.listdir(f"/proc/{worker}/fd"))

    before = descriptors()
    refused = [one.come() for _ in range(30)]
    assert all(line_of(client) == GOODBYE["imap"] for client in refused)
    wait_until(lambda: descriptors() <= before, "none of them is waited for", timeout=1.5)


def test_limit_conn_total_has_the_oldest_stranger_make_way_too(world):
    one = world("limit_conn total 3;")
    session = one.logged_in()
    oldest, newer = one.greeted(), one.greeted()
    late = one.come()
    assert line_of(late) == GREETING["imap"]
    assert line_of(oldest) == GOODBYE["imap"]
    newer.sendall(b"x NOOP\r\n")
    assert line_of(newer).startswith(b"x OK")
    assert still_works(session)


def test_a_dry_run_turns_nobody_away(world):
    one = world("limit_conn_rate address 1r/m; limit_conn address 1; limit_newcomers address 1; limit_dry_run on; limit_log_level warn;")
    for _ in range(5):
        one.logged_in()
    assert one.lines(rf'\[warn\] .*limiting connections, dry run, by "limit_conn_rate address", client: {CLIENT}')
    assert one.lines(rf'\[warn\] .*limiting connections, dry run, by "limit_conn address", client: {CLIENT}')


def test_who_is_exempt_is_not_counted(world):
    one = world(f"limit_conn_rate address 1r/m; limit_conn address 1; limit_exempt {CLIENT}/32;")
    for _ in range(5):
        one.logged_in()
    one.logged_in(source=OTHER)
    assert line_of(one.come(source=OTHER)) == GOODBYE["imap"]


def test_handshakes_wait_for_their_turn(world):
    one = world("limit_handshakes 20r/m;", "ssl")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    began = time.monotonic()
    raw = [one.come() for _ in range(6)]
    for client in raw[:2]:
        with context.wrap_socket(client) as secure:
            assert line_of(secure) == GREETING["imap"]
    assert time.monotonic() - began > 2
    for client in raw[2:]:
        client.sendall(b"\x16")
    assert is_over(raw[5])
    assert one.lines(r'\[warn\] .*delaying handshake for \d+ ms by "limit_handshakes"')
    assert one.lines(r'\[error\] .*limiting handshakes by "limit_handshakes"')


def proxied(address):
    return b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + struct.pack("!H", 12) + socket.inet_aton(address) + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 40000, 143)


def test_the_address_in_a_proxy_header_is_the_one_that_counts(world):
    one = world("limit_conn_rate address 1r/m; set_real_ip_from 127.0.0.0/8;", "proxy_protocol")

    def heard_by(address):
        client = one.come()
        client.sendall(proxied(address))
        return line_of(client)

    assert heard_by("198.51.100.1") == GREETING["imap"]
    assert heard_by("198.51.100.2") == GREETING["imap"]
    assert heard_by("198.51.100.1") == GOODBYE["imap"]
    assert one.lines("limiting connections by .*client: 198.51.100.1, ")


def test_a_flood_of_addresses_neither_grows_memory_nor_hides_an_offender(world):
    one = world("limit_conn_rate address 1r/m; limit_conn_rate network off; set_real_ip_from 127.0.0.0/8; limit_log_level info;", "proxy_protocol", {"level": "error"})
    generator = random.Random(1)
    (worker,) = children_of(one.proxy.program.pid)

    def resident():
        with open(f"/proc/{worker}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def flood(count):
        for _ in range(count):
            with connect(one.ports["imap"]) as client:
                client.sendall(proxied(socket.inet_ntoa(generator.randbytes(4))))
                client.recv(4)

    def offend():
        with connect(one.ports["imap"]) as client:
            client.sendall(proxied("198.51.100.1"))
            return line_of(client)

    assert offend() == GREETING["imap"]
    flood(2000)
    before = resident()
    flood(8000)
    assert resident() - before < 3 * 1024  # KiB; the tables are 2 MiB
    assert offend() == GOODBYE["imap"]


def gets_in(one):
    try:
        one.greeted(timeout=0.5)
        return True
    except TimeoutError:
        return False


def test_counts_are_of_all_event_loops_and_a_raised_limit_holds_at_once(world):
    one = world("limit_conn address 4;", options={"main": "worker_processes 3;"})
    sessions = [one.logged_in() for _ in range(4)]
    late = one.come()
    late.settimeout(0.3)
    with pytest.raises(TimeoutError):
        late.recv(1)
    one.proxy.write(one.text("limit_conn address 9;"))
    os.kill(one.proxy.program.pid, signal.SIGHUP)
    wait_until(lambda: one.lines("gracefully shutting down"), "the new worker is there")
    # The old worker still takes what waits in its queue.
    wait_until(lambda: gets_in(one), "the new worker takes clients")
    for _ in range(8):
        one.logged_in()
    assert all(still_works(session) for session in sessions)
