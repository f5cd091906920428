"""postern_bench as tests use it: a mailbox server, an authentication service, and many clients. Its command line
is in bench/options.cpp."""

import json
import os
import subprocess

from .ports import free_port
from .processes import Program
from .proxy import ROOT

BINARY = os.environ.get("POSTERN_BENCH") or os.path.join(ROOT, "build", "release", "postern_bench")
PROTOCOLS = ("imap", "pop3", "smtp")


class BenchServers:
    """A mailbox server that lets everybody in, and an authentication service that sends all to it: `service_port`.
    `backends`: the ports of the mailbox server by protocol."""

    def __init__(self, folder):
        assert os.path.exists(BINARY), f"{BINARY} is not built: cmake --build build/release --target postern_bench"
        self.backends = backends = {protocol: free_port() for protocol in PROTOCOLS}
        ports = [text for protocol, port in backends.items() for text in (f"--{protocol}", str(port))]
        self.service_port = free_port()
        self._programs = [Program("backend", [BINARY, "backend", *ports], folder, backends.values())]
        try:
            self._programs.append(Program("auth", [BINARY, "auth", "--port", str(self.service_port), *ports], folder,
                                          [self.service_port]))
        except BaseException:
            self.close()
            raise

    def close(self):
        for program in self._programs:
            program.stop(must_clean_up=False)


def run_load(work, protocol, port, *arguments):
    """Runs clients to their end, none of which may fail. What it measured."""
    done = subprocess.run([BINARY, "load", work, "--protocol", protocol, "--port", str(port), *map(str, arguments)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


class IdleSessions:
    """So many open sessions, until the end of the block."""

    def __init__(self, count, protocol, port, *arguments):
        self._process = subprocess.Popen(
            [BINARY, "load", "idle", "--protocol", protocol, "--port", str(port), "--clients", str(count), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        if line != f"ready {count}\n":
            self.close()
            raise AssertionError(f"postern_bench said {line!r}")

    def close(self):
        self._process.stdin.close()
        try:
            assert self._process.wait(20) == 0
        finally:
            self._process.kill()
            self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()
