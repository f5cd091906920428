"""A soak: everything that happens to a mail proxy in years, in minutes. Two sides with mailbox servers and a service
each, `steady` and `shaken`; the latter are killed and started again. Clients of postern_bench on both check whose
mailbox they got and each byte that was relayed; abusive ones come and go; the administrator reloads, rotates logs and
upgrades. What may be lost: on the shaken side, what was under way when its server or its service was not there."""

import collections
import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time

from support.daemon import Daemon
from support.ports import free_port, wait_until
from support.processes import Program, is_alive
from support.proxy import postern_binary

from bench.accounts import TICKS, proportional_bytes

PROTOCOLS = ("imap", "pop3", "smtp")
MODES = {"plain": "none", "starttls": "starttls", "implicit": "implicit", "lean": "implicit"}
SIDES = ("steady", "shaken")
GAP_SECONDS = 1.0      # how long what was killed is away
RECOVERY_SECONDS = 12  # at most, until what comes then is served: a server that failed is tried again after 10 s
STEP_SECONDS = 1.0     # between two looks at what the proxy uses
ABUSE_PER_SECOND = 60
JUDGES_MEMORY_SECONDS = 600


class Side:
    """The servers of one side, and its ports of the proxy."""

    def __init__(self, name, binary, folder):
        self.name, self._binary, self._folder = name, binary, folder
        self.backends = {protocol: free_port() for protocol in PROTOCOLS}
        self.service_port = free_port()
        self.ports = {protocol: {"plain": (plain := free_port()), "starttls": plain, "implicit": free_port(), "lean": free_port()}
                      for protocol in PROTOCOLS}
        self.away = []  # (what, from, until), in seconds since the epoch
        self._programs = {}
        self.start("backend")
        self.start("auth")

    def start(self, what):
        ports = [text for protocol, port in self.backends.items() for text in (f"--{protocol}", str(port))]
        own = ["auth", "--port", str(self.service_port)] if what == "auth" else ["backend"]
        listens = [self.service_port] if what == "auth" else self.backends.values()
        self._programs[what] = Program(f"{self.name}-{what}", [self._binary, *own, *ports], self._folder, listens)

    def restart(self, what):
        begin = time.time()
        self._programs[what].kill()
        time.sleep(GAP_SECONDS)
        self.start(what)
        self.away.append((what, begin, time.time()))

    def excuses(self, failure):
        """Was it because of a restart?"""
        for what, begin, end in self.away:
            if failure["relayed"] and what == "auth":
                continue  # whoever is logged in has nothing to do with the service
            if failure["at"] >= begin - 0.1 and failure["since"] <= end + (0 if failure["relayed"] else RECOVERY_SECONDS):
                return what
        return None

    def mail(self, certificate):
        lines = []
        for protocol, ports in self.ports.items():
            common = f"protocol {protocol}; auth_http 127.0.0.1:{self.service_port}/; starttls on;"
            lines += [f"server {{ listen 127.0.0.1:{ports['plain']}; {common} }}",
                      f"server {{ listen 127.0.0.1:{ports['implicit']} ssl; {common} }}",
                      f"server {{ listen 127.0.0.1:{ports['lean']} ssl; ssl_lean on; {common} }}"]
        return "\n".join(lines)

    def stop(self):
        for program in self._programs.values():
            program.stop(must_clean_up=False)


class Clients:
    """A running `postern_bench soak`."""

    def __init__(self, binary, side, protocol, mode, count):
        self.side, self.mode = side, mode
        self.failures, self.looks = [], []
        self._process = subprocess.Popen(
            [binary, "soak", "--protocol", protocol, "--port", str(side.ports[protocol][mode]), "--tls", MODES[mode],
             "--clients", str(count), "--name", f"{side.name}-{protocol}-{mode}-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            said = json.loads(line)
            (self.failures if "failed" in said else self.looks).append(said)

    def tell(self, line):
        if self._process.poll() is None:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def finish(self, seconds=90):
        """What it has said last; whether all its sessions came to their end."""
        self._process.wait(seconds)
        self._reader.join(10)
        return self._process.returncode == 0

    def close(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._reader.join(10)
        self._process.stdout.close()


class Usage:
    """What all processes of the proxy use."""

    def __init__(self, daemon):
        self._daemon, self._ticks, self._time = daemon, {}, time.monotonic()
        self.samples = []  # (seconds since the beginning, share of a processor, PSS, descriptors, processes)
        self._began = self._time

    def look(self):
        ticks, memory, descriptors = {}, 0, 0
        for pid in self._daemon.everyone():
            with contextlib.suppress(OSError, IndexError):
                with open(f"/proc/{pid}/stat") as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
                ticks[pid] = int(fields[11]) + int(fields[12])
                memory += proportional_bytes([pid])
                descriptors += len(os.listdir(f"/proc/{pid}/fd"))
        now = time.monotonic()
        used = sum(count - self._ticks.get(pid, 0) for pid, count in ticks.items())
        share = used / TICKS / (now - self._time)
        self._ticks, self._time = ticks, now
        self.samples.append((now - self._began, share, memory, descriptors, len(ticks)))
        return share


class Soak:
    """`seconds` long; `share` of a processor is what the proxy shall use (None: as much as comes)."""

    def __init__(self, folder, certificate, bench, seconds, share=0.7, clients=16):
        self.seconds, self._share, self._bench = seconds, share, bench
        self.counts, self.problems, self.recovered = collections.Counter(), [], []
        self._stack = contextlib.ExitStack()
        try:
            self.sides = [Side(name, bench, folder) for name in SIDES]
            for side in self.sides:
                self._stack.callback(side.stop)
            self._guarded = {protocol: free_port() for protocol in PROTOCOLS}
            users = os.path.join(folder, "users")
            with open(users, "w") as file:
                file.write("bob:{PLAIN}another secret\n")
            os.chmod(users, 0o644)
            self.daemon = Daemon(folder, self._mail(certificate, users), self._ports(), main="worker_processes 1; worker_rlimit_nofile 20000;")
            self._stack.callback(self.daemon.stop)
            self.usage = Usage(self.daemon)
            self._at_rest = self._descriptors_of_worker()
            self.clients = [Clients(bench, side, protocol, mode, clients) for side in self.sides for protocol in PROTOCOLS for mode in MODES]
            for one in self.clients:
                self._stack.callback(one.close)
        except BaseException:
            self._stack.close()
            raise

    def close(self):
        self._stack.close()

    def _ports(self):
        return sorted({port for side in self.sides for ports in side.ports.values() for port in ports.values()} | set(self._guarded.values()))

    def _mail(self, certificate, users):
        # Honest clients all come from one address; the others are strangers, whom limits concern.
        lines = ["limit_exempt 127.0.0.1; auth_http_keepalive 16; server_name mail.test; proxy_pass_error_message on;",
                 f"ssl_certificate {certificate.path}; ssl_certificate_key {certificate.key_path}; timeout 30s; proxy_timeout 1h;"]
        lines += [side.mail(certificate) for side in self.sides]
        lines += [f"server {{ listen 127.0.0.1:{port}; protocol {protocol}; auth_file {users} default=127.0.0.1; }}"
                  for protocol, port in self._guarded.items()]
        return "\n".join(lines)

    def _descriptors_of_worker(self):
        workers = self.daemon.serving_workers_of(self.daemon.master())
        return max(len(os.listdir(f"/proc/{pid}/fd")) for pid in workers)

    def _abuse(self):
        settings = {"rate": ABUSE_PER_SECOND, "guarded": self._guarded,
                    **{mode: {protocol: ports[mode] for protocol, ports in self.sides[0].ports.items()} for mode in ("plain", "implicit")}}
        process = subprocess.Popen(["/usr/bin/python3", os.path.join(os.path.dirname(__file__), "abuse.py"), json.dumps(settings)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    # What the administrator and fate do.

    def reload(self):
        old = self.daemon.workers_of(self.daemon.master())
        self.daemon.signal(signal.SIGHUP)
        wait_until(lambda: set(self.daemon.serving_workers_of(self.daemon.master())) - set(old), "a new worker", 20)

    def rotate(self):
        log = self.daemon.error_log
        os.rename(log, f"{log}.{self.counts['rotate']}")
        self.daemon.signal(signal.SIGUSR1)
        wait_until(lambda: os.path.exists(log), "the new log", 20)

    def upgrade(self):
        self.daemon.install(postern_binary())
        old, _ = self.daemon.upgrade()
        self.daemon.signal(signal.SIGWINCH, old)
        wait_until(lambda: not self.daemon.serving_workers_of(old), "the old workers take nobody new", 20)
        self.daemon.signal(signal.SIGQUIT, old)

    def restart_backend(self):
        self.sides[1].restart("backend")

    def restart_service(self):
        self.sides[1].restart("auth")

    def _plan(self):
        """(when, what), in order. Reloads and upgrades end in the middle: then one worker has to live through all the rest."""
        every = {"reload": 20, "rotate": 70, "restart_backend": 45, "restart_service": 60, "upgrade": 240}
        plan = []
        for what, pause in every.items():
            pause = min(pause, self.seconds / (2 if what == "upgrade" else 4))
            until = self.seconds / 2 if what in ("reload", "upgrade") else self.seconds - GAP_SECONDS - 1
            moment = pause * (0.6 if what == "upgrade" else 0.8)
            while moment < until:
                plan.append((moment, what))
                moment += pause
        return sorted(plan)

    def run(self, tell=lambda text: None):
        """Returns what went wrong, as lines."""
        abuse = self._abuse()
        plan, pace = self._plan(), 0.5
        began = time.monotonic()
        while (now := time.monotonic() - began) < self.seconds:
            while plan and plan[0][0] <= now:
                what = plan.pop(0)[1]
                getattr(self, what)()
                self.counts[what] += 1
            used = self.usage.look()
            if self._share is None:
                pace = 0.05
            elif now > 5:
                pace = min(max(pace * max(used / self._share, 0.3) ** 0.5, 0.002), 10)
            for one in self.clients:
                one.tell(f"pace {pace:.4f}")
            tell(f"{now:6.0f} s  {used:.2f} of a processor  pace {pace:.3f} s  {self.usage.samples[-1][2] / 1e6:.1f} MB "
                 f"in {self.usage.samples[-1][4]} processes  {sum(len(one.failures) for one in self.clients)} failures")
            time.sleep(STEP_SECONDS)
        self._end(abuse)
        return self.problems

    def _end(self, abuse):
        abused, _ = abuse.communicate(timeout=30)
        self.abuse = json.loads(abused)
        for one in self.clients:
            one.tell("stop")
        for one in self.clients:
            if not one.finish():
                self.problems.append(f"clients ended in vain: {one.side.name} {one.mode}")
        # A worker that has nothing left to do has nothing left, either.
        with_one = lambda: (len(self.daemon.everyone()) == 2)  # noqa: E731
        try:
            wait_until(with_one, "old workers and masters have ended", 60)
            wait_until(lambda: self._descriptors_of_worker() <= self._at_rest + 16 + 4, "descriptors are given back", 60)
        except AssertionError as error:
            self.problems.append(str(error))
        self._judge_failures()
        self._judge_log()
        self._judge_memory()

    def _judge_failures(self):
        for one in self.clients:
            for failure in one.failures:
                excuse = one.side.excuses(failure)
                if excuse:
                    self.counts[f"lost with its {excuse}"] += 1
                else:
                    self.problems.append(f"{failure['name']}: {'relayed' if failure['relayed'] else 'login'}: {failure['failed']}")

    def _judge_log(self):
        logs = [self.daemon.error_log] + [f"{self.daemon.error_log}.{i}" for i in range(self.counts["rotate"])]
        for log in logs:
            with open(log, errors="replace") as lines:
                for line in lines:
                    self.counts["log lines"] += 1
                    if re.search(r"\[(alert|emerg)\]|exited on signal|Sanitizer", line):
                        self.problems.append(f"the log: {line.strip()}")

    def _judge_memory(self):
        """The last third, when nobody has reloaded for long: its second half against its first, at most 2 % more, or
        256 KiB. Until then each page of the tables of addresses has been touched by some stranger, and the heap has its size."""
        rest = [sample for sample in self.usage.samples if sample[0] > 2 / 3 * self.seconds]
        half = len(rest) // 2
        self.memory = self.descriptors = None
        if self.seconds < JUDGES_MEMORY_SECONDS:
            return
        mean = lambda samples, column: sum(sample[column] for sample in samples) / len(samples)  # noqa: E731
        self.memory = mean(rest[:half], 2), mean(rest[half:], 2)
        self.descriptors = mean(rest[:half], 3), mean(rest[half:], 3)
        if self.memory[1] > max(1.02 * self.memory[0], self.memory[0] + (256 << 10)):
            self.problems.append(f"memory grows: {self.memory[0]:.0f} to {self.memory[1]:.0f} bytes")

    def looks(self, mode):
        return [one.looks[-1] for one in self.clients if one.mode == mode and one.looks]
