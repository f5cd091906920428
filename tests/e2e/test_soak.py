"""The soak (bench/soak) for some seconds, and that it would notice. Memory needs longer than a test may take."""

import json
import os
import re
import socket
import subprocess
import sys
import threading

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, ROOT)

from bench import soaking  # noqa: E402
from support.bench_programs import BINARY, BenchServers  # noqa: E402
from support.ports import connect, wait_until  # noqa: E402

SECONDS = 16


def test_nothing_is_lost_or_mixed_up(folder, pki):
    soak = soaking.Soak(folder, pki.server, BINARY, SECONDS, share=None, clients=4)
    try:
        assert soak.run() == []
        for what in ("reload", "rotate", "restart_backend", "restart_service", "upgrade"):
            assert soak.counts[what], what
        for one in soak.clients:
            looks = one.looks[-1]
            assert looks["logins"]["units"] and looks["requests"] and looks["logins"]["bytes"], (one.side.name, one.mode)
        assert sum(soak.abuse.values()) > SECONDS * soaking.ABUSE_PER_SECOND / 4
    finally:
        soak.close()


class Meddler:
    """Stands between clients and a server, and changes one octet of what is marked in one direction."""

    def __init__(self, port, pattern, upwards):
        self._port, self._pattern, self._upwards = port, re.compile(pattern), upwards
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.changed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = connect(self._port)
            for source, sink, upwards in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._move, args=(source, sink, upwards), daemon=True).start()

    def _move(self, source, sink, upwards):
        try:
            while data := source.recv(65536):
                if upwards == self._upwards and not self.changed.is_set() and (found := self._pattern.search(data)):
                    data = data[:found.end()] + bytes([data[found.end()] ^ 1]) + data[found.end() + 1:]
                    self.changed.set()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self._listener.close()


@pytest.mark.parametrize("what,pattern,upwards", [
    ("an octet on its way to the client", rb"[0-9a-f]{8} 0{18}", False),
    ("an octet on its way to the server", rb"[0-9a-f]{8} 0{18}", True),
    ("somebody else's mailbox", rb"\+OK use(?=r\d+ is here)", False)])
def test_what_is_wrong_is_noticed(folder, what, pattern, upwards):
    servers = BenchServers(folder)
    meddler = Meddler(servers.backends["pop3"], pattern, upwards)
    clients = subprocess.Popen([BINARY, "soak", "--protocol", "pop3", "--port", str(meddler.port), "--clients", "2"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        clients.stdin.write("pace 0.001\n")
        clients.stdin.flush()
        said = json.loads(clients.stdout.readline())
        wait_until(meddler.changed.is_set, "something was changed")
        assert said["relayed"] and re.match("got another stream|got '-ERR|got '\\+OK us", said["failed"]), said
    finally:
        clients.kill()
        clients.wait()
        clients.stdin.close()
        clients.stdout.close()
        meddler.close()
        servers.close()


def test_only_what_was_away_excuses():
    side = soaking.Side.__new__(soaking.Side)
    side.away = [("backend", 100.0, 101.0), ("auth", 200.0, 201.0)]
    for relayed, since, at, excuse in ((True, 90, 100.1, "backend"), (True, 90, 99, None), (True, 101.5, 102, None), (False, 105, 106, "backend"),
                                       (False, 150, 151, None), (True, 190, 200.5, None), (False, 200.5, 200.6, "auth")):
        assert side.excuses({"relayed": relayed, "since": since, "at": at}) == excuse, (relayed, since, at)
