"""Starting programs, and making sure that nothing of them stays behind."""

import os
import signal
import subprocess

from .ports import is_listening, wait_until


def children_of(pid):
    """All living descendants of a process."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(name)] = int(fields[1])
    found = []
    level = {pid}
    while level:
        level = {child for child, parent in parents.items() if parent in level}
        found += sorted(level)
    return found


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def resident_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


class Program:
    """A program in the foreground with its output in files of `folder`."""

    def __init__(self, name, arguments, folder, ports=(), environment=None):
        self.name = name
        self.output = os.path.join(folder, f"{name}.out")
        self._all = set()
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                cwd=folder, start_new_session=True, env=environment)
        try:
            for port in ports:
                wait_until(lambda: self._died() or is_listening(port),
                           f"{name} listens on port {port}\n{self.text()}", timeout=20)
                assert not self._died(), f"{name} ended with {self.process.returncode}:\n{self.text()}"
        except BaseException:
            self.kill()
            raise

    def _died(self):
        return self.process.poll() is not None

    @property
    def pid(self):
        return self.process.pid

    def text(self):
        with open(self.output, errors="replace") as output:
            return output.read()

    def children(self):
        return children_of(self.pid)

    def stop(self, signal_number=signal.SIGTERM, timeout=15, must_clean_up=True):
        """Ends the program and makes sure that none of its processes survives, by asserting that it
        ended them itself unless told otherwise. Returns the exit code."""
        everyone = [self.pid, *self.children()]
        if not self._died():
            self.process.send_signal(signal_number)
        try:
            code = self.process.wait(timeout)
            if must_clean_up:
                self._wait_for_end(everyone, timeout)
            return code
        finally:
            self._kill_all(everyone)

    def _wait_for_end(self, everyone, timeout):
        def survivors():
            return [pid for pid in everyone if is_alive(pid)]

        try:
            wait_until(lambda: not survivors(), "", timeout)
        except AssertionError:
            left = subprocess.run(["ps", "-o", "pid,ppid,stat,args", "-p", ",".join(map(str, survivors()))],
                                  capture_output=True, text=True).stdout
            raise AssertionError(f"{self.name} left processes behind:\n{left}") from None

    def kill(self):
        """Ends the program at once, for cleaning up after a failure."""
        self._kill_all([self.pid, *self.children()])
        self.process.wait(10)

    @staticmethod
    def _kill_all(pids):
        for pid in pids:
            if is_alive(pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
