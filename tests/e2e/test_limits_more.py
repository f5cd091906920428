"""Who pays for a limit, and who is sent away for it: only those whose going helps. Goodbyes under TLS; limits while workers end."""

import os
import signal
import ssl
import time

import pytest
from support.limited_world import GOODBYE, GREETING, OTHER, is_over, line_of, still_works
from support.ports import wait_until

STARTTLS = {"imap": [b"s STARTTLS"], "pop3": [b"STLS"], "smtp": [b"EHLO me", b"STARTTLS"]}
THIRD = "127.0.2.7"


def tls():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def says_starttls(client, protocol):
    for command in STARTTLS[protocol]:
        client.sendall(command + b"\r\n")
        while line_of(client)[3:4] == b"-":
            pass
    return client


def starttls_on(pki):
    return f"starttls on; ssl_certificate {pki.server.path}; ssl_certificate_key {pki.server.key_path};"


def had_time():
    """Strangers make way after a second at the earliest."""
    born = time.monotonic()
    wait_until(lambda: time.monotonic() - born > 1.1, "they have had time to log in")


def hears_nothing(client, seconds=0.3):
    client.settimeout(seconds)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(15)
    return True


@pytest.mark.parametrize("way", ["ssl", "starttls"])
def test_who_never_begins_a_handshake_uses_up_nobodys_turn(world, pki, way):
    one = world("limit_handshakes 2r/m;" + starttls_on(pki), "ssl" if way == "ssl" else "")
    silent = [one.come() if way == "ssl" else says_starttls(one.greeted(), "imap") for _ in range(5)]
    wait_until(lambda: len(one.lines("client .* connected to")) == 5, "all are accepted")
    client = one.come() if way == "ssl" else says_starttls(one.greeted(), "imap")
    with tls().wrap_socket(client) as secure:
        secure.sendall(b"a NOOP\r\n")
        assert b"OK" in line_of(secure)
    assert not one.lines("handshakes? .*limit_handshakes")
    # And the next one has none.
    silent[0].sendall(b"\x16")
    assert is_over(silent[0])
    assert one.lines('limiting handshakes by "limit_handshakes"')


def test_a_silent_client_before_its_handshake_is_timed_out(world):
    one = world("limit_handshakes 2r/m; timeout 500ms;", "ssl")
    assert is_over(one.come())
    wait_until(lambda: one.lines(r"client timed out.* while SSL handshaking"), "it is logged")


def test_nobody_who_waits_for_a_place_is_sent_away_for_another(world):
    """They hold no place, so that their going would help nobody."""
    one = world("limit_conn total 2;")
    sessions = [one.logged_in(), one.logged_in()]
    first = one.come(timeout=15)
    assert hears_nothing(first)
    had_time()
    second = one.come(source=OTHER, timeout=15)
    assert hears_nothing(second)
    assert hears_nothing(first)
    assert not one.lines("made way")
    for client in sessions:
        client.close()
    assert line_of(first) == line_of(second) == GREETING["imap"]


def test_nobody_is_sent_away_who_is_not_counted(world):
    one = world(f"limit_conn total 1; limit_exempt {OTHER};")
    session = one.logged_in()
    stranger = one.greeted(source=OTHER)
    had_time()
    late = one.come(timeout=15)
    assert hears_nothing(late)
    stranger.sendall(b"x NOOP\r\n")
    assert line_of(stranger).startswith(b"x OK")
    session.close()
    assert line_of(late) == GREETING["imap"]


def test_nobody_is_sent_away_for_those_whom_another_limit_keeps_out(world):
    one = world("limit_conn total 2; limit_newcomers address 1;")
    stranger = one.greeted(source=OTHER)
    own = one.greeted()
    had_time()
    flood = [one.come() for _ in range(5)]
    assert all(hears_nothing(client, 0.1) for client in flood)
    for client in (stranger, own):
        client.sendall(b"x NOOP\r\n")
        assert line_of(client).startswith(b"x OK")
    assert not one.lines("made way")
    # Somebody else does get in, in place of the oldest.
    one.greeted(source=THIRD, timeout=2)
    assert line_of(stranger) == GOODBYE["imap"]


def test_each_client_sends_one_stranger_away_at_most(world):
    """Five come at once for six places that strangers hold: one of these stays."""
    one = world("limit_newcomers total 6;")
    strangers = [one.greeted() for _ in range(6)]
    had_time()
    late = [one.come(source=OTHER) for _ in range(5)]
    assert all(line_of(client) == GREETING["imap"] for client in late)
    assert all(line_of(client) == GOODBYE["imap"] for client in strangers[:5])
    strangers[5].sendall(b"x NOOP\r\n")
    assert line_of(strangers[5]).startswith(b"x OK")
    assert len(one.lines("it made way")) == 5


@pytest.mark.parametrize("way", ["ssl", "starttls"])
@pytest.mark.parametrize("protocol", GREETING)
def test_who_makes_way_hears_it_under_tls(world, pki, protocol, way):
    """And the end of TLS after it, so that it knows that nobody cut the words off."""
    one = world("limit_conn total 1;" + starttls_on(pki), "ssl" if way == "ssl" else "")
    if way == "ssl":
        stranger = tls().wrap_socket(one.come(protocol))
        assert line_of(stranger) == GREETING[protocol]
    else:
        stranger = tls().wrap_socket(says_starttls(one.greeted(protocol), protocol))
    had_time()
    late = one.come(protocol)
    assert line_of(stranger) == GOODBYE[protocol]
    assert stranger.recv(1) == b""  # SSLEOFError without close_notify
    stranger.close()
    if way == "ssl":
        late = tls().wrap_socket(late)
    assert line_of(late) == GREETING[protocol]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], ids=lambda one: one.name)
def test_a_worker_that_ends_gives_all_places_back(world, number):
    """Sessions, strangers, those who wait for a place and those who wait for their turn: none keeps it from ending well."""
    one = world("limit_conn address 3; limit_conn_rate network 30r/m burst=3;", options={"main": "worker_shutdown_timeout 500ms;"})
    session, stranger = one.logged_in(), one.greeted()
    one.greeted(source="127.0.3.7")
    one.greeted()
    waits_for_place = one.come()
    assert hears_nothing(waits_for_place)
    waits_for_turn = one.come()
    wait_until(lambda: one.lines("delaying connection"), "it waits for its turn")
    (old,) = one.proxy.workers()
    began = time.monotonic()
    os.kill(one.proxy.program.pid, number)
    if number == signal.SIGHUP:
        wait_until(lambda: old not in one.proxy.workers(), "the old worker has ended")
    else:
        assert one.proxy.program.process.wait(10) == 0
    assert time.monotonic() - began < 4
    for client in (session, stranger, waits_for_place, waits_for_turn):
        while line_of(client):
            pass
    assert one.lines(rf"worker process {old} exited with code 0")
    assert not one.lines(r"\[(alert|emerg|crit)\]")
    if number == signal.SIGHUP:
        assert all(still_works(session) for session in [one.logged_in(), one.logged_in(), one.logged_in()])
