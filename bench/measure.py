"""One measurement: the load program works against one proxy while the proxy's account is read."""

import json
import subprocess
import tempfile
import threading
import time

from support.ports import free_port
from support.processes import Program

from bench.accounts import kernel_bytes, processor_ticks, proportional_bytes
from bench.works import Work

GIB = 1 << 30
LIMIT_SECONDS = 60  # for whatever the load program does beyond the time that it was given
LOAD_MOST = 9000  # sessions of one load process
SETTLED_SECONDS = 3  # how long memory may take until it stays the same


class Failed(Exception):
    """The load program had errors, or never came to an end."""


class Servers:
    """The mailbox server and the authentication service, on the processor that is not the proxy's."""

    def __init__(self, binary, folder, processor):
        self._binary, self._processor = binary, processor
        self.backends = {protocol: free_port() for protocol in ("imap", "pop3", "smtp")}
        self.service_port = free_port()
        ports = [text for protocol, port in self.backends.items() for text in (f"--{protocol}", str(port))]
        self._programs = []
        try:
            self._programs.append(Program("backend", self.command(["backend", *ports]), folder, self.backends.values()))
            self._programs.append(Program("auth", self.command(["auth", "--port", str(self.service_port), *ports]), folder,
                                          [self.service_port]))
        except BaseException:
            self.stop()
            raise

    def command(self, arguments):
        """`nice`: whoever reads the accounts goes before them."""
        return ["nice", "-n", "5", "taskset", "-c", str(self._processor), self._binary, *arguments]

    def stop(self):
        for program in self._programs:
            program.stop(must_clean_up=False)


class Load:
    """A running `postern_bench load`. Says lines; a line of JSON is a result."""

    def __init__(self, servers, peer, work, limit_seconds, *arguments):
        self._what = f"{work.name} at {peer.name}"
        command = servers.command(["load", *work.arguments(), "--port", str(peer.port(work.protocol, work.tls)), *arguments])
        self._complaints = tempfile.TemporaryFile("w+")
        self._program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                         stderr=self._complaints)
        self._timer = threading.Timer(limit_seconds, self._program.kill)
        self._timer.start()

    def line(self, begins):
        line = self._program.stdout.readline()
        if not line.startswith(begins):
            raise self._failure(line.strip() or f"ended before it said {begins!r}")
        return line

    def result(self):
        result = json.loads(self.line("{"))
        if result["errors"]:
            raise self._failure(f"{result['errors']} errors")
        return result

    def _failure(self, text):
        self.close()
        self._complaints.seek(0)
        return Failed(f"{self._what}: {text} {self._complaints.read().strip()[-500:]}")

    def go(self):
        self._program.stdin.write("\n")
        self._program.stdin.flush()

    def close(self):
        """Ends it as its standard input ends, and waits for it."""
        try:
            self._program.stdin.close()
        except BrokenPipeError:
            pass
        self._program.wait()
        self._timer.cancel()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind and self._program.poll() is None:
            self._program.kill()
        self.close()
        self._program.stdout.close()
        self._complaints.close()


class Window:
    """What a proxy, and its processor, did between two moments."""

    def __init__(self, peer):
        self._peer, self._processors = peer, (peer.place.processor, peer.place.load_processor)
        self._ticks = [processor_ticks(processor) for processor in self._processors]
        self._time, self._cpu = time.monotonic(), peer.account.nanoseconds()

    def end(self):
        self.cpu = (self._peer.account.nanoseconds() - self._cpu) / 1e9
        self.seconds = time.monotonic() - self._time
        shares = []
        for processor, before in zip(self._processors, self._ticks):
            busy, total = (now - then for now, then in zip(processor_ticks(processor), before))
            shares.append(busy / max(total, 1))
        self.busy, self.load = self.cpu / self.seconds, shares[1]
        self.others = max(shares[0] - self.busy, 0)
        return self


def throughput(servers, peer, work, seconds):
    """The metrics of one work at one peer."""
    with Load(servers, peer, work, seconds + LIMIT_SECONDS, "--seconds", str(seconds)) as load:
        load.line("begin")
        window = Window(peer)
        result = load.result()
        window.end()
    return metrics_of(work, result, window, has_proxy=peer.name != "direct")


def metrics_of(work, result, window, has_proxy=True):
    metrics = {"rate": result["rate"], "p50": result["p50_us"] / 1e6, "p99": result["p99_us"] / 1e6}
    if work.kind.startswith("bulk"):
        metrics = {"mib": result["bytes"] / result["seconds"] / (1 << 20)}
    if has_proxy:
        if work.kind.startswith("bulk"):
            metrics["cpu_gib"] = window.cpu / (result["bytes"] / GIB)
        else:
            metrics["cpu"] = window.cpu / result["units"]
        metrics |= {"busy": window.busy, "others": window.others}
    metrics["load"] = window.load
    return metrics


def _settled_memory(pids):
    """PSS once it has stopped to change: what freed memory goes back, and what is touched late, takes a moment."""
    deadline, last = time.monotonic() + SETTLED_SECONDS, proportional_bytes(pids())
    while time.monotonic() < deadline:
        time.sleep(0.1)
        now = proportional_bytes(pids())
        if abs(now - last) < 8192:
            return now
        last = now
    return last


def sessions(servers, peer, scenario, seconds):
    """Yields (work, metrics) of all that is measured with many sessions open; the peer is fresh."""
    works = {(work.kind, work.clients if work.kind == "idle" else work.name): work for work in scenario.works()}
    has_proxy = peer.name != "direct"
    most = peer.most_sessions[0] if peer.most_sessions else max((*scenario.levels, scenario.storm))
    login = Work("warm", "", "", "login", scenario.protocol, scenario.secure, 8)
    with Load(servers, peer, login, LIMIT_SECONDS, "--count", "200") as load:
        load.line("begin")
        load.result()
    own_before, kernel_before = _settled_memory(peer.account.pids), kernel_bytes()
    alone = None
    if 0 in scenario.beside:
        work, metrics = _beside(servers, peer, works, 0, seconds)
        alone = metrics.get("cpu")
        yield work, metrics
    opened, loads = 0, []
    try:
        for level in (level for level in scenario.levels if level <= most):
            while opened < level:
                count = min(level - opened, LOAD_MOST)
                loads.append(Load(servers, peer, works["idle", level].part(count), 20 * LIMIT_SECONDS))
                loads[-1].line("ready")
                opened += count
            metrics = {"kernel": (kernel_bytes() - kernel_before) / level}
            if has_proxy:
                metrics["pss"] = (_settled_memory(peer.account.pids) - own_before) / level
            yield works["idle", level], metrics
            if level in scenario.beside:
                work, metrics = _beside(servers, peer, works, level, seconds)
                if alone:
                    metrics["growth"] = metrics["cpu"] / alone
                yield work, metrics
    finally:
        for load in loads:
            load.__exit__(None, None, None)
    storm = works.get(("storm", f"storm-{scenario.secure.lower()}"))
    if storm and storm.clients <= most:
        yield storm, _storm(servers, peer, storm, has_proxy)


def _beside(servers, peer, works, level, seconds):
    work = works["login", f"beside-{level}"]
    return work, throughput(servers, peer, work, seconds)


def _storm(servers, peer, work, has_proxy):
    with Load(servers, peer, work, 4 * LIMIT_SECONDS) as load:
        load.line("ready")
        window = Window(peer)
        load.go()
        result = load.result()
        window.end()
    metrics = {"seconds": result["seconds"], "load": window.load}
    if has_proxy:
        metrics |= {"cpu": window.cpu / result["units"], "busy": window.busy, "others": window.others}
    return metrics
