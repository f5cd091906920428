"""The log in memory, read as docs/logging.md says."""

import os
import re
import shutil
import subprocess

import pytest
from support.ports import connect, free_port, wait_until
from support.proxy import ROOT

needs_gdb = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("gdb"),
                               reason="needs root and gdb")


def mapping(pid):
    """Begin and end of the memory, as /proc shows them."""
    with open(f"/proc/{pid}/maps") as maps:
        [line] = [line for line in maps if "/memfd:postern-memory-log" in line]
    return line.split()[0].split("-")


def documented_commands():
    with open(os.path.join(ROOT, "docs", "logging.md")) as guide:
        return re.search(r"```sh\n(next=.*?)```", guide.read(), re.DOTALL)[1]


@needs_gdb
def test_lines_are_read_with_a_debugger(server, folder):
    port = free_port()
    proxy = server(f"auth_http 127.0.0.1:9/; server {{ listen 127.0.0.1:{port}; protocol pop3; }}",
                   [port], main="error_log memory:16k debug;")
    sessions = 100  # more than fit
    for _ in range(sessions):
        with connect(port) as client:
            assert client.recv(100).startswith(b"+OK")
            client.sendall(b"QUIT\r\n")
            assert client.recv(100) == b"+OK\r\n"
            assert client.recv(100) == b""
    [worker] = wait_until(proxy.workers, "a worker")
    begin, end = mapping(worker)
    # The master shares it.
    subprocess.run(["gdb", "-p", str(proxy.program.pid), "-batch", "-nx", "-iex", "set auto-load no",
                    "-iex", "set debuginfod enabled off", "-ex",
                    "dump binary memory ring 0x{} 0x{}".format(*mapping(proxy.program.pid))],
                   cwd=folder, check=True, capture_output=True, timeout=60)
    assert (int(end, 16) - int(begin, 16)) == os.path.getsize(os.path.join(folder, "ring")) == 16384
    with open(os.path.join(folder, "ring"), "rb") as ring:
        head = ring.readline()
    assert re.fullmatch(rb"MEMLOG  [0-9a-f]{8} .*/proxy\.conf:\d+\n", head), head
    subprocess.run(["bash", "-ec", documented_commands()], cwd=folder, check=True, timeout=20)
    with open(os.path.join(folder, "debug.log")) as log:
        lines = log.read().splitlines()[1:]
    form = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\w+\] \d+#\d+: \*(\d+) .*"
    numbers = [int(re.fullmatch(form, line)[1]) for line in lines]
    assert numbers == sorted(numbers) and numbers[-1] == sessions, lines[-3:]
    assert 1 < numbers[0] < sessions
    assert any("client sent QUIT, arguments: 0" in line for line in lines)
