"""The running binary is replaced: USR2, and what WINCH, QUIT, HUP and TERM then do to the old master and the new one.
Each step is looked at alone here; test_operations.py does it under load."""

import contextlib
import fcntl
import json
import os
import pty
import signal
import socket
import struct
import termios

import pytest
from support.daemon import Daemon, processes_of
from support.load import LoadServers
from support.ports import connect, free_port, is_listening, wait_until
from support.processes import is_alive
from support.proxy import postern_binary

GREETING = b"+OK POP3 ready\r\n"
SOCKETS_VARIABLE = "POSTERN"
IGNORED = r"the signal is ignored"


@pytest.fixture(scope="module")
def servers():
    programs = LoadServers()
    yield programs
    programs.close()


@pytest.fixture
def daemon(folder, servers):
    """daemon(listens...): a daemon that serves POP3 there."""
    made = []

    def make(*listens, **options):
        made.append(Daemon(folder, "", start=False, **options))
        configure(made[0], servers, *(listens or (f"127.0.0.1:{free_port()}",)))
        return made[0]
    yield make
    for one in made:
        print(one.log()[-4000:])
        one.stop()
        assert not processes_of(one.binary)


def configure(daemon, servers, *listens):
    blocks = "".join(f"server {{ listen {one}; protocol pop3; }}\n" for one in listens)
    daemon.write(f"auth_http 127.0.0.1:{servers.ports['service']}/; pop3_auth plain; {blocks}")
    daemon.ports = [int(one.rsplit(":", 1)[1]) for one in listens if one.rsplit(":", 1)[-1].isdigit()]


def greets(where):
    """A new client is greeted. `where`: a port, or the path of a UNIX socket."""
    with socket.socket(socket.AF_UNIX) if isinstance(where, str) else connect(where) as client:
        client.settimeout(10)
        if isinstance(where, str):
            client.connect(where)
        assert client.recv(100) == GREETING
    return True


class Session:
    """A client whose mailbox is open."""

    def __init__(self, port):
        self.client = connect(port)
        self.lines = self.client.makefile("rb")
        assert self.lines.readline() == GREETING
        self.ask(b"USER quick1")
        self.ask(b"PASS x")
        self.works()

    def ask(self, line):
        self.client.sendall(line + b"\r\n")
        answer = self.lines.readline()
        assert answer.startswith(b"+OK"), answer
        return answer

    def works(self):
        assert self.ask(b"ECHO here") == b"+OK quick1 ECHO here\r\n"

    def close(self):
        self.ask(b"QUIT")
        assert self.lines.read() == b""
        self.client.close()
        self.lines.close()


def inodes(ports):
    """What listens on these ports: the kernel's numbers of the sockets."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as rows:
            for row in (line.split() for line in rows):
                port = row[1].rsplit(":", 1)[-1]
                if row[3] == "0A" and int(port, 16) in ports:
                    found[int(port, 16), table] = row[9]
    return found


@pytest.mark.parametrize("foreground", [False, True], ids=["daemon", "foreground"])
def test_an_upgrade_step_by_step(daemon, foreground):
    proxy = daemon().start(foreground=foreground)
    port = proxy.ports[0]
    session = Session(port)
    proxy.install(postern_binary())
    old, new = proxy.upgrade()
    assert os.readlink(f"/proc/{old}/exe").endswith("(deleted)") and os.readlink(f"/proc/{new}/exe") == proxy.binary
    assert proxy.serving_workers_of(old) and proxy.serving_workers_of(new)

    proxy.signal(signal.SIGWINCH, old)
    wait_until(lambda: not proxy.serving_workers_of(old), "its worker takes nobody new")
    assert (proxy.pid_in(), proxy.pid_in(".oldbin")) == (new, old)
    assert greets(port)
    session.works()

    proxy.signal(signal.SIGQUIT, old)
    wait_until(lambda: proxy.log_lines(rf"{old}#.*signal 3 \(SIGQUIT\) received"), "the old master knows")
    session.works()
    assert is_alive(old) and greets(port)
    session.close()
    proxy.only(new, gone=old)
    assert greets(port)


@pytest.mark.parametrize("way", ["from its folder", "by PATH", "through a link"])
def test_names_that_are_relative(daemon, folder, way):
    proxy = daemon()
    arguments = ["-p", "postern", "-c", "proxy.conf", "-e", "stderr"]
    environment = dict(os.environ)
    if way == "by PATH":
        command, environment["PATH"] = ["postern-binary"], f"/nowhere:{folder}:{environment['PATH']}"
    elif way == "through a link":
        os.symlink("postern-binary", os.path.join(folder, "current"))
        command = [os.path.join(folder, "current")]
    else:
        command = ["./postern-binary"]
    proxy.start([*command, *arguments], cwd=folder, env=environment)
    if way == "through a link":  # a new version beside the old one: the link is what is started
        os.rename(proxy.binary, proxy.binary + ".1")
        os.unlink(os.path.join(folder, "current"))
        proxy.install(postern_binary())
        os.symlink("postern-binary", os.path.join(folder, "current"))
    old, new = proxy.upgrade()
    assert os.readlink(f"/proc/{new}/exe") == proxy.binary
    proxy.signal(signal.SIGQUIT, old)
    proxy.only(new, gone=old)
    assert greets(proxy.ports[0])


@pytest.mark.parametrize("back", [False, True], ids=["there", "and back"])
def test_all_sockets_are_handed_on(daemon, folder, back):
    """The very same ones: who waits in their queues is not lost."""
    paths = [os.path.join(folder, f"{name}.sock") for name in "ab"]
    first = free_port()
    listens = [f"127.0.0.1:{free_port()}", f"*:{free_port()}", f"[::1]:{free_port()}", f"127.0.0.2:{first}",
               f"127.0.0.3:{first}"]
    proxy = daemon(*listens, *(f"unix:{path}" for path in paths)).start()
    before, files = inodes(proxy.ports), [os.stat(path).st_ino for path in paths]
    assert len(before) >= 4
    old, new = proxy.upgrade()
    ending, staying = (new, old) if back else (old, new)
    if back:
        proxy.signal(signal.SIGWINCH, old)
        wait_until(lambda: not proxy.serving_workers_of(old), "its worker takes nobody new")
        proxy.signal(signal.SIGHUP, old)
        wait_until(lambda: proxy.serving_workers_of(old), "it has a worker again")
    proxy.signal(signal.SIGQUIT, ending)
    proxy.only(staying, gone=ending)
    assert inodes(proxy.ports) == before and [os.stat(path).st_ino for path in paths] == files
    assert all(map(greets, (proxy.ports[0], proxy.ports[1], *paths)))
    with connect(first, "127.0.0.2") as client, connect(proxy.ports[2], "::1") as other:
        assert client.recv(100) == other.recv(100) == GREETING
    proxy.signal(signal.SIGTERM, staying)
    wait_until(lambda: not proxy.everyone(), "it has ended")
    assert not any(map(os.path.exists, (*paths, proxy.pid_file, proxy.pid_file + ".oldbin")))


def test_sockets_that_the_new_configuration_has_not(daemon, servers):
    kept, dropped, added = (free_port() for _ in range(3))
    proxy = daemon(*(f"127.0.0.1:{port}" for port in (kept, dropped))).start()
    configure(proxy, servers, *(f"127.0.0.1:{port}" for port in (kept, added)))
    old, new = proxy.upgrade()
    assert proxy.log_lines(rf"\[notice\].*inherited socket 127\.0\.0\.1:{dropped} has no \"listen\" in the configuration, closed")
    assert greets(kept) and greets(added) and greets(dropped)  # the old one is there still
    proxy.signal(signal.SIGQUIT, old)
    proxy.only(new, gone=old)
    assert not is_listening(dropped)
    assert greets(kept) and greets(added)


@pytest.mark.parametrize("back", [False, True], ids=["there", "and back"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_files_of_unix_sockets_that_only_one_of_the_two_has(daemon, servers, folder, when, back):
    """Before or after the upgrade the configuration loses one and gets another."""
    kept, dropped, added = (os.path.join(folder, f"{name}.sock") for name in ("kept", "dropped", "added"))
    proxy = daemon(*(f"unix:{path}" for path in (kept, dropped))).start()
    configuration = servers, *(f"unix:{path}" for path in (kept, added))
    if when == "before":
        configure(proxy, *configuration)
    old, new = proxy.upgrade()
    if when == "after":
        configure(proxy, *configuration)
        proxy.signal(signal.SIGHUP, new)
    wait_until(lambda: os.path.exists(added) and greets(added), "the new one listens")
    assert greets(kept) and greets(dropped)
    ending, staying = (new, old) if back else (old, new)
    proxy.signal(signal.SIGQUIT, ending)
    proxy.only(staying, gone=ending)
    mine, gone = (dropped, added) if back else (added, dropped)
    assert greets(kept) and greets(mine) and not os.path.exists(gone)
    proxy.signal(signal.SIGTERM, staying)
    wait_until(lambda: not proxy.everyone(), "it has ended")
    assert not any(map(os.path.exists, (kept, dropped, added)))


def test_a_second_upgrade_waits_for_the_end_of_the_first(daemon):
    proxy = daemon().start()
    session = Session(proxy.ports[0])
    old, new = proxy.upgrade()
    for number, master in enumerate((old, new), 1):
        proxy.signal(signal.SIGUSR2, master)
        wait_until(lambda: len(proxy.log_lines(IGNORED)) == number, "it says so")
    proxy.signal(signal.SIGQUIT, old)
    wait_until(lambda: not proxy.serving_workers_of(old), "the old one is ending")
    for number, master in enumerate((old, new), 3):
        proxy.signal(signal.SIGUSR2, master)
        wait_until(lambda: len(proxy.log_lines(IGNORED)) == number, "it says so")
    assert (proxy.pid_in(), proxy.pid_in(".oldbin")) == (new, old)
    session.close()
    proxy.only(new, gone=old)
    assert proxy.upgrade()[0] == new


def test_many_upgrades_leave_nothing_behind(daemon):
    proxy = daemon().start()
    descriptors = []
    for _ in range(4):
        old, new = proxy.upgrade()
        proxy.signal(signal.SIGQUIT, old)
        proxy.only(new, gone=old)
        descriptors.append(len(os.listdir(f"/proc/{new}/fd")))
    assert len(set(descriptors)) == 1
    assert len(proxy.everyone()) == 2 and greets(proxy.ports[0])


def test_what_the_new_binary_is_given(daemon, folder):
    """The same arguments and environment, the listening sockets, and nothing else that was open."""
    proxy = daemon(*(f"127.0.0.1:{free_port()}" for _ in range(2)))
    command = proxy.command("-e", "stderr")
    proxy.start(command, env={**os.environ, "MARK": "of this test"})
    for _ in range(2):  # the second time from a master that was itself given them
        given = os.path.join(folder, "given")
        proxy.install_text(f"""#!/usr/bin/python3
import json, os, signal, sys
links = {{int(name): os.readlink(f"/proc/self/fd/{{name}}") for name in os.listdir("/proc/self/fd")
         if os.path.lexists(f"/proc/self/fd/{{name}}")}}
with open("{given}.new", "w") as out:
    json.dump([sys.argv, dict(os.environ), links, sorted(signal.pthread_sigmask(0, []))], out)
os.rename("{given}.new", "{given}")
sys.exit(1)
""")
        master = proxy.master()
        proxy.signal(signal.SIGUSR2)
        wait_until(lambda: os.path.exists(given), "it was started")
        wait_until(lambda: proxy.pid_in() == master and proxy.pid_in(".oldbin") is None, "the pid file is back")
        with open(given) as file:
            arguments, environment, links, blocked = json.load(file)
        os.unlink(given)
        assert arguments == command and environment["MARK"] == "of this test" and blocked == []
        assert {name: environment.get(name) for name in os.environ} == dict(os.environ)
        sockets = {f"socket:[{inode}]" for inode in inodes(proxy.ports).values()}
        assert len(sockets) == 2
        handed = [int(number) for number in environment[SOCKETS_VARIABLE].rstrip(";").split(";")]
        assert {links[str(number)] for number in handed} == sockets and len(handed) == 2
        assert {int(number) for number in links} == {0, 1, 2, *handed}
        proxy.install(postern_binary())
        old, new = proxy.upgrade()
        proxy.signal(signal.SIGQUIT, old)
        proxy.only(new, gone=old)


NEW_ENDS = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL]


@pytest.mark.parametrize("retired", [False, True], ids=["beside the old", "after WINCH"])
@pytest.mark.parametrize("number", NEW_ENDS, ids=lambda one: one.name)
def test_the_new_one_ends_and_the_old_one_goes_on(daemon, number, retired):
    """After WINCH too: the old one starts a worker again by itself."""
    proxy = daemon().start()
    session = Session(proxy.ports[0])
    old, new = proxy.upgrade()
    if retired:
        proxy.signal(signal.SIGWINCH, old)
        wait_until(lambda: not proxy.serving_workers_of(old), "its worker takes nobody new")
    workers = proxy.workers_of(new)
    proxy.signal(number, new)
    if number == signal.SIGKILL:
        wait_until(lambda: not is_alive(new), "it is gone")
        for pid in workers:
            os.kill(pid, signal.SIGKILL)  # nobody else does
    proxy.only(old, gone=new)
    session.works()
    assert greets(proxy.ports[0])
    session.close()
    assert proxy.upgrade()[0] == old


@pytest.mark.parametrize("retired", [False, True], ids=["beside the new", "after WINCH"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda one: one.name)
def test_the_old_one_ends_and_the_new_one_goes_on(daemon, number, retired):
    proxy = daemon().start()
    old, new = proxy.upgrade()
    session = Session(proxy.ports[0])
    if retired:
        proxy.signal(signal.SIGWINCH, old)
        wait_until(lambda: not proxy.workers_of(old) or not proxy.serving_workers_of(old), "it takes nobody new")
    workers = proxy.workers_of(old)
    proxy.signal(number, old)
    wait_until(lambda: not is_alive(old), "it is gone")
    if number == signal.SIGKILL:
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    else:
        proxy.only(new, gone=old)
    wait_until(lambda: set(proxy.everyone()) == {new, *proxy.workers_of(new)}, "nothing of it stays")
    assert greets(proxy.ports[0]) and proxy.master() == new
    with contextlib.closing(session.client):
        assert proxy.upgrade()[0] == new


BROKEN = {"ends at once": "#!/bin/sh\nexit 1\n", "is no program": "nothing that can be run\n", "is not there": None}


@pytest.mark.parametrize("what", BROKEN)
def test_a_new_binary_that_does_not_run(daemon, what):
    proxy = daemon().start()
    master, text = proxy.master(), BROKEN[what]
    if text is None:
        os.unlink(proxy.binary)
    else:
        proxy.install_text(text)
    proxy.signal(signal.SIGUSR2)
    wait_until(lambda: proxy.log_lines(rf"{master}#.*new binary process \d+ exited with code [12]"), "its end is logged")
    if text is None or "#!" not in text:
        assert proxy.log_lines(r'\[alert\].*execve\(\) failed while executing new binary process "\S+postern-binary" \(')
    wait_until(lambda: proxy.pid_in() == master and proxy.pid_in(".oldbin") is None, "the pid file is back")
    assert greets(proxy.ports[0])
    proxy.install(postern_binary())
    assert proxy.upgrade()[0] == master


def test_a_new_configuration_that_is_wrong(daemon):
    proxy = daemon().start()
    master = proxy.master()
    with open(proxy.configuration) as file:
        good = file.read()
    proxy.write("nonsense;")
    proxy.signal(signal.SIGUSR2)
    wait_until(lambda: proxy.log_lines(rf"{master}#.*new binary process \d+ exited with code 1"), "its end is logged")
    wait_until(lambda: proxy.pid_in() == master and proxy.pid_in(".oldbin") is None, "the pid file is back")
    assert greets(proxy.ports[0])
    with open(proxy.configuration, "w") as out:
        out.write(good)
    assert proxy.upgrade()[0] == master


def test_winch_alone_and_hup(daemon):
    """A master without workers: who comes meanwhile waits, and is served after HUP."""
    proxy = daemon().start()
    master = proxy.master()
    session = Session(proxy.ports[0])
    proxy.signal(signal.SIGWINCH)
    wait_until(lambda: not proxy.serving_workers_of(master), "nobody new is taken")
    session.works()
    session.close()
    wait_until(lambda: not proxy.workers_of(master), "the worker has ended")
    with connect(proxy.ports[0]) as waiting:
        proxy.signal(signal.SIGHUP, master)
        assert waiting.recv(100) == GREETING
    assert proxy.master() == master and greets(proxy.ports[0])


def test_a_window_that_changes_its_size(daemon):
    """The kernel sends WINCH to whoever runs in a terminal: that is no reason to stop serving."""
    proxy = daemon()
    ours, terminal = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0), os.fdopen(terminal, "rb", buffering=0):
        proxy.start(foreground=True, stdin=terminal, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        workers = proxy.workers_of(proxy.master())
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
        proxy.signal(signal.SIGUSR1)
        wait_until(lambda: proxy.log_lines(r"signal 10 \(SIGUSR1\) received"), "the next signal has come")
        assert not proxy.log_lines("shutting down")
        assert proxy.serving_workers_of(proxy.master()) == workers and greets(proxy.ports[0])
        proxy.stop()


def test_s_and_hup_go_to_the_new_one(daemon, servers):
    proxy = daemon().start()
    old, new = proxy.upgrade()
    added = free_port()
    configure(proxy, servers, f"127.0.0.1:{proxy.ports[0]}", f"127.0.0.1:{added}")
    assert proxy.run("-s", "reload").returncode == 0
    wait_until(lambda: is_listening(added), "the new configuration is in force")
    assert not proxy.log_lines(rf"{old}#.*SIGHUP")
    assert proxy.run("-s", "stop").returncode == 0
    proxy.only(old, gone=new)
    assert greets(proxy.ports[0])
    wait_until(lambda: not is_listening(added), "what the old one never had is closed")
