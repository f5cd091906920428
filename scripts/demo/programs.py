"""Servers as child processes: started, waited for and stopped."""

import ctypes
import os
import pathlib
import pwd
import signal
import socket
import subprocess
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


def free_port(wanted=0):
    """`wanted` if nobody has it, else any."""
    for port in (wanted, 0):
        with socket.socket() as probe:
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
        self._name = name
        self._command = [str(part) for part in command]
        self._ports = ports
        self.log = pathlib.Path(log)
        self._process = None

    def start(self):
        with open(self.log, "ab") as log:
            try:
                self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log,
                                                 stderr=log, start_new_session=True,
                                                 preexec_fn=stop_with_parent)
            except OSError as error:
                raise Failed(f"{self._name} can't be started: {error}") from error
        end = time.monotonic() + START_SECONDS
        for port in self._ports:
            while not self._listens(port):
                if not self.is_running():
                    raise Failed(f"{self._name} ended with status {self._process.returncode}")
                if time.monotonic() > end:
                    raise Failed(f"{self._name} doesn't listen on port {port}")
                time.sleep(0.02)

    @staticmethod
    def _listens(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def is_running(self):
        return self._process is not None and self._process.poll() is None

    def stop(self):
        end = time.monotonic() + STOP_SECONDS
        while self.is_running() and time.monotonic() < end:
            self._process.terminate()  # again and again: Dovecot misses it while it starts
            try:
                self._process.wait(0.5)
            except subprocess.TimeoutExpired:
                pass
        if self.is_running():
            self._process.kill()
            self._process.wait()

    def show_log(self):
        if self.log.exists():
            lines = self.log.read_text(errors="replace").splitlines()[-15:]
            print("\n".join(f"{self._name}: {line}" for line in lines))
