"""ssl_lean with peers that make their records themselves, clients and mailbox servers, most of them hostile. What each
hears, what arrives behind Postern and what the log says are the same without it."""

import os
import re
import socket
import threading

import pytest
from support.backend_front import trusting
from support.hostile_records import ANSWERS, ANY, CASES, CLOSED, DECODE, OPEN, SILENT, UNEXPECTED, flipped
from support.ports import connect, free_port, wait_until
from support.processes import resident_bytes
from support.scripted_service import ScriptedService, ok
from support.talking_backend import FILLER, TalkingBackend, log_in
from support.tls_records import ALERT, CLOSE_NOTIFY, DATA, HANDSHAKE, KEY_UPDATE, Peer, client_peer, server_context

MODES = ("off", "on")
SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")


class Site:
    """A port a mode and suite; `servers` is what the mail servers behind it are reached with."""

    def __init__(self, server, pki, backend_port, directives):
        self.service = ScriptedService(lambda request, number: ok(Auth_Server="127.0.0.1", Auth_Port=backend_port))
        self.ports = {(mode, suite): free_port() for mode in MODES for suite in SUITES}
        servers = [f"server {{ listen 127.0.0.1:{port} ssl sndbuf=32k; protocol imap; ssl_lean {mode}; "
                   f"ssl_conf_command Ciphersuites {suite}; }}" for (mode, suite), port in self.ports.items()]
        self.plain = {mode: free_port() for mode in MODES}
        servers += [f"server {{ listen 127.0.0.1:{port}; protocol imap; ssl_lean {mode}; }}"
                    for mode, port in self.plain.items()]
        self.proxy = server(
            f"auth_http 127.0.0.1:{self.service.port}/auth; server_name mail.test; {directives} "
            f"ssl_certificate {pki.server.path}; ssl_certificate_key {pki.server.key_path};\n" + "\n".join(servers),
            [*self.ports.values(), *self.plain.values()], level="debug")
        self.worker = wait_until(self.proxy.workers, "a worker")

    def mark(self):
        """Forgets the log so far."""
        self.log_size = os.path.getsize(self.proxy.error_log)

    def story(self):
        """The lines of the log about the only session that has logged in since `mark`, without its numbers."""
        wait_until(lambda: "client and upstream connections closed" in self._log(), "the session's end")
        lines = [line for line in self._log().splitlines() if "[debug]" in line or "[info]" in line]
        first = next(index for index, line in enumerate(lines) if "client logged in" in line)
        return [re.sub(r"^.*\[(\w+)\] \S+ \S+ |127.0.0.1:\d+", r"\1 ", line) for line in lines[first:]]

    def _log(self):
        with open(self.proxy.error_log) as log:
            log.seek(self.log_size)
            return log.read()


def end_well(peer):
    """Says close_notify if that makes any sense still, and hears what comes until the end."""
    peer.send(peer.record(ALERT, CLOSE_NOTIFY))
    peer.hear_all()


def answer_of(heard):
    """In the words of hostile_records.ANSWERS."""
    kind, content = heard[-1] if heard else (None, b"")
    if kind != ALERT:
        return SILENT
    if content[0] == 2:
        return content[1]
    return OPEN if any(kind == DATA and b"ping" in content for kind, content in heard) else CLOSED


# What ssl_lean answers otherwise. In the middle of a message OpenSSL says no close_notify; it has no limit for key
# updates without any data; and it looks at tickets of a mailbox server that nobody will use.
OTHERWISE = {"end_in_a_message": CLOSED, "close_notify_in_a_message_after_4": CLOSED, "key_update_times_33": UNEXPECTED,
             "key_update_times_200": UNEXPECTED}
CLIENT_ANSWERS = {"ticket_times_1": OPEN, "ticket_times_10": OPEN, "message_4": DECODE, "empty_message_4": DECODE}
CLIENT_OTHERWISE = {**OTHERWISE, "message_4": OPEN, "empty_message_4": OPEN}


def compare(name, off, on, answer, otherwise):
    """What is wrong with what happened, in words."""
    wrong = []
    for mode, outcome, wanted in (("off", off, answer), ("on", on, otherwise or answer)):
        if wanted not in (ANY, answer_of(outcome["heard"])):
            wrong.append(f"{name}, ssl_lean {mode}: {answer_of(outcome['heard'])} instead of {wanted}")
        if not outcome["logged"]:
            wrong.append(f"{name}, ssl_lean {mode}: nothing in the log")
        is_lean = any("nothing but keys is kept" in line for line in outcome["logged"])
        if is_lean != (mode == "on"):
            wrong.append(f"{name}, ssl_lean {mode}: lean is {is_lean}")
        outcome["logged"] = [line for line in outcome["logged"] if "nothing but keys" not in line]
    if otherwise is None:
        for what in ("heard", "arrived", "logged"):
            if off[what] != on[what]:
                wrong.append(f"{name}, {what}:\n  off {off[what]}\n  on  {on[what]}")
    return wrong


# Clients


@pytest.fixture
def site(server, pki):
    backend = TalkingBackend()
    made = Site(server, pki, backend.ports["imap"], "")
    made.backend = backend
    yield made
    backend.close()
    made.service.close()


def open_mailbox(site, port, pki, folder, user, receive_bytes=None):
    peer = client_peer(port, pki, folder, receive_bytes)
    peer.hear()
    peer.send(peer.data(f"a LOGIN {user} secret\r\n".encode()))
    assert peer.hear() == b"a OK in\r\n"
    peer.send(peer.data(b"keep\r\n"))
    assert peer.hear() == b"keeping\r\n"
    peer.forget()
    return peer


def play(site, mode, suite, pki, folder, name):
    """What happens in the case: heard, arrived, logged."""
    port = site.ports[mode, suite]
    user = f"{name}-{mode}-{suite}"
    site.mark()
    peer = open_mailbox(site, port, pki, folder, user)
    CASES[name](peer)
    peer.send(peer.data(b"ping\r\n"))
    if peer.hear() == b"ping\r\n":
        end_well(peer)
    peer.hear_all()
    peer.close()
    visit = site.backend.visits[user]
    assert visit.ended.wait(10)
    return {"heard": peer.heard, "arrived": visit.received,
            "logged": [line.replace(user, "") for line in site.story()]}


def test_clients(site, pki, folder):
    bystanders = [open_mailbox(site, site.ports["on", suite], pki, folder, f"bystander-{suite}") for suite in SUITES]
    wrong = []
    for index, name in enumerate(CASES):
        for suite in SUITES if ANSWERS[name] == OPEN else [SUITES[index % len(SUITES)]]:
            off, on = [play(site, mode, suite, pki, folder, name) for mode in MODES]
            wrong += compare(name, off, on, ANSWERS[name], OTHERWISE.get(name))
        bystander = bystanders[index % len(SUITES)]
        bystander.send(bystander.data(b"ping\r\n"))
        assert bystander.hear() == b"ping\r\n", f"after {name}"
    assert not wrong, "\n".join(wrong)
    assert site.proxy.workers() == site.worker
    assert not site.proxy.log_lines(r"\[(alert|crit|emerg|error)\]")
    for bystander in bystanders:
        end_well(bystander)
        bystander.close()


# What comes behind the login, and before anything else is said.
BEHIND_THE_LOGIN = {
    "nothing": lambda peer: [],
    "a key update": lambda peer: [peer.key_update(0)],
    "a request for keys": lambda peer: [peer.key_update(1)],
    "some requests for keys": lambda peer: [peer.key_update(1) for _ in range(5)],
    "a key update in pieces": lambda peer: [peer.record(HANDSHAKE, KEY_UPDATE), peer.record(HANDSHAKE, b"\1"),
                                            peer.writes.update() or b""],
    "empty data": lambda peer: [peer.data(b"")],
    "a warning": lambda peer: [peer.record(ALERT, bytes((1, 90)))],
    "close_notify": lambda peer: [peer.record(ALERT, CLOSE_NOTIFY)],
    "an alert": lambda peer: [peer.record(ALERT, bytes((2, 40)))],
    "a forgery": lambda peer: [flipped(peer.data(b"ping\r\n"), 5)],
    "a wrong message": lambda peer: [peer.record(HANDSHAKE, bytes((1, 0, 0, 0)))],
}


def play_login(site, mode, suite, pki, folder, name, cut):
    """The login and `cut` bytes of what is behind it come at once, the rest when that was answered."""
    site.mark()
    peer = client_peer(site.ports[mode, suite], pki, folder)
    peer.send(peer.key_update(1))
    peer.hear()
    peer.forget()
    user = f"{name}-{mode}-{cut}"
    login = peer.data(f'a LOGIN "{user}" secret\r\n'.encode())
    behind = b"".join(BEHIND_THE_LOGIN[name](peer)) + peer.data(b"keep\r\n")
    peer.send(login + behind[:cut])
    if peer.hear() == b"a OK in\r\n":
        peer.send(behind[cut:])
        if peer.hear() == b"keeping\r\n":
            peer.send(peer.data(b"ping\r\n"))
            peer.hear()
            end_well(peer)
    peer.hear_all()
    peer.close()
    assert site.backend.visits[user].ended.wait(10)
    return {"heard": peer.heard, "arrived": site.backend.visits[user].received,
            "logged": [line.replace(user, "") for line in site.story() if "keys" not in line]}


@pytest.mark.parametrize("name", BEHIND_THE_LOGIN)
def test_behind_the_login(site, pki, folder, name):
    """There may be more to read when the session is to become lean."""
    for index, cut in enumerate((0, 1, 4, 5, 6, 21, 22, 23, 26, 27, 28, 50, 200)):
        off, on = [play_login(site, mode, SUITES[index % len(SUITES)], pki, folder, name, cut) for mode in MODES]
        assert off == on, cut
        if name in ("nothing", "a key update", "a request for keys", "empty data", "a warning"):
            assert answer_of(on["heard"]) == OPEN, cut


@pytest.mark.parametrize("mode", MODES)
def test_who_never_reads_our_answers(site, pki, folder, mode):
    """Each request for keys is answered: with who doesn't read that, patience ends."""
    [worker] = site.worker
    site.mark()
    peer = open_mailbox(site, site.ports[mode, SUITES[0]], pki, folder, "bob", receive_bytes=8192)
    before = resident_bytes(worker)
    rounds = 0
    with pytest.raises(ConnectionError):
        while rounds < 10_000:
            peer.sock.sendall(b"".join(peer.key_update(1) for _ in range(30)) + peer.data(b"x\r\n"))
            rounds += 1
    assert resident_bytes(worker) - before < 4 << 20
    peer.close()
    assert "client connection lost" in "\n".join(site.story()), rounds


# Mailbox servers


class HostileBackend:
    """An IMAP server under TLS that lets everybody in, says "ready", and hands its peer to `self.play` when its client
    says "go". `peer` is the last one."""

    def __init__(self, certificate, folder):
        self._certificate, self._folder = certificate, folder
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.play = self.peer = None
        self.ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with sock:
                sock.settimeout(20)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._serve(Peer(sock, server_context(self._certificate), self._folder))
            self.ended.set()

    def _serve(self, peer):
        self.peer = peer
        lines = Lines(peer)
        lines.sendall(b"* OK ready\r\n")
        lines.sendall(log_in("imap", lines, lines)[1])
        assert peer.hear() == b"go\r\n"
        peer.forget()
        self.play(peer)


class Lines:
    """A peer as `log_in` wants it."""

    def __init__(self, peer):
        self._peer = peer
        self.readline = peer.hear

    def sendall(self, content):
        self._peer.send(self._peer.data(content))


@pytest.fixture
def hostile(server, pki, folder):
    """hostile(suite): a site with a HostileBackend."""
    made = []

    def make(suite):
        backend = HostileBackend(pki.server, folder)
        directives = f"proxy_ssl on; proxy_ssl_conf_command Ciphersuites {suite}; {trusting(pki)}"
        made.append(Site(server, pki, backend.port, directives))
        made[-1].backend = backend
        return made[-1]
    yield make
    for one in made:
        one.backend.close()
        one.service.close()


def open_plainly(site, mode, user):
    client = connect(site.plain[mode], timeout=20)
    lines = client.makefile("rb")
    lines.readline()
    client.sendall(f"a LOGIN {user} secret\r\n".encode())
    assert lines.readline() == b"a OK in\r\n"
    return client, lines


def play_backend(site, mode, name):
    def play(peer):
        CASES[name](peer)
        peer.send(peer.data(b"ping\r\n"))
        if peer.hear() == b"ping\r\n":
            end_well(peer)
        peer.hear_all()
    site.backend.play = play
    site.backend.ended.clear()
    site.mark()
    client, lines = open_plainly(site, mode, "bob")
    with client, lines:
        client.sendall(b"go\r\n")
        arrived = b""
        while line := lines.readline():
            arrived += line
            if line == b"ping\r\n":
                client.sendall(line)
    assert site.backend.ended.wait(10)
    return {"heard": site.backend.peer.heard, "arrived": arrived, "logged": site.story()}


def test_mailbox_servers(hostile):
    site = hostile(SUITES[1])
    wrong = []
    for name in CASES:
        off, on = [play_backend(site, mode, name) for mode in MODES]
        wrong += compare(name, off, on, CLIENT_ANSWERS.get(name, ANSWERS[name]), CLIENT_OTHERWISE.get(name))
    assert not wrong, "\n".join(wrong)
    assert site.proxy.workers() == site.worker


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("mode", MODES)
def test_a_mailbox_server_that_updates_keys_under_load(hostile, mode, suite):
    """Bulk both ways at once; each second time the server wants new keys of Postern's too."""
    site = hostile(suite)
    up, down, step = FILLER[:2 << 20], FILLER[-3 << 20:], 15_000
    seen = {}

    def play(peer):
        def receive():
            while peer.receive():
                pass
        receiver = threading.Thread(target=receive)
        receiver.start()
        for index, start in enumerate(range(0, len(down), step)):
            peer.send(peer.data(down[start:start + step]))
            if index % 9 == 0:
                peer.send(peer.key_update(index % 2))
        peer.send(peer.record(ALERT, CLOSE_NOTIFY))
        receiver.join()
        seen["up"] = peer.text()
        seen["updates"] = peer.heard.count((HANDSHAKE, KEY_UPDATE + b"\0"))
    site.backend.play = play
    client, lines = open_plainly(site, mode, "bob")
    with client, lines:
        client.sendall(b"go\r\n")
        sender = threading.Thread(target=client.sendall, args=(up,))
        sender.start()
        assert lines.read() == down
        sender.join()
        client.shutdown(socket.SHUT_WR)
    assert site.backend.ended.wait(10)
    assert seen["up"] == up
    assert site.backend.peer.suite == suite and site.backend.peer.heard[-1] == (ALERT, CLOSE_NOTIFY)
    requests = len([index for index in range(0, len(range(0, len(down), step)), 9) if index % 2])
    assert requests - 1 <= seen["updates"] <= requests  # the last answer may find nothing more to go with
