"""A mailbox server fails, in each phase of a login, in each way: what the client gets, to the byte, what the log says, that
those who are relayed meanwhile notice nothing, and that the next one is served once the server is well."""

import contextlib

import pytest
from support.fault_site import PROTOCOLS, FaultSite, login_at, running, visit
from support.ports import free_port, wait_until
from support.scripted_backend import CLOSE, HANG, RESET, ScriptedBackend
from support.scripted_service import ScriptedService, ok

WELL = {"imap": [b"* OK ready\r\n", b"+ user\r\n", b"+ password\r\n", b"{tag} OK you are in\r\n"],
        "pop3": [b"+OK ready\r\n", b"+OK user\r\n", b"+OK you are in\r\n"],
        "smtp": [b"220 backend.test\r\n", b"250-backend.test\r\n250 XCLIENT NAME ADDR\r\n", b"220 again\r\n", b"235 you are in\r\n"]}
IN = {"imap": b"a OK you are in\r\n", "pop3": b"+OK you are in\r\n", "smtp": b"235 2.0.0 OK\r\n"}
GONE = r"upstream closed connection before login was complete"
RESET_LOG = r"recv\(\) failed \(104: Connection reset by peer\)"
SILENT = r"upstream timed out \(110: Connection timed out\)"
TIMEOUT = "300ms"


def half(reply):
    return reply[:len(reply) // 2]


# What the server does instead of its reply; what the log says then (nothing: the login goes on).
FAULTS = {
    "closes": (lambda reply: (CLOSE,), GONE),
    "resets": (lambda reply: (RESET,), RESET_LOG),
    "hangs": (lambda reply: (HANG,), SILENT),
    "half a line and closes": (lambda reply: (half(reply), CLOSE), GONE),
    "half a line and hangs": (lambda reply: (half(reply), HANG), SILENT),
    "in two pieces": (lambda reply: (half(reply), reply[len(reply) // 2:]), None),
    "garbage": (lambda reply: b"\x80\xff\x00 what?\r\n", r'upstream sent invalid response: "\\x80\\xff\\x00 what\?"'),
    "a line without end": (lambda reply: b"x" * 20000, r'upstream sent (too long response line|invalid response): "x{100}'),
}


class Site(FaultSite):
    """With a service and a server beside the good ones that do what a test wants."""

    def __init__(self, server, pki):
        self.script = {}
        self.fickle = {protocol: ScriptedBackend(lambda address, protocol=protocol: (protocol, self.script.get(protocol, WELL[protocol])), "127.0.0.1")
                       for protocol in PROTOCOLS}
        self.services = {protocol: ScriptedService(lambda request, number, protocol=protocol: ok(Auth_Server="127.0.0.1", Auth_Port=self.fickle[protocol].port))
                         for protocol in PROTOCOLS}
        self.fickle_ports = {(protocol, ssl): free_port() for protocol in PROTOCOLS for ssl in ("off", "on", "starttls")}
        more = "".join(f"server {{ listen 127.0.0.1:{port}; protocol {protocol}; timeout {TIMEOUT}; xclient on; proxy_ssl {ssl}; "
                       f"auth_http 127.0.0.1:{self.services[protocol].port}/; }}\n" for (protocol, ssl), port in self.fickle_ports.items())
        super().__init__(server, pki, more, list(self.fickle_ports.values()), count=5)

    def check_failed(self, protocol, log, what, ssl="off"):
        self.check_failure(self.fickle_ports[protocol, ssl], protocol, log, what, ", upstream: 127.0.0.1:")

    def visit(self, protocol):
        return visit(self.fickle_ports[protocol, "off"], protocol)

    def check_recovery(self, protocol):
        """The server is well again: so are logins, and the others have not noticed."""
        self.script.clear()
        assert self.visit(protocol) == (IN[protocol], b"")
        self.live.check()

    def close(self):
        try:
            super().close()
        finally:
            for one in (*self.fickle.values(), *self.services.values()):
                one.close()


@pytest.fixture(scope="module")
def site(pki):
    with running(lambda server: Site(server, pki)) as site:
        yield site


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_in_each_phase_of_a_login(site, protocol, fault):
    make, log = FAULTS[fault]
    for phase, reply in enumerate(WELL[protocol]):
        site.script[protocol] = [*WELL[protocol][:phase], make(reply), *WELL[protocol][phase + 1:]]
        if log is None:
            assert site.visit(protocol) == (IN[protocol], b""), phase
        else:
            site.check_failed(protocol, log, f"phase {phase}")
    site.check_recovery(protocol)


TLS_FAULTS = {"closes": ((CLOSE,), "peer closed connection in SSL handshake|SSL_do_handshake"), "resets": ((RESET,), "Connection reset by peer|peer closed connection in SSL handshake"),
              "hangs": ((HANG,), SILENT), "says something else": (b"* OK I don't know TLS\r\n", "SSL_do_handshake.. failed .*wrong version number"),
              "ends within a record": ((b"\x16\x03\x03\x00\x7a\x02", CLOSE), "peer closed connection in SSL handshake|SSL_do_handshake")}
AGREES = {"imap": [b"* OK ready\r\n", b"a OK begin\r\n"], "pop3": [b"+OK ready\r\n", b"+OK begin\r\n"],
          "smtp": [b"220 ready\r\n", b"250-backend.test\r\n250 STARTTLS\r\n", b"220 begin\r\n"]}


@pytest.mark.parametrize("fault", TLS_FAULTS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_in_the_tls_handshake(site, protocol, fault):
    does, log = TLS_FAULTS[fault]
    site.script[protocol] = [does]
    site.check_failed(protocol, log, "implicit TLS", "on")
    if fault != "says something else":  # which would be words in clear before the handshake: refused for that
        agrees = AGREES[protocol]
        site.script[protocol] = [*agrees[:-1], (agrees[-1], *(does if isinstance(does, tuple) else (does,)))]
        site.check_failed(protocol, log, "STARTTLS", "starttls")
    site.check_recovery(protocol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nobody_listens(site, protocol):
    port, site.fickle[protocol].port = site.fickle[protocol].port, free_port()
    try:
        site.check_failed(protocol, r"connect\(\) to 127.0.0.1:\d+ failed \(111: Connection refused\)", "connect")
    finally:
        site.fickle[protocol].port = port
    site.check_recovery(protocol)


RELAY_FAULTS = {"closes": ((b"last words\r\n", CLOSE), b"last words\r\n", "closed by upstream"),
                "within a line": ((b"last wo", CLOSE), b"last wo", "closed by upstream"),
                "resets": ((RESET,), None, "upstream connection lost")}


@pytest.mark.parametrize("fault", RELAY_FAULTS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_while_relaying(site, protocol, fault):
    """What the server has said arrives, and then the end: a proxy has no words of its own here."""
    does, arrives, log = RELAY_FAULTS[fault]
    site.script[protocol] = [*WELL[protocol], does]
    before = len(site.proxy.log_lines(log))
    with login_at(site.fickle_ports[protocol, "off"], protocol) as (client, lines, heard):
        assert heard == IN[protocol]
        client.sendall(b"NOOP\r\n")
        try:
            assert lines.read() == (arrives or b"")
        except ConnectionResetError:
            assert arrives is None
    wait_until(lambda: len(site.proxy.log_lines(log)) > before, f"{log}\n{site.proxy.log()[-1500:]}")
    site.check_recovery(protocol)


def test_all_servers_die_at_once(site):
    """Those that are relayed to one server lose it; the others go on, and it is served again when it comes back."""
    site.script["pop3"] = [*WELL["pop3"], (RESET,)]
    clients = []
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            client, lines, heard = stack.enter_context(login_at(site.fickle_ports["pop3", "off"], "pop3"))
            assert heard == IN["pop3"]
            clients.append((client, lines))
        for client, _ in clients:
            client.sendall(b"NOOP\r\n")
        for _, lines in clients:
            with contextlib.suppress(ConnectionResetError):
                assert lines.read() == b""
    site.check_recovery("pop3")
