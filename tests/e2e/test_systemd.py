"""Postern as a service of systemd, and of others that speak as it does: what is reported, the watchdog, sockets that
the manager has opened."""

import os
import shutil
import signal
import socket
import subprocess
import time

import pytest
from support.daemon import Daemon
from support.ports import connect, free_port, is_listening, wait_until
from support.processes import is_alive
from support.service_manager import ServiceManager, handing_over

GREETING = b"+OK POP3 ready\r\n"
WATCHDOG_SECONDS = 1.0
NO_LISTEN = r'\[warn\].*inherited socket {} has no "listen" in the configuration, closed'


@pytest.fixture
def manager(folder):
    one = ServiceManager(os.path.join(folder, "notify"))
    yield one
    one.close()


@pytest.fixture
def daemon(folder):
    """daemon(listens...): does not run yet."""
    made = []

    def make(*listens):
        made.append(Daemon(folder, "", start=False))
        configure(made[0], *(listens or (f"127.0.0.1:{free_port()}",)))
        return made[0]
    yield make
    for one in made:
        print(one.log()[-4000:])
        one.stop()


@pytest.fixture
def sockets(folder):
    """Sockets that listen: a TCP port of 127.0.0.1 and a file."""
    tcp = socket.create_server(("127.0.0.1", free_port()))
    local = socket.socket(socket.AF_UNIX)
    local.bind(os.path.join(folder, "mail.sock"))
    local.listen()
    with tcp, local:
        yield tcp, local


def configure(proxy, *listens):
    blocks = "".join(f"server {{ listen {one}; protocol pop3; }}\n" for one in listens)
    proxy.write(f"auth_http 127.0.0.1:1/; {blocks}")
    proxy.ports = [int(one.rsplit(":", 1)[1]) for one in listens if one.rsplit(":", 1)[-1].isdigit()]


def name_of(listener):
    address = listener.getsockname()
    return f"unix:{address}" if isinstance(address, str) else f"127.0.0.1:{address[1]}"


def greets(where):
    with socket.socket(socket.AF_INET if isinstance(where, tuple) else socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(where)
        return client.recv(100) == GREETING


def start_with(proxy, manager, **more):
    """In the foreground, as systemd prefers it."""
    return proxy.start(foreground=True, env=manager.environment(**more))


@pytest.mark.parametrize("kind", ["a path", "an abstract name"])
def test_ready_means_that_it_serves(daemon, folder, kind):
    manager = ServiceManager(os.path.join(folder, "notify") if kind == "a path" else f"@postern-test-{os.getpid()}")
    try:
        proxy = daemon()
        process = subprocess.Popen(proxy.command("-e", "stderr", "-g", "daemon off;"), env=manager.environment())
        try:
            ready = manager.next()
            assert ready["READY"] == "1" and ready["MAINPID"] == str(process.pid) and ready["STATUS"]
            assert proxy.pid_in() == process.pid
            assert greets(("127.0.0.1", proxy.ports[0]))
        finally:
            process.terminate()
            process.wait(10)
        assert manager.wait_for(STOPPING="1")["STATUS"]
        assert len(manager.messages) == 2 and manager.next(0) is None
    finally:
        manager.close()


def test_a_daemon_tells_its_own_number(daemon, manager):
    proxy = daemon().start(env=manager.environment())
    assert manager.wait_for(READY="1")["MAINPID"] == str(proxy.master())


@pytest.mark.parametrize("good", [True, False], ids=["good", "wrong"])
def test_a_reload(daemon, manager, good):
    """systemd 253 and later wait for READY that follows RELOADING, and compare the clock."""
    proxy = start_with(daemon(), manager)
    manager.wait_for(READY="1")
    added = free_port()
    if good:
        configure(proxy, f"127.0.0.1:{proxy.ports[0]}", f"127.0.0.1:{added}")
    else:
        proxy.write("nonsense;")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    proxy.signal(signal.SIGHUP)
    reloading = manager.next()
    assert reloading["RELOADING"] == "1" and reloading["STATUS"] and "READY" not in reloading
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    ready = manager.next()
    assert ready["READY"] == "1" and ready["MAINPID"] == str(proxy.master()) and ready["STATUS"]
    assert is_listening(added) == good
    assert greets(("127.0.0.1", proxy.ports[0]))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT], ids=lambda one: one.name)
def test_the_end_is_announced_when_it_begins(daemon, manager, number):
    proxy = start_with(daemon(), manager)
    manager.wait_for(READY="1")
    with connect(proxy.ports[0]) as client:
        assert client.recv(100) == GREETING
        proxy.signal(number)
        manager.wait_for(STOPPING="1")
        if number == signal.SIGQUIT:  # it waits for the session
            assert proxy.program.poll() is None
            client.sendall(b"QUIT\r\n")
    assert proxy.program.wait(10) == 0
    assert manager.waiting() == []


def beats(manager, count):
    return [manager.wait_for(WATCHDOG="1").time for _ in range(count)]


def watchdog(**more):
    return {"WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6)), **more}


def test_the_watchdog_is_served_twice_in_its_time(daemon, manager):
    proxy = daemon()
    proxy.start(handing_over(proxy.command("-e", "stderr"), pid_variables=["WATCHDOG_PID"]), foreground=True,
                env=manager.environment(**watchdog()))
    manager.wait_for(READY="1")
    times = beats(manager, 7)
    assert max(after - before for before, after in zip(times, times[1:])) <= WATCHDOG_SECONDS / 2


def test_a_worker_that_hangs_is_not_reported_alive(daemon, manager):
    proxy = start_with(daemon(), manager, **watchdog())
    beats(manager, 2)
    worker = proxy.workers_of(proxy.master())[0]
    os.kill(worker, signal.SIGSTOP)
    silent_since = time.time()
    while (message := manager.next(2 * WATCHDOG_SECONDS)) is not None:  # of before
        assert message.time <= silent_since + WATCHDOG_SECONDS / 2
    os.kill(worker, signal.SIGCONT)
    beats(manager, 2)


def test_a_worker_that_dies_is_replaced_and_watched(daemon, manager):
    proxy = start_with(daemon(), manager, **watchdog())
    worker = proxy.workers_of(proxy.master())[0]
    beats(manager, 1)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: set(proxy.workers_of(proxy.master())) - {worker}, "another worker runs")
    manager.waiting()
    times = beats(manager, 4)
    assert max(after - before for before, after in zip(times, times[1:])) <= WATCHDOG_SECONDS / 2


def test_a_worker_that_only_finishes_its_sessions_is_not_watched(daemon, manager):
    """It may hang on its last session without harm to anybody else."""
    proxy = start_with(daemon(), manager, **watchdog())
    old = proxy.workers_of(proxy.master())[0]
    with connect(proxy.ports[0]) as client:
        assert client.recv(100) == GREETING
        proxy.signal(signal.SIGHUP)
        wait_until(lambda: proxy.serving_workers_of(proxy.master()) not in ([], [old]), "a new worker")
        os.kill(old, signal.SIGSTOP)
        manager.waiting()
        times = beats(manager, 4)
        assert max(after - before for before, after in zip(times, times[1:])) <= WATCHDOG_SECONDS / 2
        os.kill(old, signal.SIGCONT)


@pytest.mark.parametrize("variables", [{}, watchdog(WATCHDOG_PID="1"), {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "often"}],
                         ids=["not wanted", "of another process", "zero", "no number"])
def test_no_watchdog(daemon, manager, variables):
    start_with(daemon(), manager, **variables)
    manager.wait_for(READY="1")
    assert manager.next(WATCHDOG_SECONDS) is None


def test_an_upgrade(daemon, manager):
    """The new master introduces itself, and is watched from then on; nobody says that the service ends."""
    proxy = daemon()
    proxy.start(handing_over(proxy.command("-e", "stderr"), pid_variables=["WATCHDOG_PID"]), env=manager.environment(**watchdog()))
    old, new = proxy.upgrade()
    manager.wait_for(READY="1", MAINPID=str(new))
    proxy.signal(signal.SIGQUIT, old)
    proxy.only(new, gone=old)
    manager.waiting()
    times = beats(manager, 4)
    assert max(after - before for before, after in zip(times, times[1:])) <= WATCHDOG_SECONDS / 2
    assert not any("STOPPING" in message for message in manager.messages)
    proxy.signal(signal.SIGTERM)
    manager.wait_for(STOPPING="1")


def test_an_upgrade_that_is_taken_back(daemon, manager):
    proxy = daemon().start(env=manager.environment())
    old, new = proxy.upgrade()
    manager.wait_for(READY="1", MAINPID=str(new))
    proxy.signal(signal.SIGWINCH, old)
    wait_until(lambda: not proxy.workers_of(old), "its worker has ended")
    proxy.signal(signal.SIGTERM, new)
    manager.wait_for(READY="1", MAINPID=str(old))
    proxy.only(old, gone=new)
    assert not any("STOPPING" in message for message in manager.messages)


def start_activated(proxy, sockets, **options):
    return proxy.start(handing_over(proxy.command("-e", "stderr"), sockets), pass_fds=[one.fileno() for one in sockets], **options)


@pytest.mark.parametrize("foreground", [False, True], ids=["daemon", "foreground"])
def test_sockets_of_the_manager_are_served_and_stay_its_own(daemon, sockets, foreground):
    own = free_port()
    proxy = daemon(*map(name_of, sockets), f"127.0.0.1:{own}")
    start_activated(proxy, sockets, foreground=foreground)
    addresses = [one.getsockname() for one in sockets]
    assert all(map(greets, (*addresses, ("127.0.0.1", own))))
    old = proxy.workers_of(proxy.master())
    proxy.signal(signal.SIGHUP)
    wait_until(lambda: set(proxy.serving_workers_of(proxy.master())) - set(old), "a new worker")
    assert all(map(greets, addresses))
    old, new = proxy.upgrade()
    proxy.signal(signal.SIGQUIT, old)
    proxy.only(new, gone=old)
    assert all(map(greets, addresses))
    proxy.signal(signal.SIGTERM)
    wait_until(lambda: not proxy.everyone(), "it has ended")
    assert os.path.exists(addresses[1])
    start_activated(proxy, sockets)  # as at the next start of the service
    assert all(map(greets, addresses))


def test_who_waits_for_the_service_to_start_is_served(daemon, sockets):
    with connect(sockets[0].getsockname()[1]) as early:
        start_activated(daemon(name_of(sockets[0])), sockets[:1])
        assert early.recv(100) == GREETING


def test_a_socket_that_no_listen_names(daemon, sockets):
    proxy = daemon(name_of(sockets[0]))
    start_activated(proxy, sockets)
    assert proxy.log_lines(NO_LISTEN.format(name_of(sockets[1])))
    assert not proxy.log_lines(NO_LISTEN.format(name_of(sockets[0])))
    assert greets(sockets[0].getsockname())
    assert os.path.exists(sockets[1].getsockname())


def test_sockets_that_are_meant_for_another_process(daemon, sockets):
    """It binds its own: LISTEN_PID is of whoever started it."""
    port = free_port()
    proxy = daemon(f"127.0.0.1:{port}")
    proxy.start(env={**os.environ, "LISTEN_FDS": "2", "LISTEN_PID": "1"})
    assert greets(("127.0.0.1", port)) and not proxy.log_lines("inherited")


def test_a_descriptor_that_does_not_listen(daemon, folder):
    proxy = daemon()
    with socket.socket() as fresh:
        ran = subprocess.run(handing_over(proxy.command("-e", "stderr"), [fresh]), pass_fds=[fresh.fileno()],
                             capture_output=True, text=True, timeout=10)
    assert ran.returncode == 1
    assert "[emerg]" in ran.stderr and "inherited descriptor 3 is not a listening socket" in ran.stderr
    assert not proxy.everyone()


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="systemd-socket-activate is not installed")
def test_systemds_own_program(daemon):
    """It starts the service when the first client comes."""
    port = free_port()
    proxy = daemon(f"127.0.0.1:{port}")
    program = subprocess.Popen(["systemd-socket-activate", "-l", f"127.0.0.1:{port}",
                                *proxy.command("-e", "stderr", "-g", "daemon off;")], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_listening(port), "systemd's program listens")
        with connect(port) as client:
            assert client.recv(100) == GREETING
        assert proxy.master() == program.pid
    finally:
        program.terminate()
        assert program.wait(10) == 0
    assert not is_alive(program.pid)
