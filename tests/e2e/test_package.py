"""The Debian package: built from this tree, and its whole life in a Debian that never had it."""

import glob
import imaplib
import os
import re
import shlex
import socket
import subprocess
import time

import pytest

from support import fresh_root
from support.folder import temporary_folder
from support.ports import is_listening, wait_until
from support.processes import Program
from support.proxy import ROOT
from support.scripted_backend import ScriptedBackend

UNIT = "/lib/systemd/system/postern.service"
PID_FILE = "/run/postern/postern.pid"
LOG = "/var/log/postern/error.log"

# What apt, dpkg and their kin write down for themselves.
BOOKS = re.compile(r"/var/(lib/(dpkg|apt|systemd)|cache|log/(apt|dpkg\.log|alternatives\.log))\b|/etc/(ld\.so\.cache|"
                   r"(passwd|group|shadow|gshadow)-?|\.pwd\.lock)$")


@pytest.fixture(scope="module")
def package():
    built = subprocess.run([f"{ROOT}/packaging/build-deb"], capture_output=True, text=True, timeout=600)
    assert built.returncode == 0, built.stdout + built.stderr
    return os.path.join(ROOT, built.stdout.splitlines()[-1])


@pytest.fixture
def unpacked(package, folder):
    subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
    return folder


@pytest.fixture(scope="module")
def installed(package):
    """A fresh Debian with the package installed by apt. Yields its path and what was there before."""
    if reason := fresh_root.why_not():
        pytest.skip(reason)
    with temporary_folder() as folder:
        path = os.path.join(folder, "root")
        if reason := fresh_root.make(path):
            pytest.skip(reason)
        before = fresh_root.files_of(path)
        subprocess.run(["cp", package, f"{path}/tmp/postern.deb"], check=True)
        online = fresh_root.System(path, network=True)
        try:
            online.run("apt-get", "install", "--yes", "--no-install-recommends", "/tmp/postern.deb")
        finally:
            online.close()
        yield path, before


@pytest.fixture
def system(installed):
    system = fresh_root.System(installed[0])
    yield system
    print("--- error log\n" + (system.read(LOG)[-8000:] if system.exists(LOG) else "is not there"))
    system.close()


def test_lintian_finds_nothing(package):
    found = subprocess.run(["lintian", "--allow-root", "--fail-on=error,warning", package], capture_output=True,
                           text=True, timeout=120)
    assert found.returncode == 0, found.stdout + found.stderr


def test_version_is_that_of_the_sources(package, unpacked):
    with open(f"{ROOT}/CMakeLists.txt") as lists:
        version = re.search(r"^project\(postern VERSION ([\d.]+)", lists.read(), re.MULTILINE)[1]
    assert os.path.basename(package).startswith(f"postern_{version}-1_")
    said = subprocess.run([f"{unpacked}/usr/sbin/postern", "-v"], capture_output=True, text=True).stderr
    assert said == f"postern version: postern/{version}\n"


def test_it_says_what_it_is_built_with():
    """The packages that compile it are in two lists."""
    with open(f"{ROOT}/scripts/install-dependencies") as script, open(f"{ROOT}/packaging/debian/control") as control:
        installed = re.findall(r'^ *"([\w.+-]+)\|', re.search(r"^build=\((.*?)^\)", script.read(), re.DOTALL | re.MULTILINE)[1],
                               re.MULTILINE)
        wanted = re.search(r"^Build-Depends:(.*?)^\S", control.read(), re.DOTALL | re.MULTILINE)[1]
    assert len(installed) > 5
    assert [name for name in installed if name != "make" and not re.search(rf"(^|[\s|]){re.escape(name)}[\s,]", wanted)] == []


def test_manual_pages_are_good_troff(unpacked):
    pages = sorted(glob.glob(f"{unpacked}/usr/share/man/man*/*.gz"))
    assert [os.path.basename(page) for page in pages] == ["postern.conf.5.gz", "postern.8.gz"]
    for page in pages:
        text = subprocess.run(["gzip", "-cd", page], capture_output=True, check=True).stdout
        for device in ("ascii", "utf8"):
            shown = subprocess.run(["groff", "-man", "-ww", "-z", f"-T{device}"], input=text, capture_output=True)
            assert shown.returncode == 0 and not shown.stderr, f"{page}: {shown.stderr.decode()}"


@pytest.mark.skipif(not os.access("/usr/bin/systemd-analyze", os.X_OK), reason="needs systemd-analyze")
def test_the_unit_is_one(unpacked, folder):
    """systemd takes each line as it is meant, and finds the service well shut off."""
    with open(unpacked + UNIT) as unit:
        text = unit.read().replace("/usr/sbin/postern", f"{unpacked}/usr/sbin/postern")
    file = f"{folder}/postern.service"
    with open(file, "w") as unit:
        unit.write(re.sub("^Documentation=.*\n", "", text, flags=re.MULTILINE))
    checked = subprocess.run(["systemd-analyze", "verify", "--man=no", file], capture_output=True, text=True)
    assert checked.returncode == 0 and not checked.stderr, checked.stderr
    judged = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=35", "--no-pager", file],
                            capture_output=True, text=True)
    assert judged.returncode == 0, judged.stdout


class Service:
    """What systemd would do with the unit file, as far as it goes without systemd: the command, the capabilities,
    and the socket where the service says how it is."""

    def __init__(self, system, folder):
        self.unit = system.read(UNIT)
        self.reload = [shlex.split(line) for line in re.findall("^ExecReload=(.*)$", self.unit, re.MULTILINE)]
        capabilities = ["-all", *("+" + name.removeprefix("CAP_").lower()
                                  for name in self._value("CapabilityBoundingSet").split())]
        system.run("install", "-d", "/run/" + self._value("RuntimeDirectory"))
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(f"{system.path}/tmp/notify")
        self._notify.settimeout(20)
        set_up = ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set={','.join(capabilities)}"]
        command = shlex.join([*set_up, *shlex.split(self._value("ExecStart"))])
        self.program = Program("service", system.command(
            "sh", "-c", f"exec env NOTIFY_SOCKET=/tmp/notify {command}"), folder)
        self._path = f"{system.path}/tmp/notify"

    def _value(self, name):
        return re.search(rf"^{name}=(.*)$", self.unit, re.MULTILINE)[1]

    def wait_for(self, word):
        """Waits until the service says it. Returns all that it says with it."""
        while True:
            said = self._notify.recv(4096).decode()
            if word in said.split("\n"):
                return said

    def close(self):
        self.program.kill()
        self._notify.close()
        os.unlink(self._path)


def log_in(port=143):
    client = imaplib.IMAP4("127.0.0.1", port, timeout=20)
    client.login("alice", "wonderland")
    return client


def master(system):
    return int(system.read(PID_FILE))


def newer(package, path):
    """The same package, with a higher version."""
    tree = f"{path}/tmp/tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    with open(f"{tree}/DEBIAN/control") as control:
        text = re.sub("^Version: .*", r"\g<0>.1", control.read(), flags=re.MULTILINE)
    with open(f"{tree}/DEBIAN/control", "w") as control:
        control.write(text)
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, f"{path}/tmp/newer.deb"], check=True,
                   capture_output=True)


def test_life_in_a_fresh_debian(package, installed, system, folder):
    path, before = installed
    passwd = system.read("/etc/passwd")
    assert re.search("^postern:x:.*:/nonexistent:/usr/sbin/nologin$", passwd, re.MULTILINE), passwd
    assert system.run("stat", "-c", "%a %U %G", "/etc/postern/users").stdout == "640 root postern\n"
    assert system.run("stat", "-c", "%a %U %G", os.path.dirname(LOG)).stdout == "750 root adm\n"

    # As installed it is a configuration that starts, and says nothing.
    system.run("install", "-d", "/run/postern")
    tested = system.run("postern", "-t")
    assert "test is successful" in tested.stderr and "[" not in tested.stderr, tested.stderr

    # A user is added as README.Debian tells, with a mailbox server of ours.
    backend = None
    with system.network():
        backend = ScriptedBackend(lambda address: ("imap", None))
    line = system.run("postern", "passwd", "alice", input="wonderland\n").stdout.rstrip("\n")
    system.run("tee", "-a", "/etc/postern/users", input=f"{line}host=127.0.0.1 port={backend.port}\n")

    service = Service(system, folder)
    try:
        with system.network():
            live(system, service, package)
    finally:
        service.close()
        backend.close()

    # Removed, it runs no more; the configuration, users and logs stay. Purged, nothing does.
    running = master(system)
    system.run("apt-get", "remove", "--yes", "postern")
    assert not system.exists(f"/proc/{running}") and not system.exists(PID_FILE)
    assert not system.exists("/usr/sbin/postern") and not system.exists(UNIT)
    assert system.exists("/etc/postern/postern.conf") and system.exists("/etc/postern/users") and system.exists(LOG)
    system.run("apt-get", "purge", "--yes", "--autoremove", "postern")
    assert "postern" not in system.read("/etc/passwd") + system.read("/etc/group")
    assert not system.exists("/run/postern")
    after = fresh_root.files_of(path)
    assert {name for name in after.keys() ^ before.keys() if not BOOKS.match(name)} == set()
    assert {name for name in after.keys() & before.keys()
            if after[name] != before[name] and not BOOKS.match(name)} == set()


def live(system, service, package):
    said = service.wait_for("READY=1")
    assert "MAINPID=" in said
    first = log_in()
    assert first.noop()[0] == "OK"
    with pytest.raises(imaplib.IMAP4.error):
        imaplib.IMAP4("127.0.0.1", timeout=20).login("alice", "guess")
    worker = re.search(r"^postern:x:(\d+):", system.read("/etc/passwd"), re.MULTILINE)[1]
    assert users_of(service.program) == {"0", worker}

    # Reloaded as the unit does. A wrong configuration is found by its first command.
    system.run("sed", "-i", "s/listen 143;/listen 143; listen 1143;/", "/etc/postern/postern.conf")
    for command in service.reload:
        system.run(*command)
    service.wait_for("RELOADING=1")
    service.wait_for("READY=1")
    wait_until(lambda: is_listening(1143), "the new port")
    log_in(1143).logout()
    system.run("cp", "/etc/postern/postern.conf", "/tmp/good.conf")
    system.run("sed", "-i", "s/server_name/server_nam/", "/etc/postern/postern.conf")
    assert "unknown directive" in system.run(*service.reload[0], check=False).stderr
    system.run("cp", "/tmp/good.conf", "/etc/postern/postern.conf")

    rotate(system)

    # An upgrade takes over: sessions go on, and nobody is refused.
    older = master(system)
    newer(package, system.path)
    system.run("dpkg", "--install", "/tmp/newer.deb")
    assert master(system) != older
    assert first.noop()[0] == "OK"
    log_in().logout()
    first.logout()
    wait_until(lambda: not system.exists(f"/proc/{older}"), "the older one ends with its last session")


def users_of(program):
    """The real and effective users of its processes."""
    found = set()
    for pid in program.children():
        with open(f"/proc/{pid}/status") as status:
            found.update(re.search(r"^Uid:\t(\d+)\t(\d+)", status.read(), re.MULTILINE).groups())
    return found


def rotate(system):
    """What logrotate does, with the package's file."""
    script = re.search(r"postrotate\n(.*?)endscript", system.read("/etc/logrotate.d/postern"), re.DOTALL)[1]
    system.run("mv", LOG, LOG + ".1")
    mode, owner, group = re.search(r"create (\d+) (\w+) (\w+)", system.read("/etc/logrotate.d/postern")).groups()
    system.run("install", "-m", mode, "-o", owner, "-g", group, "/dev/null", LOG)
    system.run("sh", "-ec", script)
    deadline = time.monotonic() + 10
    while "alice" not in system.read(LOG):
        assert time.monotonic() < deadline, "the new file gets no lines"
        log_in().logout()
