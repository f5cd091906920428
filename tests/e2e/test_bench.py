"""What measures does all that it says it does, through Postern and through NGINX, and counts what goes wrong. Nothing here
is about speed."""

import json
import os
import socket
import subprocess
import threading

import pytest

from support.certificates import Pki
from support.folder import temporary_folder
from support.ports import free_port
from support.processes import Program
from support.proxy import ROOT, Proxy

BENCH = os.environ.get("POSTERN_BENCH") or os.path.join(ROOT, "build", "release", "postern_bench")
PROTOCOLS = ("imap", "pop3", "smtp")
LIMIT_SECONDS = 60


class Servers:
    """The mailbox server and the authentication service of postern_bench."""

    def __init__(self, folder):
        assert os.path.exists(BENCH), f"{BENCH} is not there: build the target postern_bench"
        self.ports = {protocol: free_port() for protocol in PROTOCOLS}
        self.service_port = free_port()
        ports = [text for protocol, port in self.ports.items() for text in (f"--{protocol}", str(port))]
        self.backend = Program("backend", [BENCH, "backend", *ports], folder, self.ports.values())
        self.service = Program("auth", [BENCH, "auth", "--port", str(self.service_port), *ports], folder, [self.service_port])

    def stop(self):
        self.backend.stop()
        self.service.stop()


class Front:
    """A proxy with all ways in, before those servers."""

    def __init__(self, kind, folder, certificate, servers, directives="", **options):
        self.ports = {(protocol, tls): free_port() for protocol in PROTOCOLS for tls in ("none", "implicit")}
        listeners = "".join(
            f"server {{ protocol {protocol}; listen 127.0.0.1:{port}{' ssl' if tls == 'implicit' else ''};"
            f"{' starttls on;' if tls == 'none' else ''} }}\n" for (protocol, tls), port in self.ports.items())
        self.proxy = Proxy(kind, folder, f"auth_http 127.0.0.1:{servers.service_port}/; smtp_auth plain; {directives}\n"
                           f"ssl_protocols TLSv1.3; ssl_certificate {certificate.path}; ssl_certificate_key {certificate.key_path};\n{listeners}",
                           self.ports.values(), **options)

    def port(self, protocol, tls="none"):
        return self.ports[protocol, "implicit" if tls == "implicit" else "none"]


@pytest.fixture(scope="module")
def certificate():
    with temporary_folder() as path:
        yield Pki(path).server


@pytest.fixture(scope="module")
def servers():
    with temporary_folder() as path:
        running = Servers(path)
        yield running
        running.stop()


@pytest.fixture(scope="module", params=("postern", "nginx"))
def front(request, servers, certificate):
    with temporary_folder() as path:
        one = Front(request.param, path, certificate, servers)
        yield one
        one.proxy.stop()


def start(work, port, protocol="imap", *arguments):
    command = [BENCH, "load", work, "--protocol", protocol, "--port", str(port), *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(program, text=""):
    """(result, standard error); the exit status has to tell whether there were errors."""
    try:
        out, complaints = program.communicate(text, timeout=LIMIT_SECONDS)
    finally:
        program.kill()
    assert out, complaints
    result = json.loads(out.splitlines()[-1])
    assert program.returncode == (1 if result["errors"] else 0)
    return result, complaints


def load(*arguments):
    return finish(start(*arguments))


def load_well(*arguments):
    result, complaints = load(*arguments)
    assert (result["errors"], complaints) == (0, "")
    assert result["seconds"] > 0 and result["p99_us"] >= result["p50_us"] > 0
    assert result["rate"] == pytest.approx(result["units"] / result["seconds"], rel=0.01, abs=0.1)
    return result


# --- each kind of work

@pytest.mark.parametrize("tls", ("none", "implicit", "starttls", "implicit --resume", "starttls --resume"))
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_logins(front, protocol, tls):
    result = load_well("login", front.port(protocol, tls.split()[0]), protocol, "--tls", *tls.split(), "--clients", 4,
                       "--count", 12)
    assert result["units"] == 12


@pytest.mark.parametrize("tls", ("none", "implicit"))
def test_lone_logins(front, tls):
    assert load_well("lone-login", front.port("imap", tls), "imap", "--tls", tls, "--count", 5)["units"] == 5


@pytest.mark.parametrize("tls", ("none", "implicit", "starttls --resume"))
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_round_trips(front, protocol, tls):
    result = load_well("round-trip", front.port(protocol, tls.split()[0]), protocol, "--tls", *tls.split(), "--clients", 5,
                       "--count", 50)
    assert (result["units"], result["bytes"]) == (50, 0)


@pytest.mark.parametrize("tls", ("none", "implicit"))
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("work, size", (("answers", 32768), ("bulk-down", 1 << 20), ("bulk-up", 1 << 20)))
def test_data(front, work, size, protocol, tls):
    result = load_well(work, front.port(protocol, tls), protocol, "--tls", tls, "--clients", 1, "--count", 6, "--bytes", size)
    assert result["units"] == 6
    # What was under way when the measuring began or ended is there in part.
    assert 5 * size <= result["bytes"] <= 7 * size


@pytest.mark.parametrize("size", (1, 2, 63, 65536, 1048577))
def test_data_of_any_size(front, size):
    for work in ("answers", "bulk-up"):
        load_well(work, front.port("imap"), "imap", "--clients", 2, "--count", 4, "--bytes", size)


def test_a_time_instead_of_a_count(front):
    result = load_well("round-trip", front.port("imap"), "imap", "--clients", 2, "--seconds", 0.2)
    assert result["units"] > 0
    assert result["seconds"] >= 0.2


@pytest.mark.parametrize("tls", ("none", "implicit", "implicit --resume"))
def test_idle_sessions(front, tls):
    program = start("idle", front.port("imap", tls.split()[0]), "imap", "--tls", *tls.split(), "--clients", 150)
    assert program.stdout.readline() == "ready 150\n"
    assert program.poll() is None
    result, complaints = finish(program)
    assert (result["units"], result["errors"], complaints) == (150, 0, "")


@pytest.mark.parametrize("protocol, tls", (("imap", "none"), ("pop3", "implicit"), ("smtp", "starttls")))
def test_storms(front, protocol, tls):
    program = start("storm", front.port(protocol, tls), protocol, "--tls", tls, "--clients", 80)
    assert program.stdout.readline() == "ready 80\n"
    for _ in range(2):
        program.stdin.write("again\n")
        program.stdin.flush()
        result = json.loads(program.stdout.readline())
        assert (result["units"], result["errors"]) == (80, 0)
        assert result["seconds"] > 0
    assert program.communicate(timeout=LIMIT_SECONDS) == ("", "")
    assert program.returncode == 0


def test_no_proxy_at_all(servers):
    """It shows then what it can do itself."""
    for protocol in PROTOCOLS:
        for work in ("login", "round-trip", "answers", "bulk-up"):
            assert load_well(work, servers.ports[protocol], protocol, "--clients", 3, "--count", 30)["units"] == 30


def test_users_have_numbers(folder, servers, certificate):
    front = Front("postern", folder, certificate, servers)
    load_well("login", front.port("imap"), "imap", "--clients", 3, "--users", 3, "--count", 3)
    assert all(front.proxy.log_lines(f'login: "user{number}"') for number in (1, 2, 3))
    front.proxy.stop()


# --- what goes wrong is counted and named

def test_nobody_listens():
    result, complaints = load("login", free_port(), "imap", "--clients", 4)
    assert result["errors"] > 0 and result["units"] == 0
    assert "Connection refused" in complaints
    assert len(complaints.splitlines()) == 5  # the first few


def test_the_mailbox_server_is_gone(folder, certificate):
    servers = Servers(folder)
    try:
        front = Front("postern", folder, certificate, servers)
        load_well("login", front.port("pop3"), "pop3", "--count", 3)
        program = start("login", front.port("pop3"), "pop3", "--clients", 2, "--seconds", 30)
        assert program.stdout.readline() == "begin\n"
        servers.backend.stop()
        result, complaints = finish(program)
        assert result["errors"] > 0
        assert 'got "-ERR internal server error" instead of "+OK"' in complaints
        front.proxy.stop()
    finally:
        servers.stop()


@pytest.mark.parametrize("tls", ("none", "implicit"))
def test_open_sessions_are_lost(folder, servers, certificate, tls):
    front = Front("nginx", folder, certificate, servers)
    idle = start("idle", front.port("imap", tls), "imap", "--tls", tls, "--clients", 9)
    trips = start("round-trip", front.port("imap", tls), "imap", "--tls", tls, "--clients", 7, "--seconds", 30)
    assert idle.stdout.readline() == "ready 9\n"
    assert trips.stdout.readline() == "begin\n"
    front.proxy.stop()
    result, complaints = finish(trips)
    assert result["errors"] == 7
    assert "connection closed" in complaints or "Connection reset" in complaints or "unexpected eof" in complaints
    result, complaints = finish(idle)
    assert result["errors"] == 9


def test_a_session_that_cannot_be_resumed(folder, servers, certificate):
    front = Front("nginx", folder, certificate, servers, "ssl_session_cache off; ssl_session_tickets off;")
    result, complaints = load("login", front.port("imap", "implicit"), "imap", "--tls", "implicit", "--resume", "--clients", 16)
    assert result["errors"] > 0 and result["units"] == 0
    assert "the TLS session was not resumed" in complaints or "no TLS session ticket came" in complaints
    front.proxy.stop()


class Scripted:
    """An IMAP server that answers each client with these texts, one a line that comes, and then hangs up."""

    def __init__(self, *answers):
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, client.makefile("rb") as lines:
                try:
                    for number, answer in enumerate(self._answers):
                        if number and not lines.readline():
                            break
                        client.sendall(answer)
                except OSError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


IN = (b"* OK ready\r\n", b"a OK in\r\n")


@pytest.mark.parametrize("work, answers, complaint", (
    ("login", (b"* BYE busy\r\n",), r'got "* BYE busy" instead of "* OK"'),
    ("login", (b"* OK ready\r\n", b"a NO who?\r\n"), r'got "a NO who?" instead of "a OK"'),
    ("login", (b"* OK ready\r\n", b"a O"), "connection closed"),
    ("login", (b"* OK ready\r\na OK too early\r\n",), 'got more than the answer "* OK ready"'),
    ("login", (b"* OK ready\r\n", b"x" * 20000), "line too long"),
    ("round-trip", (*IN, b"n BAD\r\n"), 'got "n BAD" instead of "n OK"'),
    ("round-trip", (*IN, b"n OK"), "connection closed"),
    ("answers", (*IN, b"1234567\r\nn OK\r\n"), 'got "\\x0an OK" instead of "n OK"'),
    ("answers", (*IN, b"12345678\r\nn OK\r\n"), 'got "" instead of "n OK"'),
    ("answers", (*IN, b"1234\r\n"), "connection closed"),
), ids=lambda value: None)
def test_wrong_answers(work, answers, complaint):
    with Scripted(*answers) as server:
        result, complaints = load(work, server.port, "imap", "--clients", 1, *(("--bytes", 8) if work == "answers" else ()))
    assert result["errors"] > 0 and result["units"] == 0
    assert complaint in complaints


def test_mistakes_in_the_command_line():
    run = subprocess.run([BENCH, "load", "login", "--protocol", "imap"], capture_output=True, text=True, timeout=LIMIT_SECONDS)
    assert run.returncode == 2
    assert run.stderr.startswith("postern_bench: --port is missing\nusage: ")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = [str(port) if text is None else text for text in ("--imap", None, "--pop3", None, "--smtp", None)]
        run = subprocess.run([BENCH, "backend", *ports], capture_output=True, text=True, timeout=LIMIT_SECONDS)
    assert run.returncode == 1
    assert run.stderr == f"postern_bench: bind() to port {port}: Address already in use\n"
