"""Servers as child processes: started, waited for and stopped."""

import contextlib
import ctypes
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import sys
import time

START_SECONDS = 15
STOP_SECONDS = 5


class Failed(Exception):
    """Something that the person at the terminal has to know, as one sentence."""


def stop_with_parent():
    """No server outlives run-demo, even if that is killed: see PR_SET_PDEATHSIG in prctl(2)."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def unprivileged_account():
    """Who reads mail from the network: never root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def free_ports(*wanted):
    """One for each that is wanted: that one if nobody has it (0: none in particular), else any."""
    with contextlib.ExitStack() as probes:  # held until all are found, so that none is found twice
        return [probe_port(probes, port) for port in wanted]


def probe_port(probes, wanted):
    for port in (wanted, 0):
        probe = probes.enter_context(socket.socket())
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return probe.getsockname()[1]
        except OSError:
            continue
    raise Failed("there is no free port on 127.0.0.1")


class Program:
    """One server in the foreground, in a process group of its own: a Ctrl-C at the terminal reaches
    run-demo alone, which then stops the servers in order."""

    def __init__(self, name, command, ports, log):
        self.name = name
        self._command = [str(part) for part in command]
        self._ports = ports
        self._log = pathlib.Path(log)
        self._process = None

    def start(self):
        with open(self._log, "ab") as log:
            try:
                self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log,
                                                 stderr=log, start_new_session=True,
                                                 preexec_fn=stop_with_parent)
            except OSError as error:
                raise Failed(f"{self.name} can't be started: {error}") from error
        end = time.monotonic() + START_SECONDS
        for port in self._ports:
            while not self._listens(port):
                self.must_run()
                if time.monotonic() > end:
                    raise Failed(f"{self.name} doesn't listen on port {port}")
                time.sleep(0.02)

    @staticmethod
    def _listens(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def must_run(self):
        if not self._is_running():
            status = self._process.returncode
            how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
            raise Failed(f"{self.name} has ended, {how}")

    def _is_running(self):
        return self._process is not None and self._process.poll() is None

    def stop(self):
        end = time.monotonic() + STOP_SECONDS
        while self._is_running() and time.monotonic() < end:
            # Again and again, and all of them: Dovecot's processes miss it while they start.
            self._signal_group(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)
        if self._process:
            self._signal_group(signal.SIGKILL)  # Dovecot's children that were busy with a client, too
            self._process.wait()

    def _signal_group(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def show_log(self):
        if self._log.exists():
            for line in self._log.read_text(errors="replace").splitlines()[-15:]:
                print(f"{self.name}: {line}", file=sys.stderr)
