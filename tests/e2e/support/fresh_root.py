"""A Debian as it is installed, in a folder, and processes that see nothing but it: for the package."""

import contextlib
import ctypes
import glob
import os
import platform
import re
import shutil
import subprocess

from .ports import wait_until
from .processes import children_of

CLONE_NEWNET = 0x40000000


def why_not():
    """The reason why this machine can't have one; None if it can."""
    missing = [name for name in ("mmdebstrap", "unshare", "nsenter") if not shutil.which(name)]
    if missing:
        return f"{platform.node()} has no {', '.join(missing)}"
    if os.geteuid() != 0:
        return f"{platform.node()}: only root can make a Debian in a folder"
    unshared = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "true"], capture_output=True, text=True)
    return f"{platform.node()}: {unshared.stderr.strip()}" if unshared.returncode else None


def release():
    with open("/etc/os-release") as file:
        return re.search(r"^VERSION_CODENAME=(\w+)$", file.read(), re.MULTILINE)[1]


def package_sources():
    """Where this machine gets the packages of its release from."""
    files = ["/etc/apt/sources.list", *glob.glob("/etc/apt/sources.list.d/*.list"),
             *glob.glob("/etc/apt/sources.list.d/*.sources")]
    found = []
    for name in filter(os.path.isfile, files):
        with open(name) as file:
            if re.search(rf"^(deb\b|Suites:).*\b{release()}\b", file.read(), re.MULTILINE):
                found.append(name)
    return found


def apt_options():
    """The way to them: proxies."""
    dump = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=True).stdout
    return [f"--aptopt={line}" for line in dump.splitlines() if "proxy" in line.lower()]


def make(path):
    """Returns what went wrong, or None. Lists of packages are kept, so that apt can go on."""
    made = subprocess.run(["mmdebstrap", "--mode=root", "--variant=minbase", "--skip=cleanup/apt", *apt_options(),
                           release(), path, *package_sources()],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
    if made.returncode == 0:
        return None
    return f"{platform.node()} can't make a fresh Debian: " + " ".join(made.stderr.strip().splitlines()[-2:])


class System:
    """Processes inside, in namespaces of their own: nothing that they mount, start or listen on is seen outside, and
    all of it ends with `close`."""

    def __init__(self, path, network=False):
        self.path = path
        # The shell is the first process inside, and buries those that have lost their parent.
        inside = ('mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount -t tmpfs tmpfs "$0/run" && '
                  'exec chroot "$0" sh -c "sleep infinity & wait"')
        spaces = ["--mount", "--pid"] + ([] if network else ["--net"])
        self._outer = subprocess.Popen(["unshare", *spaces, "--fork", "--kill-child", "sh", "-c", inside, path],
                                       stdin=subprocess.DEVNULL)
        try:
            self._pid = wait_until(self._first_process, "the namespaces are there")
            if not network:
                subprocess.run(["nsenter", f"--net=/proc/{self._pid}/ns/net", "ip", "link", "set", "lo", "up"], check=True)
        except BaseException:
            self.close()
            raise

    def _first_process(self):
        for pid in children_of(self._outer.pid):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as comm:
                if comm.read() == "sleep\n":
                    return pid
        return None

    def command(self, *arguments):
        return ["nsenter", f"--target={self._pid}", "--mount", "--net", "--pid", "--root", "--wd", *arguments]

    def run(self, *arguments, check=True, **options):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(self.command(*arguments), stdin=None if "input" in options else subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, env=environment, **options)
        assert not check or done.returncode == 0, f"{arguments}:\n{done.stdout}{done.stderr}"
        return done

    @contextlib.contextmanager
    def network(self):
        """Sockets that are made meanwhile, by this thread, are inside. It has to be the main thread, for /proc/net."""
        libc = ctypes.CDLL(None, use_errno=True)

        def enter(space):
            if libc.setns(space.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

        with open("/proc/self/ns/net") as ours, open(f"/proc/{self._pid}/ns/net") as theirs:
            enter(theirs)
            try:
                yield
            finally:
                enter(ours)

    def read(self, name):
        """A file inside, what is mounted there too."""
        with open(f"/proc/{self._pid}/root{name}") as file:
            return file.read()

    def exists(self, name):
        return os.path.lexists(f"/proc/{self._pid}/root{name}")

    def close(self):
        self._outer.kill()
        self._outer.wait(10)


def files_of(path):
    """All that is there, by name, with mode and owner. What is mounted or for the moment doesn't count."""
    found = {}
    for folder, folders, files in os.walk(path):
        if folder == path:
            folders[:] = [name for name in folders if name not in ("proc", "sys", "dev", "run", "tmp")]
        for name in [*folders, *files]:
            full = os.path.join(folder, name)
            status = os.lstat(full)
            found[full.removeprefix(path)] = (status.st_mode, status.st_uid, status.st_gid)
    return found
