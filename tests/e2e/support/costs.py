"""A proxy whose worker's memory, descriptors and system calls a test counts."""

import collections
import os
import re
import time

from .bench_programs import PROTOCOLS, BenchServers
from .heap_counter import HeapCounter
from .ports import connect, free_port, wait_until
from .processes import children_of

TRACER = ("strace", "-D", "-f", "-qq", "-e", "signal=none", "-o")


def text_of(path):
    with open(path, errors="replace") as file:
        return file.read()


class Costs:
    """All three protocols and IMAP under TLS ("imaps"), in front of servers that let everybody in. Its heap is
    counted (`heap`), or its system calls are."""

    def __init__(self, server, folder, pki, directives="", traced=False, service_port=None):
        self._servers = BenchServers(folder)
        self._trace = os.path.join(folder, "trace") if traced else None
        self.ports = {name: free_port() for name in (*PROTOCOLS, "imaps", "other")}
        self.heap = None if traced else HeapCounter(folder)
        service = f"auth_http 127.0.0.1:{self._servers.service_port}/;"
        other = f"auth_http 127.0.0.1:{service_port}/;" if service_port else ""
        listens = [(name, name, "", "") for name in PROTOCOLS] + [("imaps", "imap", "ssl", ""), ("other", "imap", "", other)]
        blocks = "".join(f"server {{ listen 127.0.0.1:{self.ports[name]} {tls}; protocol {protocol}; {more} }}\n"
                         for name, protocol, tls, more in listens)
        around = [*TRACER, self._trace] if traced else []
        self.proxy = server(f"{service} ssl_certificate {pki.server.path}; ssl_certificate_key {pki.server.key_path};\n"
                            f"starttls on; {directives}\n{blocks}",
                            self.ports.values(), around=around, environment=self.heap and self.heap.environment)
        self.worker, = wait_until(lambda: children_of(self.proxy.program.pid), "the worker runs")

    def close(self):
        self._servers.close()

    def descriptors(self):
        """How many there are of each kind: "socket", "pipe" and so on."""
        kinds = []
        for name in os.listdir(folder := f"/proc/{self.worker}/fd"):
            try:
                kinds.append(os.readlink(os.path.join(folder, name)).split(":")[0])
            except FileNotFoundError:
                pass  # it was closed meanwhile
        return collections.Counter(kinds)

    def sockets(self):
        return self.descriptors()["socket"]

    def wait_for_sockets(self, count):
        wait_until(lambda: self.sockets() == count, f"{count} sockets are open", timeout=20)

    def is_idle(self):
        """Has it not used the processor for a short time?"""
        def used():
            return [text_of(f"/proc/{self.worker}/task/{thread}/schedstat")
                    for thread in os.listdir(f"/proc/{self.worker}/task")]
        before = used()
        time.sleep(0.02)
        return used() == before

    def own_bytes(self):
        """Of the worker's memory what is no file's."""
        with open(f"/proc/{self.worker}/smaps_rollup") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss_Anon:"))

    def system_calls(self):
        """The names of all that the worker's threads have made."""
        threads = set(os.listdir(f"/proc/{self.worker}/task"))
        found = re.findall(r"^(\d+) +(\w+)\(", text_of(self._trace), re.MULTILINE)
        return [name for thread, name in found if thread in threads]


class ImapSession:
    """A client that is logged in."""

    def __init__(self, port, wrap=None):
        self.socket = connect(port)
        if wrap:
            self.socket = wrap(self.socket)
        self._lines = self.socket.makefile("rb")
        assert self._lines.readline().startswith(b"* OK")
        self.ask(b"LOGIN bob secret")

    def ask(self, command):
        """Returns how many bytes came before the last line of the answer."""
        self.socket.sendall(b"a " + command + b"\r\n")
        return self.hear()

    def hear(self):
        count = 0
        while not (line := self._lines.readline()).startswith(b"a "):
            assert line, "it was closed"
            count += len(line)
        assert line.startswith(b"a OK"), line
        return count

    def close(self):
        self._lines.close()
        self.socket.close()
