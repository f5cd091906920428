"""The relay: nothing lost, nothing reordered, bounded memory, ends that arrive."""

import hashlib
import random
import socket
import threading
import time

import pytest
from support.ports import connect, free_port, wait_until
from support.processes import children_of, resident_bytes
from support.scripted_service import Answer, ScriptedService

MIB = 1 << 20


class LoudBackend:
    """An IMAP server that lets everybody in and hands the connection to a function."""

    def __init__(self, after_login):
        self._after_login = after_login
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=300)
        self.port = self._listener.getsockname()[1]
        self.failures = []
        self._threads = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer):
        with peer:
            peer.settimeout(30)
            lines = peer.makefile("rb")
            peer.sendall(b"* OK ready\r\n")
            tag = lines.readline().split()[0]
            peer.sendall(b"+ \r\n")
            lines.readline()
            peer.sendall(b"+ \r\n")
            lines.readline()
            peer.sendall(tag + b" OK in\r\n")
            try:
                self._after_login(peer, lines)
            except Exception as error:  # told to the test by close()
                self.failures.append(error)

    def close(self):
        self._listener.close()
        for thread in self._threads:
            thread.join(30)
        assert not self.failures


@pytest.fixture
def logged_in(server):
    """logged_in(after_login, directives) returns a client's socket in the relay, and the proxy."""
    parts = []

    def start(after_login, directives=""):
        backend = LoudBackend(after_login)
        service = ScriptedService(lambda request, number: Answer.of(
            Auth_Status="OK", Auth_Server="127.0.0.1", Auth_Port=backend.port))
        port = free_port()
        proxy = server(f"auth_http 127.0.0.1:{service.port}/; {directives} server {{ listen 127.0.0.1:{port}; protocol imap; }}", [port])
        client = connect(port, timeout=30)
        assert read_line(client) == b"* OK IMAP4 ready\r\n"
        client.sendall(b"a LOGIN bob secret\r\n")
        assert read_line(client) == b"a OK in\r\n"
        parts.append((client, backend, service))
        return client, proxy

    yield start
    for client, backend, service in parts:
        client.close()
        service.close()
        backend.close()


def read_line(client):
    line = b""
    while not line.endswith(b"\n"):
        byte = client.recv(1)
        assert byte, f"closed after {line!r}"
        line += byte
    return line


def read_to_end(client):
    digest, count = hashlib.sha256(), 0
    while data := client.recv(1 << 18):
        digest.update(data)
        count += len(data)
    return count, digest.hexdigest()


def test_64_mebibytes_both_ways_at_once(logged_in):
    size = 64 * MIB
    down, up = random.Random(1).randbytes(size), random.Random(2).randbytes(size)
    seen = {}

    def talk(peer, lines):
        lines.readline()
        sender = threading.Thread(target=peer.sendall, args=(down,))
        sender.start()
        data = lines.read(size)
        seen["up"] = hashlib.sha256(data).digest()
        sender.join()

    client, _ = logged_in(talk)
    client.sendall(b"go\r\n")
    sender = threading.Thread(target=client.sendall, args=(up,))
    sender.start()
    count, digest = read_to_end(client)
    sender.join()
    assert (count, digest) == (size, hashlib.sha256(down).hexdigest())
    assert seen["up"] == hashlib.sha256(up).digest()


def fill(sock, data):
    """Sends until nobody has taken anything for a while; returns how many bytes went."""
    sent = 0
    sock.settimeout(1)
    try:
        while sent < 512 * MIB:
            sent += sock.send(data)
    except TimeoutError:
        return sent
    raise AssertionError("somebody takes everything and never stops")


def test_client_that_never_reads_costs_bounded_memory(logged_in):
    result = {}
    go = threading.Event()

    def talk(peer, lines):
        go.wait(20)
        result["sent"] = fill(peer, b"x" * MIB)

    client, proxy = logged_in(talk)
    before = sum(resident_bytes(pid) for pid in children_of(proxy.program.pid))
    go.set()
    wait_until(lambda: "sent" in result, "the backend can send no more", timeout=25)
    after = sum(resident_bytes(pid) for pid in children_of(proxy.program.pid))
    assert after - before < 4 * MIB, f"{(after - before) >> 10} KiB for a client that does not read"


def test_backend_that_never_reads_costs_bounded_memory(logged_in):
    done = threading.Event()
    client, proxy = logged_in(lambda peer, lines: done.wait(30))
    before = sum(resident_bytes(pid) for pid in children_of(proxy.program.pid))
    fill(client, b"x" * MIB)
    after = sum(resident_bytes(pid) for pid in children_of(proxy.program.pid))
    done.set()
    assert after - before < 4 * MIB, f"{(after - before) >> 10} KiB for a backend that does not read"


def test_last_bytes_of_the_backend_arrive(logged_in):
    data = random.Random(3).randbytes(8 * MIB)

    def talk(peer, lines):
        lines.readline()
        peer.sendall(data)

    client, _ = logged_in(talk)
    client.sendall(b"go\r\n")
    assert read_to_end(client) == (len(data), hashlib.sha256(data).hexdigest())


def test_last_bytes_of_the_client_arrive(logged_in):
    data = random.Random(4).randbytes(8 * MIB)
    seen = {}

    def talk(peer, lines):
        seen["data"] = lines.read()

    client, _ = logged_in(talk)
    client.sendall(data)
    client.close()
    wait_until(lambda: "data" in seen, "the backend sees the end", timeout=20)
    assert hashlib.sha256(seen["data"]).digest() == hashlib.sha256(data).digest()


def test_answers_arrive_after_the_client_has_said_its_last(logged_in, request):
    """Half-close: the client sends commands, shuts its sending side, and still gets the answers."""
    if request.config.getoption("--proxy") == "nginx":
        pytest.skip("NGINX ends both directions at once")

    def talk(peer, lines):
        commands = lines.read()  # to the end
        time.sleep(0.2)          # the answer takes its time
        peer.sendall(b"answer to " + commands)

    client, _ = logged_in(talk)
    client.sendall(b"x NOOP\r\n")
    client.shutdown(socket.SHUT_WR)
    assert read_line(client) == b"answer to x NOOP\r\n"
    assert client.recv(1) == b""


def test_proxy_timeout_ends_an_idle_session(logged_in):
    closed = threading.Event()

    def talk(peer, lines):
        assert lines.read() == b""
        closed.set()

    client, proxy = logged_in(talk, "proxy_timeout 1s;")
    begin = time.monotonic()
    assert client.recv(1) == b""
    assert 0.9 < time.monotonic() - begin < 5
    assert closed.wait(10)
    assert wait_until(lambda: proxy.log_lines(r"\[info\].*timed out.*while proxying"), "the time-out is logged")


def test_traffic_from_the_backend_keeps_the_session(logged_in, request):
    if request.config.getoption("--proxy") == "nginx":
        pytest.skip("NGINX: only what the client does counts")

    def talk(peer, lines):
        for _ in range(8):
            peer.sendall(b"* tick\r\n")
            time.sleep(0.3)
        peer.sendall(b"* end\r\n")

    client, _ = logged_in(talk, "proxy_timeout 1s;")
    for _ in range(8):
        assert read_line(client) == b"* tick\r\n"
    assert read_line(client) == b"* end\r\n"


def test_small_answers_are_not_delayed(logged_in, request):
    """TCP_NODELAY on both sides: many small round trips, no 40 ms pause in any of them."""
    def talk(peer, lines):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while line := lines.readline():
            peer.sendall(line[:1])
            peer.sendall(line[1:])

    client, _ = logged_in(talk)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    begin = time.monotonic()
    for _ in range(200):
        client.sendall(b"ping\r\n")
        assert read_line(client) == b"ping\r\n"
    took = time.monotonic() - begin
    if request.config.getoption("--proxy") == "nginx":
        pytest.skip(f"NGINX leaves Nagle on: {took:.2f} s")
    assert took < 4, f"200 round trips took {took:.2f} s"
