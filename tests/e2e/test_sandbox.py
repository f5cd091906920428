"""What is left to a worker that somebody has taken over, and that all goes on as it should in there."""

import errno
import imaplib
import os
import re
import signal
import socket
import ssl
import sys

import pytest
from support import hijack
from support.ports import connect, free_port, wait_until
from support.proxy import Proxy, has_sanitizers
from support.scripted_dns import A, ScriptedDns
from support.users_file import user_line

PASSWORD = "Pw-of-the-proxy-81"
IN_FORCE = r"sandbox: no_new_privs, seccomp, landlock \(ABI \d+\)"
WITHOUT_LANDLOCK = os.path.join(os.path.dirname(__file__), "support", "without_landlock.py")
is_root = os.geteuid() == 0


pytestmark = pytest.mark.skipif(has_sanitizers(), reason="builds with sanitizers have no sandbox")
needs_root = pytest.mark.skipif(not is_root, reason="only root may change to another user")


def mail(port):
    return f"auth_http 127.0.0.1:9/; server {{ listen 127.0.0.1:{port}; protocol pop3; }}"


def greeted(port):
    client = connect(port)
    assert client.recv(100).startswith(b"+OK")
    return client


def sandbox_of(pid):
    """(no_new_privs, mode of seccomp) of all threads."""
    found = set()
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status") as status:
            text = status.read()
        found.add(tuple(int(re.search(rf"^{name}:\s*(\d+)", text, re.MULTILINE)[1]) for name in ("NoNewPrivs", "Seccomp")))
    return found


@pytest.fixture
def started(server):
    """A proxy with these directives at the main level that has greeted somebody, and its worker."""
    def start(main="", level="notice"):
        port = free_port()
        proxy = server(mail(port), [port], main=main, level=level)
        greeted(port).close()
        return proxy, wait_until(proxy.workers, "a worker")[0]
    return start


@pytest.mark.parametrize("user", ["", pytest.param("user nobody nogroup;", marks=needs_root)])
def test_all_threads_of_a_worker_are_inside(started, user):
    proxy, worker = started(user + "worker_processes 3;")
    assert sandbox_of(worker) == {(1, 2)}
    assert {mode for _, mode in sandbox_of(proxy.program.pid)} == {0}
    assert len(proxy.log_lines(rf"\[notice\] {worker}#{worker}: {IN_FORCE}$")) == 1


def test_off(started):
    proxy, worker = started("sandbox off;")
    assert {mode for _, mode in sandbox_of(worker)} == {0}
    assert proxy.log_lines(r"sandbox: off$") and not proxy.log_lines(IN_FORCE)


def test_a_reload_may_switch_it(started):
    proxy, worker = started("sandbox off;")
    proxy._main = ""
    proxy.write(mail(proxy.ports[0]))
    assert proxy.run("-s", "reload").returncode == 0
    wait_until(lambda: proxy.log_lines(IN_FORCE), "the new worker is inside")
    wait_until(lambda: worker not in proxy.workers(), "the old worker ends")
    assert sandbox_of(wait_until(proxy.workers, "a worker")[0]) == {(1, 2)}


def test_without_a_master_there_is_none(server):
    port = free_port()
    proxy = server(mail(port), [port], main="master_process off;", level="notice")
    greeted(port).close()
    assert {mode for _, mode in sandbox_of(proxy.program.pid)} == {0}


def told(folder, main, *arguments):
    proxy = Proxy("postern", folder, mail(free_port()), main=main, start=False)
    return proxy.run(*arguments)


@pytest.mark.parametrize("main, text", [("", IN_FORCE), ("sandbox on;", IN_FORCE), ("sandbox off;", "sandbox: off"),
                                        ("master_process off;", 'sandbox: none, as "master_process" is off')])
def test_T_says_what_would_be_in_force(folder, main, text):
    first, second = told(folder, main, "-T").stdout.splitlines()[:2]
    assert re.fullmatch(f"# {text}", first)
    assert second.startswith("# configuration file ")


class Elsewhere(Proxy):
    """On a kernel without Landlock."""

    def command(self, *arguments):
        return [sys.executable, WITHOUT_LANDLOCK, *super().command(*arguments)]


def test_what_the_kernel_has_not_got_is_left_out_with_a_warning(folder):
    port = free_port()
    with Elsewhere("postern", folder, mail(port), [port], level="notice") as proxy:
        greeted(port).close()
        [worker] = proxy.workers()
        assert sandbox_of(worker) == {(1, 2)}
        assert proxy.log_lines(r"sandbox: no_new_privs, seccomp$")
        assert "[warn] sandbox: landlock can't be had from this kernel" in proxy.program.text()


def test_who_writes_on_gets_all_or_nothing(folder):
    message = ('"sandbox on" is written, but landlock can\'t be had from this kernel; '
               "without the directive Postern takes what there is")
    proxy = Elsewhere("postern", folder, mail(free_port()), main="sandbox on;", start=False)
    for arguments in (["-t"], ["-g", "daemon off;"]):
        ran = proxy.run(*arguments, "-e", "stderr")
        assert ran.returncode == 1 and f"postern: [emerg] {message}" in ran.stderr
    assert "test failed" in proxy.run("-t", "-e", "stderr").stderr


@pytest.fixture
def victim(started, folder):
    if not hijack.possible():
        pytest.skip("needs root on x86-64")

    def start(user):
        proxy, worker = started(user)
        return proxy, worker, hijack.Hijacked(worker)
    return start


USERS = ["user root root;", "user nobody nogroup;"]


@pytest.mark.parametrize("user", USERS)
def test_a_hijacked_worker_opens_no_file_and_reaches_no_process(victim, folder, user):
    key, log = os.path.join(folder, "key.pem"), os.path.join(folder, "other.log")
    for path in (key, log):
        with open(path, "w") as out:
            out.write("x")
        os.chmod(path, 0o666)
    proxy, worker, hijacked = victim(user)
    at_cwd = -100
    with hijacked:
        assert hijacked.call(hijack.OPENAT, at_cwd, key, os.O_RDONLY) == -errno.EACCES
        assert hijacked.call(hijack.OPENAT, at_cwd, "/etc/passwd", os.O_RDONLY) == -errno.EACCES
        assert hijacked.call(hijack.OPENAT, at_cwd, proxy.configuration, os.O_RDONLY) == -errno.EACCES
        assert hijacked.call(hijack.OPENAT, at_cwd, log, os.O_WRONLY | os.O_APPEND) == -errno.EPERM
        assert hijacked.call(hijack.OPENAT, at_cwd, log + ".new", os.O_WRONLY | os.O_CREAT, 0o600) == -errno.EPERM
        assert hijacked.call(hijack.KILL, proxy.program.pid, 0) == -errno.EPERM
        assert hijacked.call(hijack.KILL, os.getpid(), 0) == -errno.EPERM
        assert hijacked.call(hijack.OPENAT, at_cwd, "/etc/hosts", os.O_RDONLY) > 0
    greeted(proxy.ports[0]).close()
    assert proxy.workers() == [worker]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("call, arguments", [(hijack.EXECVE, ("/bin/true", 0, 0)), (hijack.FORK, ())])
def test_a_hijacked_worker_that_wants_out_is_ended(victim, user, call, arguments):
    proxy, worker, hijacked = victim(user)
    with hijacked:
        assert hijacked.call(call, *arguments) is None
    assert hijacked.signal == signal.SIGSYS
    wait_until(lambda: proxy.log_lines(rf"\[alert\].*worker process {worker} exited on signal 31"), "the master tells")
    wait_until(lambda: proxy.workers() and worker not in proxy.workers(), "another worker")
    greeted(proxy.ports[0]).close()


@needs_root
def test_the_hijacker_could_do_it_all_without_the_sandbox(victim, folder):
    proxy, worker, hijacked = victim("sandbox off; user root root;")
    with hijacked:
        assert hijacked.call(hijack.OPENAT, -100, proxy.configuration, os.O_RDONLY) > 0
        assert hijacked.call(hijack.KILL, proxy.program.pid, 0) == 0


class PlainUser(Proxy):
    """All of it as nobody, the master too."""

    def command(self, *arguments):
        return ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *super().command(*arguments)]

    def start(self):
        for place, directories, files in os.walk(os.path.dirname(self.prefix)):
            for name in [place, *(os.path.join(place, one) for one in directories + files)]:
                os.chown(name, 65534, 65534)
        return super().start()


@pytest.mark.parametrize("kind, user", [(Proxy, ""), pytest.param(Proxy, "user nobody nogroup;", marks=needs_root),
                                        pytest.param(PlainUser, "", marks=needs_root)])
def test_a_whole_day(folder, dovecot, account, pki, kind, user):
    """TLS, users in a file that is replaced, names from DNS, syslog, rotation, reload."""
    port, syslog = free_port(), os.path.join(folder, "syslog")
    os.mkdir(os.path.join(folder, "auth"))
    users, log = os.path.join(folder, "auth", "users"), os.path.join(folder, "extra.log")
    to = f"user={account.name} pass={account.password}"

    def write_users(*names):
        with open(users + ".new", "w") as out:
            out.writelines(user_line(name, PASSWORD, fields=to) for name in names)
        os.chmod(users + ".new", 0o644)
        os.rename(users + ".new", users)

    def reply(name):
        context = ssl.create_default_context(cafile=pki.authority.path)
        with imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=context) as client:
            client.login(name, PASSWORD)
            client.select()
            return client.noop()[0]

    def gets_in(name):
        try:
            return reply(name) == "OK"
        except imaplib.IMAP4.error:
            return False

    write_users("one")
    dns = ScriptedDns({("box.example.test", A): [socket.inet_aton("127.0.0.1")]})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(syslog)
        os.chmod(syslog, 0o777)
        daemon.settimeout(10)
        text = (f"auth_file {users} default=box.example.test:{dovecot.imap_port}; resolver 127.0.0.1:{dns.port} ipv6=off; "
                f"error_log {log} info; error_log syslog:server=unix:{syslog} info; ssl_certificate {pki.server.path}; "
                f"ssl_certificate_key {pki.server.key_path}; server {{ listen 127.0.0.1:{port} ssl; protocol imap; }}")
        if kind is PlainUser:  # its master has to be able to read the key
            key = os.path.join(folder, "key.pem")
            with open(pki.server.key_path) as source, open(key, "w") as copy:
                copy.write(source.read())
            text = text.replace(pki.server.key_path, key)
        proxy = kind("postern", folder, text, [port], main=user, level="notice")
        try:
            assert gets_in("one") and not gets_in("two")
            assert dns.count("box.example.test", A) >= 1
            assert b"postern" in daemon.recv(4096)
            write_users("two")
            wait_until(lambda: gets_in("two"), "the new users are read")
            assert not gets_in("one")
            os.rename(log, log + ".1")
            assert proxy.run("-s", "reopen").returncode == 0
            wait_until(lambda: os.path.exists(log), "the log is there again")
            wait_until(lambda: gets_in("two") and os.path.getsize(log), "it is written to")
            [worker] = proxy.workers()
            assert proxy.run("-s", "reload").returncode == 0
            wait_until(lambda: worker not in proxy.workers(), "the old worker ends")
            assert gets_in("two")
            assert len(proxy.log_lines(IN_FORCE)) == 2
        finally:
            print(proxy.log())
            proxy.stop()
            dns.close()
    assert not proxy.log_lines(r"\[(alert|emerg|crit)\]")


def test_users_beside_a_key_are_read_anew_after_a_reload(folder, server, dovecot, account, pki):
    port, users, key = free_port(), os.path.join(folder, "users"), os.path.join(folder, "key.pem")
    with open(pki.server.key_path) as source, open(key, "w") as copy:
        copy.write(source.read())

    def write_users(name):
        with open(users + ".new", "w") as out:
            out.write(user_line(name, PASSWORD, fields=f"user={account.name} pass={account.password}"))
        os.chmod(users + ".new", 0o644)
        os.rename(users + ".new", users)

    def reply(name):
        context = ssl.create_default_context(cafile=pki.authority.path)
        with context.wrap_socket(connect(port), server_hostname="127.0.0.1") as client:
            lines = client.makefile("rb")
            lines.readline()
            client.sendall(f"a LOGIN {name} {PASSWORD}\r\n".encode())
            while not (line := lines.readline()).startswith(b"a "):
                assert line, "no reply"
            return line[2:4]

    write_users("one")
    proxy = server(f"auth_file {users} default=127.0.0.1:{dovecot.imap_port}; ssl_certificate {pki.server.path}; "
                   f"ssl_certificate_key {key}; server {{ listen 127.0.0.1:{port} ssl; protocol imap; }}", [port], level="notice")
    assert reply("one") == b"OK"
    assert proxy.log_lines(rf'\[notice\].*sandbox: a new file in the place of "{users}" will be read only after a reload, as "{key}" lies')
    write_users("two")
    wait_until(lambda: reply("two") == b"NO" and proxy.log_lines(r"open\(\).*failed \(13: Permission denied\); the users read before stay"),
               "the log says that the new file can't be read")
    assert reply("one") == b"OK"
    assert proxy.run("-s", "reload").returncode == 0
    wait_until(lambda: reply("two") == b"OK", "the new users are there after a reload")
