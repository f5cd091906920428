"""How Postern ends, and what its clients hear of it: who has not logged in yet is told so in the words of the
protocol, who has is not disturbed while that can be avoided."""

import os
import signal
import socket
import ssl
import time

import pytest
from support.load import LoadServers
from support.load_dialogues import DIALOGUES
from support.ports import connect, free_port, is_listening, wait_until
from support.scripted_service import Answer, ScriptedService, ok

GOODBYE = {"imap": b"* BYE server is shutting down\r\n", "pop3": b"-ERR server is shutting down\r\n",
           "smtp": b"421 4.3.2 Service shutting down, closing connection\r\n"}
STARTTLS = {"imap": (b"s STARTTLS", b"s OK"), "pop3": (b"STLS", b"+OK"), "smtp": (b"STARTTLS", b"220 ")}
HALF_AUTH = {"imap": (b"a AUTHENTICATE PLAIN", b"+ "), "pop3": (b"AUTH PLAIN", b"+ "), "smtp": (b"AUTH PLAIN", b"334 ")}
# The limit for what TERM may take is the one after which workers are killed.
QUICK_SECONDS = 1.5
PROTOCOLS = list(GOODBYE)
every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.fixture(scope="module")
def servers():
    programs = LoadServers()
    yield programs
    programs.close()


@pytest.fixture
def silence():
    """A mailbox server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def service(servers, silence):
    """Everybody may log in; who is called "slow" gets no answer, and "stuck" a server that says nothing."""
    def choose(request, number):
        protocol = next(name for name in PROTOCOLS if b"Auth-Protocol: " + name.encode() in request)
        if b"Auth-User: slow" in request:
            return Answer(ending="hang")
        port = silence if b"Auth-User: stuck" in request else servers.ports[protocol]
        return ok(Auth_Server="127.0.0.1", Auth_Port=port)
    service = ScriptedService(choose)
    yield service
    service.close()


class Client:
    def __init__(self, proxy, protocol, tls=None, early=False):
        """`early`: stays where nothing has been said yet."""
        self.protocol, self.dialogue = protocol, DIALOGUES[protocol]
        self.socket = connect(proxy.tls_port if tls == "implicit" else proxy.port)
        self.pending = b""
        if early:
            return
        if tls == "implicit":
            self.shake_hands()
        self.hear(self.dialogue.greeting)
        if tls == "starttls":
            self.say(*STARTTLS[protocol])
            self.shake_hands()
        if protocol == "smtp":
            self.say(b"EHLO client.test", b"250 ")

    def shake_hands(self):
        context = ssl._create_unverified_context()
        # An end without close_notify is an error then: whoever says goodbye says that as well.
        self.socket = context.wrap_socket(self.socket, suppress_ragged_eofs=False)

    def line(self):
        while b"\n" not in self.pending:
            data = self.socket.recv(4096)
            if not data:
                return self.pending
            self.pending += data
        line, _, self.pending = self.pending.partition(b"\n")
        return line + b"\n"

    def hear(self, wanted):
        line = self.line()
        while line.startswith((b"250-", b"* ")) and not wanted.startswith(b"* "):
            line = self.line()
        assert line.startswith(wanted), line

    def say(self, line, wanted):
        self.socket.sendall(line + b"\r\n")
        self.hear(wanted)

    def log_in(self, user=b"user1", wait=True):
        *first, (last, wanted) = self.dialogue.login_steps(user, 0)
        for step in first:
            if not step[0].startswith(b"EHLO"):
                self.say(*step)
        if wait:
            self.say(last, wanted)
            self.works(user)
        else:
            self.socket.sendall(last + b"\r\n")
        return self

    def works(self, user=b"user1"):
        line, wanted = self.dialogue.echo(user, b"token")
        self.say(line, wanted)

    def leave(self):
        self.say(*self.dialogue.goodbye)
        assert self.rest() == b""

    def rest(self):
        """All until the end, which a reset is as well."""
        rest = self.pending
        try:
            while data := self.socket.recv(4096):
                rest += data
        except (ConnectionResetError, ssl.SSLEOFError):
            return rest, "cut off"
        finally:
            self.socket.close()
        return rest


@pytest.fixture
def proxy(server, service, pki):
    """proxy(protocol): its `port` speaks the protocol, with STARTTLS, and `tls_port` under TLS at once."""
    def make(protocol, directives="", main=""):
        port, tls_port = free_port(), free_port()
        made = server(f"auth_http 127.0.0.1:{service.port}/; server_name mail.test; starttls on; {directives} xclient off; "
                      f"ssl_certificate {pki.server.path}; ssl_certificate_key {pki.server.key_path}; "
                      f"imap_auth plain; pop3_auth plain; smtp_auth plain login; proxy_smtp_auth on; "
                      f"server {{ protocol {protocol}; listen 127.0.0.1:{port}; listen 127.0.0.1:{tls_port} ssl; }}",
                      [port, tls_port], kind="postern", main=f"worker_processes 2; {main}")
        made.port, made.tls_port = port, tls_port
        return made
    return make


def clients_in_all_stages(proxy, protocol, service):
    """Those who have to be told, and those who can't be."""
    told, untold = {}, {}
    for tls in (None, "starttls", "implicit"):
        told["greeted", tls] = Client(proxy, protocol, tls)
        told["in AUTH", tls] = Client(proxy, protocol, tls)
        told["in AUTH", tls].say(*HALF_AUTH[protocol])
        told["service is slow", tls] = Client(proxy, protocol, tls).log_in(b"slow", wait=False)
        told["backend is slow", tls] = Client(proxy, protocol, tls).log_in(b"stuck", wait=False)
        told["half a command", tls] = Client(proxy, protocol, tls)
        told["half a command", tls].socket.sendall(b"NO")
        untold["relayed", tls] = Client(proxy, protocol, tls).log_in()
    untold["before TLS", "implicit"] = Client(proxy, protocol, "implicit", early=True)
    untold["before TLS", "starttls"] = Client(proxy, protocol)
    untold["before TLS", "starttls"].say(*STARTTLS[protocol])
    wait_until(lambda: sum(b"Auth-User: slow" in one for one in service.requests()) == 3, "the service is asked")
    wait_until(lambda: sum(b"Auth-User: stuck" in one for one in service.requests()) == 3, "the service is asked")
    wait_until(lambda: len(proxy.log_lines(r"client .* connected to")) == len(told) + len(untold), "all are accepted")
    return told, untold


def check_goodbyes(protocol, told, untold):
    assert {name: one.rest() for name, one in told.items()} == dict.fromkeys(told, GOODBYE[protocol])
    for name, one in untold.items():
        assert one.rest() in (b"", (b"", "cut off")), name


@every_protocol
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
def test_term_tells_those_who_have_not_logged_in(proxy, protocol, service, number):
    proxy = proxy(protocol)
    told, untold = clients_in_all_stages(proxy, protocol, service)
    began = time.monotonic()
    proxy.program.process.send_signal(number)
    assert proxy.program.process.wait(10) == 0
    assert time.monotonic() - began < QUICK_SECONDS
    check_goodbyes(protocol, told, untold)


@every_protocol
@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGHUP], ids=lambda one: one.name)
def test_the_limit_of_a_graceful_end(proxy, protocol, service, number):
    """Until then nothing changes for anybody; then all hear of it, and each session has its line in the log."""
    proxy = proxy(protocol, main="worker_shutdown_timeout 1s;")
    old = wait_until(proxy.workers, "a worker")[0]
    told, untold = clients_in_all_stages(proxy, protocol, service)
    began = time.monotonic()
    proxy.program.process.send_signal(number)
    wait_until(lambda: proxy.log_lines(rf"{old}#.*gracefully shutting down"), "the worker knows")
    for (stage, _), client in untold.items():
        if stage == "relayed":
            client.works()
    check_goodbyes(protocol, told, untold)
    assert time.monotonic() - began >= 0.9
    if number == signal.SIGQUIT:
        assert proxy.program.process.wait(10) == 0
    else:
        wait_until(lambda: old not in proxy.workers(), "the worker has ended")
        Client(proxy, protocol).log_in().leave()
    assert len(proxy.log_lines(rf'\[info\] {old}#.* shutdown timeout while proxying, client: 127\.0\.0\.1.*, login: "user1"')) == 3
    assert proxy.log_lines(rf"worker process {old} exited with code 0")
    assert not proxy.log_lines(r"\[(alert|emerg|crit)\]")


@every_protocol
@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGHUP], ids=lambda one: one.name)
def test_without_a_limit_all_may_finish(proxy, protocol, number):
    """Also those who have not logged in yet."""
    proxy = proxy(protocol)
    worker = wait_until(proxy.workers, "a worker")[0]
    modes = (None, "starttls", "implicit")
    relayed = [Client(proxy, protocol, tls).log_in() for tls in modes]
    greeted = [Client(proxy, protocol, tls) for tls in modes]
    proxy.program.process.send_signal(number)
    wait_until(lambda: proxy.log_lines(rf"{worker}#.*gracefully shutting down"), "the worker knows")
    if number == signal.SIGQUIT:
        wait_until(lambda: not is_listening(proxy.port), "nobody new is taken")
    for client in greeted:
        client.log_in()
    for client in relayed + greeted:
        client.works()
        assert proxy.program.process.poll() is None and worker in proxy.workers()
        client.leave()
    if number == signal.SIGQUIT:
        assert proxy.program.process.wait(10) == 0
    else:
        wait_until(lambda: worker not in proxy.workers(), "the old worker has ended")


@every_protocol
def test_term_ends_what_quit_waits_for(proxy, protocol, service):
    proxy = proxy(protocol)
    told, untold = clients_in_all_stages(proxy, protocol, service)
    proxy.program.process.send_signal(signal.SIGQUIT)
    wait_until(lambda: proxy.log_lines("gracefully shutting down"), "the worker knows")
    began = time.monotonic()
    proxy.program.process.send_signal(signal.SIGTERM)
    assert proxy.program.process.wait(10) == 0
    assert time.monotonic() - began < QUICK_SECONDS
    check_goodbyes(protocol, told, untold)


@every_protocol
def test_term_ends_workers_of_all_configurations(proxy, protocol, service):
    proxy = proxy(protocol)
    told, untold = clients_in_all_stages(proxy, protocol, service)
    workers = proxy.workers()
    proxy.program.process.send_signal(signal.SIGHUP)
    wait_until(lambda: set(proxy.workers()) > set(workers), "old and new workers")
    Client(proxy, protocol).log_in().leave()
    assert proxy.stop() == 0
    check_goodbyes(protocol, told, untold)


def test_a_greeting_that_is_delayed(proxy):
    proxy = proxy("smtp", "smtp_greeting_delay 30s;")
    client = Client(proxy, "smtp", early=True)
    wait_until(lambda: proxy.log_lines("connected to"), "it is accepted")
    assert proxy.stop() == 0
    assert client.rest() == GOODBYE["smtp"]


@every_protocol
def test_who_does_not_read_holds_nobody_up(proxy, protocol):
    proxy = proxy(protocol, "max_commands 1000000; limit_login_bytes 0;")
    client = Client(proxy, protocol)
    client.socket.settimeout(0.5)
    flood = {"imap": b"c CAPABILITY\r\n", "pop3": b"CAPA\r\n", "smtp": b"EHLO c\r\n"}[protocol] * 1000
    with pytest.raises(TimeoutError):
        while True:
            client.socket.sendall(flood)
    other = Client(proxy, protocol)
    began = time.monotonic()
    assert proxy.stop() == 0
    assert time.monotonic() - began < QUICK_SECONDS
    assert other.rest() == GOODBYE[protocol]
    client.socket.close()


def test_a_worker_that_hangs_is_killed(proxy):
    proxy = proxy("pop3")
    worker = wait_until(proxy.workers, "a worker")[0]
    client = Client(proxy, "pop3")
    os.kill(worker, signal.SIGSTOP)
    assert proxy.stop() == 0
    assert proxy.log_lines(rf"\[alert\].*worker process {worker} exited on signal 9")
    assert client.rest() in (b"", (b"", "cut off"))
