"""The network fails: packets are lost on either side of the proxy, all of them for a while, or for ever. What is delayed
arrives, in order and whole; what is dead is ended by its time limit; the rest goes on."""

import time

import pytest
from support.backend_front import ACCEPTED
from support.fault_site import PROTOCOLS, FaultSite, login_at, running
from support.live_sessions import LiveSessions
from support.lossy_network import lossy_network, why_not
from support.ports import connect, free_port, wait_until

REASON = why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
LIMIT_SECONDS = 60  # of one answer: TCP sends again after 0.2, 0.4, 0.8 ... seconds


class Site(FaultSite):
    def __init__(self, server, pki, loss):
        self.loss = loss
        self.hasty = {protocol: free_port() for protocol in PROTOCOLS}
        super().__init__(server, pki, count=0)

    def _mail(self, pki, directives, more):
        hasty = "".join(f"server {{ listen 127.0.0.1:{port}; protocol {protocol}; timeout 1s; proxy_timeout 1s; }}\n"
                        for protocol, port in self.hasty.items())
        return super()._mail(pki, "proxy_timeout 1h; timeout 60s;", hasty)

    def ports_towards_server(self, protocol):
        """Of the proxy's connections to that mailbox server."""
        server = ":%04X" % self.servers.ports[protocol]
        with open("/proc/thread-self/net/tcp") as table:
            rows = [line.split() for line in table]
        return {int(row[1].split(":")[1], 16) for row in rows if row[2].endswith(server) and row[3] == "01"}

    def sides(self, which):
        """Ports on that side of the proxy."""
        listens = [port for ports in self.ports.values() for port in ports.values()]
        return {"clients": listens, "servers": [self.servers.ports[protocol] for protocol in PROTOCOLS],
                "service": [self.servers.ports["service"]]}[which]


@pytest.fixture(scope="module")
def site(pki):
    with lossy_network() as loss, running(lambda server: Site(server, pki, loss)) as site:
        yield site
        loss.heal()


@pytest.mark.parametrize("which", ["clients", "servers"])
def test_half_of_the_packets_are_lost(site, which):
    live = LiveSessions(site.ports, 10, limit_seconds=LIMIT_SECONDS)
    site.loss.lose(site.sides(which), 50)
    try:
        before = sum(live.exchanged)
        wait_until(lambda: sum(live.exchanged) > before + 20, "something gets through", LIMIT_SECONDS)
        assert live.slowest > 0.15  # or nothing was lost
    finally:
        site.loss.heal()
    live.check()
    live.stop()
    LiveSessions(site.ports, 5).stop()


@pytest.mark.parametrize("which", ["clients", "servers", "service"])
def test_logins_with_losses(site, which):
    site.loss.lose(site.sides(which), 8)
    try:
        LiveSessions(site.ports, 10, limit_seconds=LIMIT_SECONDS).stop()
    finally:
        site.loss.heal()
    LiveSessions(site.ports, 5).stop()


@pytest.mark.parametrize("which", ["clients", "servers"])
def test_the_cable_is_pulled_for_a_while(site, which):
    """Nobody hears anything, and nobody is ended; then all goes on where it was."""
    live = LiveSessions(site.ports, 10, limit_seconds=LIMIT_SECONDS)
    site.loss.lose(site.sides(which), 100)
    silent_since, exchanged = time.monotonic(), None

    def is_silent_for_long():
        nonlocal silent_since, exchanged
        if exchanged != list(live.exchanged):
            silent_since, exchanged = time.monotonic(), list(live.exchanged)
        return time.monotonic() - silent_since > 1
    wait_until(is_silent_for_long, "silence", LIMIT_SECONDS)
    site.loss.heal()
    live.check()
    live.stop()


@pytest.mark.parametrize("protocol,side", [("imap", "client"), ("imap", "server"), ("pop3", "server"), ("smtp", "client")])
def test_one_side_is_gone_without_a_word(site, protocol, side):
    """A relayed session that nothing moves in ends after `proxy_timeout`; the others don't notice."""
    live = LiveSessions(site.ports, 5)
    ended = r"client timed out \(110: Connection timed out\) while proxying.*, server: 127.0.0.1:%d" % site.hasty[protocol]
    before = len(site.proxy.log_lines(ended))
    others = site.ports_towards_server(protocol)
    with login_at(site.hasty[protocol], protocol) as (client, _, heard):
        assert heard.startswith(ACCEPTED[protocol])
        site.loss.lose([client.getsockname()[1]] if side == "client" else site.ports_towards_server(protocol) - others, 100)
        if side == "server":
            client.sendall(b"a NOOP\r\n")
        wait_until(lambda: len(site.proxy.log_lines(ended)) > before, "its end", 20)
        site.loss.heal()
    live.check()
    live.stop()


def test_a_client_is_gone_before_its_login(site):
    for protocol in PROTOCOLS:
        with connect(site.hasty[protocol]) as client:
            client.recv(1)
            site.loss.lose([client.getsockname()[1]], 100)
            ended = r"client timed out \(110: Connection timed out\).*, server: 127.0.0.1:%d" % site.hasty[protocol]
            wait_until(lambda: site.proxy.log_lines(ended), "its end", 20)
            site.loss.heal()
    LiveSessions(site.ports, 5).stop()
