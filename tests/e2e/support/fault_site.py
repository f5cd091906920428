"""A proxy in front of servers that are well, with sessions that talk all the time, and whatever a test of faults
puts beside them."""

import contextlib

from .backend_front import ACCEPTED, FAILED, LOGIN
from .folder import temporary_folder
from .live_sessions import LiveSessions
from .load import LoadServers
from .ports import connect, free_port, wait_until
from .processes import children_of
from .proxy import Proxy

PROTOCOLS = ("imap", "pop3", "smtp")


@contextlib.contextmanager
def running(make):
    """A site for several tests: make(server) builds it."""
    with temporary_folder() as folder:
        site = make(lambda mail, ports, **options: Proxy("postern", folder, mail, ports, **options))
        try:
            yield site
        finally:
            site.close()
            site.proxy.stop()


@contextlib.contextmanager
def login_at(port, protocol):
    """(the client, its lines, the last line of the login)"""
    with connect(port) as client, client.makefile("rb") as lines:
        lines.readline()
        for line in LOGIN[protocol].splitlines(keepends=True):
            client.sendall(line.encode())
            heard = lines.readline()
        yield client, lines, heard


def visit(port, protocol):
    """The last line of the login, and all behind it until the proxy hangs up (or, if the login is well, nothing)."""
    with login_at(port, protocol) as (_, lines, heard):
        return heard, b"" if heard.startswith(ACCEPTED[protocol]) else lines.read()


class FaultSite:
    """`more`: further server blocks, on `more_ports`. `live` are the sessions (none with count=0)."""

    def __init__(self, server, pki, more="", more_ports=(), directives="", count=10, **options):
        self.servers = LoadServers()
        self.live = None
        self.ports = {protocol: {"plain": (plain := free_port()), "starttls": plain, "implicit": free_port()}
                      for protocol in PROTOCOLS}
        everyone = {port for ports in self.ports.values() for port in ports.values()} | set(more_ports)
        try:
            self.proxy = server(self._mail(pki, directives, more), sorted(everyone), **options)
            if count:
                self.live = LiveSessions(self.ports, count)
        except BaseException:
            self.servers.close()
            raise

    def _mail(self, pki, directives, more):
        lines = [f"auth_http 127.0.0.1:{self.servers.ports['service']}/; server_name mail.test; starttls on;",
                 f"ssl_certificate {pki.server.path}; ssl_certificate_key {pki.server.key_path};",
                 "proxy_smtp_auth on; xclient off; imap_auth plain; pop3_auth plain; smtp_auth login plain;", directives]
        for protocol, ports in self.ports.items():
            lines += [f"server {{ listen 127.0.0.1:{ports['plain']}; protocol {protocol}; }}",
                      f"server {{ listen 127.0.0.1:{ports['implicit']} ssl; protocol {protocol}; }}"]
        return "\n".join([*lines, more])

    def worker(self):
        """The one that serves."""
        workers = wait_until(lambda: children_of(self.proxy.program.pid), "there is a worker")
        assert len(workers) == 1, workers
        return workers[0]

    def logged(self, pattern, count=1, timeout=10):
        """Waits until so many lines of the log match, and returns all that do."""
        wait_until(lambda: len(self.proxy.log_lines(pattern)) >= count,
                   f"the log has {count} x {pattern}\n{self.proxy.log()[-3000:]}", timeout)
        return self.proxy.log_lines(pattern)

    def check_failure(self, port, protocol, log, what="", upstream=""):
        """A login fails: the client is told no more than that, and hung up on; the log says why."""
        before = len(self.proxy.log_lines(log))
        assert visit(port, protocol) == (FAILED[protocol], b""), what
        wait_until(lambda: len(self.proxy.log_lines(log)) > before, f"{log} {what}\n{self.proxy.log()[-1500:]}")
        assert f', server: 127.0.0.1:{port}, login: "bob"{upstream}' in self.proxy.log_lines(log)[-1]

    def check(self):
        """The sessions that talk go on, and who comes now is served."""
        if self.live:
            self.live.check()
        LiveSessions(self.ports, 5).stop()

    def close(self):
        """Asserts that none of the sessions has noticed anything."""
        live, self.live = self.live, None
        try:
            if live:
                live.stop()
        finally:
            self.servers.close()
