"""The machine fails: descriptors run out, the log's disk is full, the time of day jumps, a worker is killed. What the client
gets, what the log says, that those who are relayed notice nothing, and that all is well again by itself."""

import os
import pwd
import re
import resource
import signal
import subprocess

import pytest
from support.backend_front import ACCEPTED, FAILED, LOGIN
from support.fault_injector import FaultInjector
from support.fault_site import PROTOCOLS, FaultSite
from support.live_sessions import LiveSessions
from support.ports import connect, wait_until
from support.proxy import has_sanitizers

AT_ONCE = 12
# The limits of one's own processes may be changed.
OWN_USER = f"user {pwd.getpwuid(os.geteuid()).pw_name};"
HOUR = 3600


@pytest.fixture
def site(server, pki):
    opened = []

    def start(**options):
        opened.append(FaultSite(server, pki, **options))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def highest_descriptor(pid):
    return max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))


def let_descriptors_run_out(worker, left=0):
    """The worker gets `left` more than it has; what undoes that."""
    limits = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (highest_descriptor(worker) + 1 + left, limits[1]))
    return lambda: resource.prlimit(worker, resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("left", range(4))
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_descriptors(site, protocol, left):
    """Be it for the client, the connection to the service or that to the mailbox server."""
    site = site(main=OWN_USER)
    worker = site.worker()
    undo = let_descriptors_run_out(worker, left)
    answers = []
    try:
        clients = [connect(site.ports[protocol]["plain"], timeout=15) for _ in range(AT_ONCE)]
        for client in clients:
            client.sendall(LOGIN[protocol].encode())
        site.logged(r"\[(crit|alert|error)\].*\(24: Too many open files\)")
        site.live.check()
    finally:
        undo()
    for client in clients:  # those who have waited are served now, or have been told that it was in vain
        with client, client.makefile("rb") as lines:
            heard = [lines.readline(), *(lines.readline() for _ in LOGIN[protocol].splitlines())][-1]
            answers.append(heard)
            assert heard.startswith(ACCEPTED[protocol]) or heard == FAILED[protocol], heard
    assert any(heard.startswith(ACCEPTED[protocol]) for heard in answers)
    site.check()
    assert site.worker() == worker


def test_no_descriptors_for_a_pipe(site):
    """Bulk data goes through a pipe where there is one, and by hand where there is none."""
    site = site(main=OWN_USER)
    undo = let_descriptors_run_out(site.worker(), 3)  # client, service, mailbox server
    try:
        with connect(site.ports["pop3"]["plain"], timeout=20) as client, client.makefile("rb") as lines:
            lines.readline()
            for line in (b"USER quick", b"PASS secret"):
                client.sendall(line + b"\r\n")
                assert lines.readline().startswith(b"+OK")
            for _ in range(5):
                text = os.urandom(600_000).hex().encode()
                client.sendall(b"ECHO " + text + b"\r\n")
                assert lines.readline() == b"+OK quick ECHO " + text + b"\r\n"
        site.live.check()
    finally:
        undo()
    site.check()


def test_no_descriptors_for_a_reload(site):
    """The old configuration goes on, and the log says why."""
    site = site()
    master = site.proxy.program.pid
    worker = site.worker()
    undo = let_descriptors_run_out(master)
    try:
        os.kill(master, signal.SIGHUP)
        site.logged(r"\[(emerg|alert|crit)\].*\(24: Too many open files\)")
        site.check()
        assert site.worker() == worker
    finally:
        undo()
    os.kill(master, signal.SIGHUP)
    wait_until(lambda: worker not in site.proxy.workers() or len(site.proxy.workers()) > 1, "a new worker")
    LiveSessions(site.ports, 5).stop()
    site.live.check()


def mount(folder):
    """A disk of 64 KiB; False if we may not mount one."""
    return subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", folder], capture_output=True).returncode == 0


def test_the_logs_disk_is_full(site, folder):
    disk = os.path.join(folder, "disk")
    os.mkdir(disk)
    if not mount(disk):
        pytest.skip("we may not mount a disk")
    log = os.path.join(disk, "small.log")
    try:
        site = site(main=f"error_log {log} info;", directives=f"error_log {log} info;")

        def visit(name):
            for protocol in PROTOCOLS:
                LiveSessions({protocol: site.ports[protocol]}, 2).stop()
            return [line for line in text() if name in line]

        def text():
            with open(log, errors="replace") as lines:
                return lines.readlines()
        assert visit("client logged in")
        filler = os.path.join(disk, "filler")
        with open(filler, "wb", buffering=0) as file, pytest.raises(OSError):
            while True:
                file.write(bytes(4096))
        while os.path.getsize(log) % 4096:  # whatever room there is in the last block
            visit("")
        full = os.path.getsize(log)
        visit("")
        assert os.path.getsize(log) == full, "the disk is full"
        site.check()
        os.unlink(filler)
        before = len(visit("client logged in"))
        wait_until(lambda: len(visit("client logged in")) > before + 2 * len(PROTOCOLS), "it is written to again")
        site.check()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.skipif(has_sanitizers(), reason="sanitizers take the place of the functions that are stood before")
@pytest.mark.parametrize("jump", [30 * 24 * HOUR, -30 * 24 * HOUR, 5, -5])
def test_the_time_of_day_jumps(site, folder, jump):
    """Nothing waits longer or shorter for it; the log tells the new time."""
    injector = FaultInjector(folder)
    site = site(environment=injector.environment, directives="timeout 60s; proxy_timeout 10m; login_timeout 60s;")
    with connect(site.ports["imap"]["plain"]) as waits, waits.makefile("rb") as lines:
        lines.readline()
        before = site.logged("client .* connected to")[-1][:19]
        injector.set_clock_ahead(jump)
        site.check()
        waits.sendall(LOGIN["imap"].encode())
        assert lines.readline().startswith(ACCEPTED["imap"])
        after = site.logged("client .* connected to")[-1][:19]
        assert (after > before) == (jump > 0), (before, after)
        if abs(jump) > HOUR:
            assert after[:10] != before[:10]
        injector.set_clock_ahead(0)
        site.check()
    assert not site.proxy.log_lines("timed out")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_is_killed(site, number):
    """Its sessions are lost, in whatever phase they are; there is another one at once, and nobody is refused."""
    if number == signal.SIGSEGV and has_sanitizers():
        pytest.skip("a sanitizer reports it")
    site = site(count=0, main="worker_rlimit_core 0;")
    worker = site.worker()
    clients = {}
    for protocol in PROTOCOLS:
        clients[protocol, "greeted"] = connect(site.ports[protocol]["plain"])
        clients[protocol, "silent in TLS"] = connect(site.ports[protocol]["implicit"])
        talks = clients[protocol, "relayed"] = connect(site.ports[protocol]["plain"])
        talks.sendall(LOGIN[protocol].encode())
    site.logged("client logged in", len(PROTOCOLS))
    os.kill(worker, number)
    for who, client in clients.items():
        with client:
            try:
                while client.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    site.logged(rf"\[alert\].* {worker} exited on signal {int(number)}")
    LiveSessions(site.ports, 5).stop()
    assert site.worker() != worker
    assert not re.search("emerg", site.proxy.log())
