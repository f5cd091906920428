"""ssl_lean on both sides of a session: with a real Dovecot under TLS, and the command-line clients of three TLS
libraries; many sessions in one event loop; what they cost; how they are ended."""

import contextlib
import hashlib
import imaplib
import os
import poplib
import selectors
import signal
import ssl
import subprocess
import threading

import pytest
from support.backend_front import trusting
from support.directory import Directory
from support.dovecot import Dovecot
from support.folder import temporary_folder
from support.ports import free_port, wait_until
from support.processes import resident_bytes
from support.scripted_service import ScriptedService, ok
from support.talking_backend import TalkingBackend
from support.tls_clients import LIBRARIES, SUITES, TlsClient
from support.tls_records import client_peer

MODES = ("off", "on")
MIB = 1 << 20
PASSWORD = "Tr0ub4dor-and-3-horses"


@pytest.fixture(scope="module")
def tls_dovecot(pki):
    with temporary_folder() as folder:
        program = Dovecot(folder, certificate=pki.server)
        yield program
        program.stop()


class Site:
    """Ports by (mode, protocol); Dovecot behind them, which is reached under TLS."""

    def __init__(self, server, pki, dovecot):
        self.account = dovecot.account()
        self.service = Directory(dovecot)
        self.service.ports = {"imap": dovecot.imaps_port, "pop3": dovecot.pop3s_port}
        self.service.know(self.account)
        self.ports = {(mode, protocol): free_port() for mode in MODES for protocol in self.service.ports}
        servers = [f"server {{ listen 127.0.0.1:{port} ssl; protocol {protocol}; ssl_lean {mode}; }}"
                   for (mode, protocol), port in self.ports.items()]
        self.proxy = server(
            f"auth_http {self.service.url()}; server_name mail.test; proxy_ssl on; {trusting(pki)} "
            f"ssl_certificate {pki.server.path}; ssl_certificate_key {pki.server.key_path};\n" + "\n".join(servers),
            self.ports.values(), level="debug")

    def lean_ends(self):
        """Of the last session, in the words of the log."""
        lines = self.proxy.log_lines("nothing but keys is kept|client logged in")
        last = max(index for index, line in enumerate(lines) if "logged in" in line)
        return [line.rsplit("SSL with ", 1)[1].split(":")[0] for line in lines[last + 1:]]


@pytest.fixture
def site(server, pki, tls_dovecot):
    made = Site(server, pki, tls_dovecot)
    yield made
    made.service.close()


@pytest.mark.parametrize("mode", MODES)
def test_dovecot(site, pki, mode):
    context = ssl.create_default_context(cafile=pki.authority.path)
    client = imaplib.IMAP4_SSL("localhost", site.ports[mode, "imap"], ssl_context=context, timeout=20)
    client.login(site.account.name, site.account.password)
    assert site.lean_ends() == (["client", "upstream"] if mode == "on" else [])
    text = b"Subject: big\r\n\r\n" + b"\r\n".join(os.urandom(500).hex().encode() for _ in range(2000))
    assert client.append("INBOX", None, None, text)[0] == "OK"
    assert client.select() == ("OK", [b"4"])
    assert client.fetch("4", "(BODY.PEEK[])")[1][0][1] == text
    client.logout()
    reader = poplib.POP3_SSL("localhost", site.ports[mode, "pop3"], context=context, timeout=20)
    reader.user(site.account.name)
    reader.pass_(site.account.password)
    assert site.lean_ends() == (["client", "upstream"] if mode == "on" else [])
    assert b"\r\n".join(reader.retr(4)[1]) == text
    reader.quit()


class Tool:
    """A program that is talked to through its standard input and output."""

    def __init__(self, *command):
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._shown = b""

    def wait_for(self, text):
        """Drops what it prints until there."""
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ)
            while text not in self._shown:
                assert ready.select(20), f"no {text} in {self._shown}"
                more = os.read(self._process.stdout.fileno(), 65536)
                assert more, f"ended without {text}: {self._shown}"
                self._shown += more
        self._shown = self._shown.split(text, 1)[1]

    def say(self, line, text):
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        self.wait_for(text)

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.terminate()
        self._process.wait(20)


# How each is started with a port, and what makes it update keys, with what it prints then.
TOOLS = {
    "s_client": (lambda port: ["openssl", "s_client", "-crlf", "-tls1_3", "-connect", f"127.0.0.1:{port}"],
                 [("K", b"KEYUPDATE"), ("k", b"KEYUPDATE")]),
    "gnutls-cli": (lambda port: ["gnutls-cli", "--inline-commands", "--insecure", "--crlf", "--priority",
                                 "NORMAL:-VERS-ALL:+VERS-TLS1.3", "-p", str(port), "127.0.0.1"], [("^rekey^", b"ekey")]),
    "tstclnt": (lambda port: ["tstclnt", "-D", "-o", "-V", "tls1.3:tls1.3", "-h", "127.0.0.1", "-p", str(port)], []),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tool", TOOLS)
def test_tools(site, tool, mode):
    command, updates = TOOLS[tool]
    with contextlib.closing(Tool(*command(site.ports[mode, "imap"]))) as client:
        client.wait_for(b"* OK")
        client.say(f"a LOGIN {site.account.name} {site.account.password}", b"a OK")
        assert site.lean_ends() == (["client", "upstream"] if mode == "on" else [])
        client.say("b SELECT inbox", b"* 3 EXISTS")
        for index, (update, printed) in enumerate(updates * 2):
            client.say(update, printed)
            client.say(f"c{index} FETCH 1 BODY[]", b"This is message 1")
            client.wait_for(f"c{index} OK".encode())
        client.say("d LOGOUT", b"* BYE")
        client.wait_for(b"d OK")


# Many in one event loop


@pytest.fixture
def plain_site(server, pki):
    """Ports by mode, the proxy, and the mailbox server, which is reached without TLS."""
    backend = TalkingBackend()
    service = ScriptedService(lambda request, number: ok(Auth_Server="127.0.0.1", Auth_Port=backend.ports["imap"]))
    ports = {mode: free_port() for mode in MODES}
    servers = [f"server {{ listen 127.0.0.1:{port} ssl; protocol imap; ssl_lean {mode}; }}" for mode, port in ports.items()]

    def start(directives="", main=""):
        proxy = server(f"auth_http 127.0.0.1:{service.port}/; server_name mail.test; ssl_certificate {pki.server.path}; "
                       f"ssl_certificate_key {pki.server.key_path}; {directives}\n" + "\n".join(servers), ports.values(), main=main)
        return ports, proxy
    yield start
    backend.close()
    service.close()


def test_sessions_take_turns(plain_site, tls_clients, folder):
    """They share what computes, and not their keys."""
    ports, proxy = plain_site()
    failed = []

    def play(number, library, suite):
        try:
            up = os.urandom(MIB)
            with open(f"{folder}/up{number}", "wb") as out:
                out.write(up)
            with TlsClient(tls_clients[library], folder, suite=suite, requests=8) as client:
                client.must(f"connect {ports['on']}")
                client.must("secure", "TLSv1.3")
                client.must("hear", "* OK")
                client.say(f"a LOGIN user{number} {PASSWORD}", "a OK")
                for _ in range(3):
                    client.must(f"line swap {MIB} {MIB}")
                    client.must(f"exchange {folder}/up{number} {folder}/down{number} {MIB} 3000 100000", "updates 10")
                    client.must("hear", hashlib.sha256(up).hexdigest())
                client.must("bye")
                client.must(f"end {folder}/rest{number}", "close_notify")
        except AssertionError as error:
            failed.append(f"{library}, {suite}: {error}")
    threads = [threading.Thread(target=play, args=(number, library, suite))
               for number, (library, suite) in enumerate((library, suite) for library in LIBRARIES for suite in SUITES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, "\n".join(failed)
    assert len({open(f"{folder}/down{number}", "rb").read() for number in range(len(threads))}) == 1


# What they cost


@pytest.mark.parametrize("login", ["alone", "with more behind it"])
def test_idle_sessions_are_small(plain_site, pki, folder, login):
    ports, proxy = plain_site()
    [worker] = wait_until(proxy.workers, "a worker")
    peers = []

    def open_one(mode):
        peer = client_peer(ports[mode], pki, folder)
        peers.append(peer)
        peer.hear()
        commands = [f"a LOGIN user{len(peers)} {PASSWORD}\r\n".encode(), b"echo\r\n"]
        if login == "alone":
            peer.send(peer.data(commands[0]))
            assert peer.hear() == b"a OK in\r\n"
            peer.send(peer.data(commands[1]))
        else:
            peer.send(*map(peer.data, commands))
            assert peer.hear() == b"a OK in\r\n"
        assert peer.hear() == b"echo\r\n"

    def growth(mode):
        before = resident_bytes(worker)
        for _ in range(150):
            open_one(mode)
        return resident_bytes(worker) - before
    for mode in MODES:
        open_one(mode)
    grown = {mode: growth(mode) for mode in MODES}
    for peer in peers:
        peer.close()
    assert grown["on"] < grown["off"] / 3


# How they are ended


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("reason", ["silence", "shutdown"])
def test_ended_by_us(plain_site, tls_clients, folder, library, reason):
    ports, proxy = plain_site("timeout 10s; proxy_timeout 300ms;" if reason == "silence" else "",
                              main="worker_shutdown_timeout 100ms;")
    said = []
    with TlsClient(tls_clients[library], folder) as first, TlsClient(tls_clients[library], folder) as second:
        for mode, client in zip(MODES, (first, second)):
            client.must(f"connect {ports[mode]}")
            client.must("secure", "TLSv1.3")
            client.must("hear", "* OK")
            client.say(f"a LOGIN {mode} {PASSWORD}", "a OK")
        if reason == "shutdown":
            os.kill(proxy.program.pid, signal.SIGQUIT)
        for client in (first, second):
            said.append(client.ask(f"end {folder}/rest"))
    assert said[0] == said[1]
