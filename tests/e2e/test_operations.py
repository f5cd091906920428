"""All that administrators do to a mail proxy at work, while 200 clients come, log in, are relayed and go. None is
refused, none is lost: the clients count. The sessions of a worker that is killed are the only exception."""

import collections
import glob
import os
import re
import signal

import pytest
from support.daemon import Daemon, age_seconds
from support.load import Load, LoadServers
from support.ports import connect, free_port, is_listening, wait_until
from support.proxy import postern_binary

SESSIONS = 200
SESSIONS_BETWEEN = 50  # that come and go between two operations
MODES = {"plain": "", "starttls": "", "implicit": "ssl"}
SHORT_LIFE_SECONDS = 1  # a worker that dies sooner is not replaced at once


class Site:
    """A proxy under load, and what its administrator does."""

    def __init__(self, folder, pki):
        self.servers = LoadServers()
        self.ports = {protocol: {"plain": (plain := free_port()), "starttls": plain, "implicit": free_port()}
                      for protocol in ("imap", "pop3", "smtp")}
        self.certificate = pki.authority.issue("*.mail.test")
        self.generation, self.extra, self.rotated = 0, None, {}
        everyone = [port for ports in self.ports.values() for port in ports.values()]
        self.daemon = Daemon(folder, self.mail(), sorted(set(everyone)), main="worker_processes 2;")
        self.load = Load(self.ports, SESSIONS)

    def mail(self):
        lines = [f"auth_http 127.0.0.1:{self.servers.ports['service']}/; server_name g{self.generation}.mail.test;",
                 f"ssl_certificate {self.certificate.path}; ssl_certificate_key {self.certificate.key_path};",
                 "starttls on; proxy_smtp_auth on; xclient off; imap_auth plain; pop3_auth plain; smtp_auth login plain;"]
        for protocol, ports in self.ports.items():
            lines += [f"server {{ listen 127.0.0.1:{ports['plain']}; protocol {protocol}; }}",
                      f"server {{ listen 127.0.0.1:{ports['implicit']} ssl; protocol {protocol}; }}"]
        if self.extra:
            lines.append(f"server {{ listen 127.0.0.1:{self.extra}; protocol pop3; }}")
        return "\n".join(lines)

    def close(self):
        self.load.close()
        self.daemon.stop()
        self.servers.close()

    def settle(self):
        """All that there may be is there, in all phases, and many have come and gone: only then an operation shows
        something."""
        enough = self.load.look()["complete"] + SESSIONS_BETWEEN

        def settled():
            seen = self.load.look()
            return (seen["complete"] >= enough and seen["now"] == SESSIONS
                    and all(seen.get(phase) for phase in ("greeting", "login", "relay")))
        self.wait(settled, "sessions in all phases")

    def wait(self, condition, what):
        wait_until(condition, f"{what}\n{self.daemon.log()[-2000:]}", 30)

    def greeting(self):
        with connect(self.ports["smtp"]["plain"]) as client:
            return client.recv(200).decode()

    def logged(self, pattern):
        return len(self.daemon.log_lines(pattern))

    def serves(self, generation):
        return self.greeting() == f"220 g{generation}.mail.test ESMTP ready\r\n"

    def reload(self):
        """With a server more or one less each time; new clients see the new configuration."""
        before, self.extra = self.extra, None if self.extra else free_port()
        self.generation += 1
        old = self.daemon.workers_of(self.daemon.master())
        self.daemon.write(self.mail())
        self.daemon.signal(signal.SIGHUP)
        self.wait(lambda: self.serves(self.generation), "the new configuration is in force")
        for port, wanted in ((before, False), (self.extra, True)):
            if port:
                self.wait(lambda: is_listening(port) == wanted, "servers are those of the new configuration")
        assert set(self.daemon.workers_of(self.daemon.master())) - set(old)

    def reload_in_vain(self):
        errors = self.logged(r"\[emerg\]")
        workers = self.daemon.workers_of(self.daemon.master())
        self.daemon.write(self.mail().replace("server_name g", "server_name bad") + "nonsense on;")
        self.daemon.signal(signal.SIGHUP)
        self.wait(lambda: self.logged(r"\[emerg\].* unknown directive \"nonsense\"") > errors, "the error is logged")
        assert self.serves(self.generation)
        assert not set(self.daemon.workers_of(self.daemon.master())) - set(workers)
        self.daemon.write(self.mail())

    def reopen(self):
        """As logrotate does. All processes turn to the new file, sessions that outlived a reload too."""
        log = self.daemon.error_log
        old = f"{log}.{len(self.rotated) + 1}"
        os.rename(log, old)
        self.daemon.signal(signal.SIGUSR1)
        self.wait(lambda: os.path.exists(log), "the new log is there")
        self.wait(lambda: not any(has_open(pid, old) for pid in self.daemon.everyone()), "nobody has the old one")
        self.rotated[old] = os.path.getsize(old)

    def retire(self, old, new):
        """WINCH: only the new master has workers that take new clients."""
        self.settle()
        self.daemon.signal(signal.SIGWINCH, old)
        self.wait(lambda: not self.daemon.serving_workers_of(old), "the old workers take nobody new")
        assert self.daemon.serving_workers_of(new)
        self.settle()

    def upgrade(self):
        self.daemon.install(postern_binary())
        old, new = self.daemon.upgrade()
        self.retire(old, new)
        self.daemon.signal(signal.SIGQUIT, old)
        self.daemon.only(new, gone=old)

    def upgrade_and_back(self):
        self.daemon.install(postern_binary())
        old, new = self.daemon.upgrade()
        self.retire(old, new)
        self.daemon.signal(signal.SIGHUP, old)
        self.wait(lambda: self.daemon.serving_workers_of(old), "the old one serves again")
        self.daemon.signal(signal.SIGQUIT, new)
        self.daemon.only(old, gone=new)

    def upgrade_in_vain(self):
        """What was installed does not run."""
        old = self.daemon.master()
        workers = self.daemon.workers_of(old)
        self.daemon.install_text("#!/bin/sh\nexit 1\n")
        ended = self.logged("new binary process .* exited with code 1")
        self.daemon.signal(signal.SIGUSR2, old)
        self.wait(lambda: self.logged("new binary process .* exited with code 1") > ended, "its end is logged")
        wait_until(lambda: self.daemon.pid_in(".oldbin") is None and self.daemon.pid_in() == old, "the pid file is back")
        assert set(self.daemon.serving_workers_of(old)) <= set(workers)
        self.daemon.install(postern_binary())

    def kill_worker(self):
        """The one that serves: those of older configurations keep their sessions."""
        self.reload()
        self.settle()
        victim, *others = sorted(self.daemon.workers_of(self.daemon.master()), key=age_seconds)
        wait_until(lambda: age_seconds(victim) > SHORT_LIFE_SECONDS + 0.1, "it has lived for a while")
        result = self.load.kill(victim, others)
        assert result["doomed"] > 0
        assert result["served_after"] <= 1, result
        self.wait(lambda: self.logged(f"worker process {victim} exited on signal 6"), "its death is logged")
        return result


def has_open(pid, path):
    try:
        return any(os.readlink(f"/proc/{pid}/fd/{name}") == path for name in os.listdir(f"/proc/{pid}/fd"))
    except FileNotFoundError:
        return False  # it, or a descriptor, is gone; a process is asked again


@pytest.fixture
def site(folder, pki):
    site = Site(folder, pki)
    yield site
    print(site.daemon.log()[-4000:])
    site.close()


def check_logs(site, report):
    """No line got lost between two files, and none came to a file that was put away."""
    daemon, source = site.daemon, re.escape(site.load.source)
    lines = []
    for path in (daemon.error_log, *site.rotated):
        with open(path, errors="surrogateescape") as file:
            lines += file.read().splitlines()
    assert {path: os.path.getsize(path) for path in site.rotated} == site.rotated
    assert sorted(site.rotated) == sorted(glob.glob(daemon.error_log + ".*"))
    connected = collections.Counter(found.group(1) for line in lines
                                    if (found := re.search(rf" client {source}:(\d+) connected to ", line)))
    # A session that was killed before its greeting may have been logged or not.
    assert not collections.Counter(report["greeted"]) - connected
    assert connected.total() <= report["begun"]
    done = sum(bool(re.search(rf" proxied session done, client: {source}[, ]", line)) for line in lines)
    assert report["complete"] <= done <= report["complete"] + report["cut"]
    return lines


def test_nobody_is_refused_or_lost(site):
    steps = [site.reload, site.reload, site.reload_in_vain, site.reopen, site.kill_worker, site.reload, site.reload,
             site.reload, site.upgrade, site.reload, site.reopen, site.reload, site.reload, site.upgrade_in_vain,
             site.reopen, site.reload, site.reload_in_vain, site.reload, site.upgrade_and_back, site.reload, site.reload,
             site.kill_worker, site.reload, site.reopen, site.reload, site.upgrade, site.reload, site.reopen, site.reload,
             site.reload, site.reload]
    for step in steps:
        site.settle()
        print(step.__name__, step() or "", site.load.look())
    report = site.load.stop()
    print({name: value for name, value in report.items() if name != "greeted"})
    assert site.generation == 20 and len(site.rotated) == 5
    assert report["unexpected"] == [] and report["unexpected_count"] == 0
    assert report["complete"] + sum(report["allowed"].values()) == report["begun"]
    assert report["complete"] > 5 * SESSIONS
    site.wait(lambda: len(site.daemon.everyone()) == 2, "no worker stays that has nothing to do")
    lines = check_logs(site, report)
    severe = [line for line in lines if re.search(r"\[(warn|error|crit|alert|emerg)\]", line)
              and not re.search(r"exited on signal 6|unknown directive \"nonsense\"", line)]
    assert severe == []
