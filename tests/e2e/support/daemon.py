"""A proxy that goes into the background, as systems start it: who is who is found by its own copy of the
binary, which a test may replace as an upgrade does. No process of it outlives `stop`."""

import os
import resource
import shutil
import signal
import subprocess

from .ports import is_listening, wait_until
from .processes import children_of, is_alive
from .proxy import Proxy, postern_binary


def without_core_files():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def processes_of(binary):
    """All that run this file, or did before another took its name: it may be "FILE.1" or deleted by now."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.readlink(f"/proc/{name}/exe").startswith(binary) and is_alive(int(name)):
                    found.append(int(name))
            except OSError:
                pass
    return sorted(found)


def age_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat, open("/proc/uptime") as uptime:
        started = int(stat.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
        return float(uptime.read().split()[0]) - started


class Daemon(Proxy):
    def __init__(self, folder, mail, ports=(), **options):
        self.binary = os.path.join(folder, "postern-binary")
        self.install(postern_binary())
        super().__init__("postern", folder, mail, ports, **options)

    def install(self, source):
        """As a package does it: the old file lives on for those that run it."""
        shutil.copy(source, self.binary + ".new")
        self._replace()

    def install_text(self, text):
        with open(self.binary + ".new", "w") as out:
            out.write(text)
        self._replace()

    def upgrade(self):
        """USR2: two masters that serve side by side, (old, new)."""
        old = self.master()
        self.signal(signal.SIGUSR2, old)
        wait_until(lambda: self.pid_in(".oldbin") == old, f"the old pid file has stepped aside\n{self.log()[-1500:]}")
        wait_until(lambda: self.pid_in() not in (None, old), f"there is a new one\n{self.log()[-1500:]}")
        return old, self.master()

    def only(self, master, gone):
        """Waits until `gone` has ended and all is as if it had never been."""
        wait_until(lambda: not is_alive(gone), f"{gone} has ended\n{self.log()[-1500:]}", 30)
        wait_until(lambda: self.pid_in(".oldbin") is None, "one pid file is left")
        assert self.master() == master

    def _replace(self):
        os.chmod(self.binary + ".new", 0o755)
        os.rename(self.binary + ".new", self.binary)

    def command(self, *arguments):
        return [self.binary, "-c", self.configuration, "-p", self.prefix + "/", *arguments]

    def start(self, command=None, foreground=False, **options):
        """`command`: another than `self.command()`. In the foreground it is `self.program`."""
        command = command or self.command("-e", "stderr")
        options = {"stdin": subprocess.DEVNULL, "preexec_fn": without_core_files, "cwd": self.prefix, **options}
        if foreground:
            self.program = subprocess.Popen([*command, "-g", "daemon off;"], start_new_session=True, **options)
        else:
            subprocess.run(command, check=True, timeout=20, **options)
        self.master()
        for port in self.ports:
            assert is_listening(port)
        return self

    def master(self, suffix=""):
        """Who the pid file says is the master, once it has a worker."""
        pid = wait_until(lambda: self.pid_in(suffix), f"the pid file{suffix}\n{self.log()[-1500:]}")
        wait_until(lambda: self.serving_workers_of(pid), f"a worker of {pid}\n{self.log()[-1500:]}")
        return pid

    def pid_in(self, suffix=""):
        try:
            with open(self.pid_file + suffix) as file:
                text = file.read()
        except FileNotFoundError:
            return None
        return int(text) if text.endswith("\n") else None

    def workers_of(self, master):
        """Its children, without a master of a newer binary."""
        return [pid for pid in children_of(master) if parent_of(pid) == master and "worker" in title_of(pid)]

    def serving_workers_of(self, master):
        """Those that take new clients."""
        return [pid for pid in self.workers_of(master) if "shutting down" not in title_of(pid)]

    def everyone(self):
        return processes_of(self.binary)

    def signal(self, number, pid=None):
        os.kill(pid or self.master(), number)

    def stop(self):
        """Ends all that is left and asserts that nothing stays."""
        pids = self.everyone()
        for pid in pids:
            if "master" in title_of(pid):
                os.kill(pid, signal.SIGTERM)
        try:
            wait_until(lambda: not self.everyone(), "all have ended", 5)
        finally:
            for pid in self.everyone():
                os.kill(pid, signal.SIGKILL)
            if self.program:
                self.program.wait(10)


def parent_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return int(stat.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


def title_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as line:
            return line.read().rstrip("\0")
    except OSError:
        return ""
