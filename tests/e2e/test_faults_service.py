"""The authentication service fails in each way: what the client gets, what the log says, that those who are relayed or
log in elsewhere at that moment notice nothing, and that logins work again by themselves when it is well."""

import contextlib

import pytest
from support.backend_front import ACCEPTED, FAILED, LOGIN
from support.fault_site import PROTOCOLS, FaultSite, running, visit
from support.ports import connect, free_port
from support.scripted_service import Answer, ScriptedService, ok

TIMEOUT = "300ms"
SILENT = r"\[error\] .* auth http server \S+ timed out \(110: Connection timed out\) while in http auth state"
WRONG = r"\[error\] .* auth http server \S+:\d+:? (?!timed out)\w+"
HEAD = b"HTTP/1.0 200 OK\r\nAuth-Status: OK\r\n"
# What it does; what the log says (nothing: the login is a success).
FAULTS = {
    "closes without a word": (Answer(ending="at once"), WRONG),
    "resets": (Answer(ending="reset"), WRONG),
    "hangs": (Answer(ending="hang"), SILENT),
    "half a status line and hangs": (Answer(b"HTTP/1.", ending="hang"), SILENT),
    "half a head and hangs": (Answer(HEAD, ending="hang"), SILENT),
    "half a head and closes": (Answer(HEAD, ending="close"), WRONG),
    "half a head and resets": (Answer(HEAD, ending="reset"), WRONG),
    "says no HTTP": (Answer(b"220 this is a mail server\r\n\r\n"), WRONG),
    "garbage": (Answer(bytes(range(256)) * 8), WRONG),
    "an error page": (Answer(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nsorry"), WRONG),
    "a head without end": (Answer(HEAD + b"X: " + b"y" * 200000), WRONG),
    "no server": (Answer(HEAD + b"\r\n"), WRONG),
    "in small pieces": (None, None),
}


class Site(FaultSite):
    def __init__(self, server, pki, keepalive):
        self.answer = None
        self.service = ScriptedService(lambda request, number: self.answer or self.well(), self._target)
        self.fickle_ports = {protocol: free_port() for protocol in PROTOCOLS}
        self.away = free_port()
        self.nobody = {protocol: free_port() for protocol in PROTOCOLS}
        more = "".join(f"server {{ listen 127.0.0.1:{port}; protocol {protocol}; {keepalive} auth_http_timeout {TIMEOUT}; "
                       f"auth_http 127.0.0.1:{service}/; }}\n"
                       for ports, service in ((self.fickle_ports, self.service.port), (self.nobody, self.away)) for protocol, port in ports.items())
        super().__init__(server, pki, more, [*self.fickle_ports.values(), *self.nobody.values()], count=5)

    def _target(self, request):
        protocol = next(protocol for protocol in PROTOCOLS if b"Auth-Protocol: " + protocol.encode() in request)
        return {"address": "127.0.0.1", "port": self.servers.ports[protocol]}

    @staticmethod
    def well():
        return ok(Auth_User="quick")

    def check_recovery(self, protocol):
        self.answer = None
        heard, rest = visit(self.fickle_ports[protocol], protocol)
        assert heard.startswith(ACCEPTED[protocol]) and not rest
        self.live.check()

    def close(self):
        try:
            super().close()
        finally:
            self.service.close()


@pytest.fixture(scope="module", params=["", "auth_http_keepalive 4;"], ids=["a connection each", "kept connections"])
def site(pki, request):
    with running(lambda server: Site(server, pki, request.param)) as site:
        yield site


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_in_each_way(site, protocol, fault):
    answer, log = FAULTS[fault]
    if log:
        site.answer = answer
        site.check_failure(site.fickle_ports[protocol], protocol, log)
    else:
        text = site.well().packets[0]
        site.answer = Answer(*(text[at:at + 20] for at in range(0, len(text), 20)), pause=0.005)
        assert visit(site.fickle_ports[protocol], protocol)[0].startswith(ACCEPTED[protocol])
    site.check_recovery(protocol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nobody_listens(site, protocol):
    site.check_failure(site.nobody[protocol], protocol, r"connect\(\) .*failed \(111: Connection refused\)")
    site.check_recovery(protocol)


def test_those_who_wait_for_a_dead_service_hold_up_nobody(site):
    """A hundred wait for its answer when others, whose service is well, log in."""
    site.answer = Answer(ending="hang")
    with contextlib.ExitStack() as stack:
        waiting = []
        for _ in range(100):
            client = stack.enter_context(connect(site.fickle_ports["imap"]))
            client.sendall(LOGIN["imap"].encode())
            waiting.append(stack.enter_context(client.makefile("rb")))
        site.check()
        for lines in waiting:
            lines.readline()
            assert lines.readline() == FAILED["imap"]
    site.check_recovery("imap")
