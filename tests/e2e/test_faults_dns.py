"""DNS answers late, wrongly or with garbage when a service or a mailbox server has to be found: what the client gets,
what the log says, that those who are relayed notice nothing, and that the next login works when DNS is well."""

import contextlib
import itertools
import socket

import pytest
from support.backend_front import ACCEPTED, FAILED, LOGIN
from support.fault_site import PROTOCOLS, FaultSite, running, visit
from support.ports import connect, free_port, wait_until
from support.scripted_dns import NXDOMAIN, REFUSED, SERVFAIL, A, ScriptedDns, Spoilt, at_once
from support.scripted_service import ScriptedService, ok

HERE = [socket.inet_aton("127.0.0.1")]
NO_ANSWER = r"\(110: Operation timed out\)"
# What is sent for the right reply; why the name is not found (None: it is).
FAULTS = {
    "a little late": (lambda reply: [(0.2, reply)], None),
    "too late": (lambda reply: [(1.5, reply)], NO_ANSWER),
    "nothing": (lambda reply: [], NO_ANSWER),
    "an empty packet": (lambda reply: at_once(b""), NO_ANSWER),
    "garbage": (lambda reply: at_once(bytes(range(256)) * 2), NO_ANSWER),
    "half a header": (lambda reply: at_once(reply[:5]), NO_ANSWER),
    "half an answer": (lambda reply: at_once(reply[:-6]), r"\(\d+: .+\)"),
    "another number": (lambda reply: at_once(other_number(reply)), NO_ANSWER),
    "another number, then the right one": (lambda reply: at_once(*[other_number(reply)] * 100, reply), None),
    "twice": (lambda reply: at_once(reply, reply), None),
    "a question for another name": (lambda reply: at_once(reply[:13] + b"x" + reply[14:]), NO_ANSWER),
    "a name that points at itself": (lambda reply: at_once(reply.replace(b"\xc0\x0c", end_of_question(reply))), r"\(\d+: .+\)"),
    "more records than there are": (lambda reply: at_once(reply[:6] + b"\xff\xff" + reply[8:]), r"\(\d+: .+\)"),
    "an address of three octets": (lambda reply: at_once(reply[:-6] + b"\0\3" + reply[-4:-1]), r"\(\d+: .+\)"),
    "the server fails": (SERVFAIL, r"\(2: Server failure\)"),
    "it refuses": (REFUSED, r"\(5: Operation refused\)"),
    "there is no such name": (NXDOMAIN, r"\(3: Host not found\)"),
    "there is no address": ([], r"\(3: Host not found\)"),
}


def other_number(reply):
    return bytes([reply[0] ^ 0x55]) + reply[1:]


def end_of_question(reply):
    """A pointer to the place where this pointer stands."""
    return bytes([0xc0, reply.index(b"\xc0\x0c")])


class Site(FaultSite):
    def __init__(self, server, pki):
        self.dns = ScriptedDns({})
        self.number = itertools.count()
        self.mail = ""
        self.service = ScriptedService(lambda request, number: ok(Auth_Server=self.mail or "127.0.0.1"), self._target)
        self.mail_ports = {protocol: free_port() for protocol in PROTOCOLS}
        self.service_ports = {fault: free_port() for fault in FAULTS}
        resolver = f"resolver 127.0.0.1:{self.dns.port} ipv6=off; timeout 1s; auth_http_timeout 1s;"
        blocks = [f"server {{ listen 127.0.0.1:{port}; protocol {protocol}; {resolver} auth_http 127.0.0.1:{self.service.port}/; }}"
                  for protocol, port in self.mail_ports.items()]
        blocks += [f"server {{ listen 127.0.0.1:{port}; protocol imap; {resolver} auth_http http://auth{number}.test:{self.service.port}/; }}"
                   for number, port in enumerate(self.service_ports.values())]
        super().__init__(server, pki, "\n".join(blocks), [*self.mail_ports.values(), *self.service_ports.values()], count=5)

    def _target(self, request):
        protocol = next(protocol for protocol in PROTOCOLS if b"Auth-Protocol: " + protocol.encode() in request)
        return {"port": self.servers.ports[protocol]}

    def check(self, port, protocol, fault, name, log, upstream=""):
        """A login while `name`, which nobody has asked for yet, is answered with the fault, and one without it."""
        kind, reason = FAULTS[fault]
        self.dns.answers[(name, A)] = Spoilt(HERE, kind) if callable(kind) else kind
        if reason:
            self.check_failure(port, protocol, rf'\[error\] .*{log}"{name}" could not be resolved {reason}', upstream=upstream)
        else:
            self.check_login(port, protocol)
        assert self.dns.count(name, A), "DNS was asked"
        self.dns.answers[(name, A)] = HERE
        # An answer that is late may still be on its way to the next question, which another number tells from it.
        self.check_login(port, protocol)
        super().check()

    def check_login(self, port, protocol):
        heard, rest = visit(port, protocol)
        assert heard.startswith(ACCEPTED[protocol]) and not rest, self.proxy.log()[-1500:]

    def close(self):
        try:
            super().close()
        finally:
            self.dns.close()
            self.service.close()


@pytest.fixture(scope="module")
def site(pki):
    with running(lambda server: Site(server, pki)) as site:
        yield site


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_when_the_mailbox_server_is_looked_up(site, protocol, fault):
    site.mail = f"mail{next(site.number)}.test"
    site.check(site.mail_ports[protocol], protocol, fault, site.mail, "")


@pytest.mark.parametrize("fault", FAULTS)
def test_when_the_service_is_looked_up(site, fault):
    site.mail = ""
    name = f"auth{list(FAULTS).index(fault)}.test"
    site.check(site.service_ports[fault], "imap", fault, name, "auth http server ")


def test_those_who_wait_for_a_name_hold_up_nobody(site):
    """Fifty wait for a name that DNS says nothing about; who needs no name logs in beside them."""
    site.mail = f"mail{next(site.number)}.test"
    site.dns.answers[(site.mail, A)] = None
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(connect(site.mail_ports["imap"])) for _ in range(50)]
        for client in waiting:
            client.sendall(LOGIN["imap"].encode())
        wait_until(lambda: site.dns.count(site.mail, A), "the name is asked for")
        FaultSite.check(site)
        for client in waiting:
            assert client.makefile("rb").readlines()[-1] == FAILED["imap"]
