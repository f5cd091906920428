"""Certificates change while sessions go on."""

import os
import shutil
import ssl
import threading

import pytest
from support.ports import connect, free_port, wait_until


def install(certificate, folder):
    """As a renewal does: new files under the old names, readable by root alone."""
    for source, name in ((certificate.path, "live.pem"), (certificate.key_path, "live.key")):
        shutil.copy(source, f"{folder}/{name}.new")
        os.chmod(f"{folder}/{name}.new", 0o600)
        os.rename(f"{folder}/{name}.new", f"{folder}/{name}")


def started(proxy):
    """Its workers, once it is all there: it listens before it forks and writes its pid."""
    wait_until(lambda: os.path.exists(proxy.pid_file) and os.path.getsize(proxy.pid_file) and proxy.workers(), "a worker")
    return proxy.workers()


def servers(port, dovecot, directory, folder):
    return (f"auth_http {directory.url()}; server {{ listen 127.0.0.1:{port} ssl; protocol imap; "
            f"ssl_certificate {folder}/live.pem; ssl_certificate_key {folder}/live.key; }}")


def shown(port):
    """The certificate that a new client gets."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(connect(port)) as client:
        assert client.recv(100) == b"* OK IMAP4 ready\r\n"
        return client.getpeercert(binary_form=True)


def der(certificate):
    return ssl.PEM_cert_to_DER_cert(certificate.pem)


class Session(threading.Thread):
    """Logs in and does round trips until it is told to stop; `failure` says what went wrong."""

    def __init__(self, port, account):
        super().__init__()
        self.done, self.trips, self.failure = threading.Event(), 0, None
        self._lines = None
        context = ssl._create_unverified_context()
        self._client = context.wrap_socket(connect(port))
        self._lines = self._client.makefile("rb")
        self._lines.readline()
        self._say(b"a LOGIN %s %s" % (account.name.encode(), account.password.encode()), b"a OK")
        self.start()

    def _say(self, command, wanted):
        self._client.sendall(command + b"\r\n")
        while not (line := self._lines.readline()).startswith(wanted):
            assert line.startswith(b"* "), line

    def run(self):
        try:
            while not self.done.is_set():
                self._say(b"n NOOP", b"n OK")
                self.trips += 1
            self._say(b"z LOGOUT", b"z OK")
        except Exception as error:
            self.failure = error


def test_a_certificate_is_swapped_under_load(server, dovecot, directory, account, pki, folder):
    directory.know(account)
    port = free_port()
    install(pki.server, folder)
    proxy = server(servers(port, dovecot, directory, folder), [port])
    started(proxy)
    sessions = [Session(port, account) for _ in range(10)]
    stop, refused, seen = threading.Event(), [], set()

    def knock():
        while not stop.is_set():
            try:
                seen.add(shown(port))
            except OSError as error:
                refused.append(error)
    knockers = [threading.Thread(target=knock) for _ in range(3)]
    for knocker in knockers:
        knocker.start()
    try:
        for certificate in (pki.server_rsa, pki.wrong_name, pki.server):
            install(certificate, folder)
            assert proxy.run("-s", "reload").returncode == 0
            wait_until(lambda wanted=der(certificate): wanted in seen and shown(port) == wanted,
                       "new clients see the new certificate")
        trips = [one.trips for one in sessions]
        wait_until(lambda: all(one.trips > before + 20 or one.failure for one, before in zip(sessions, trips)), "all go on")
    finally:
        stop.set()
        for one in (*knockers,):
            one.join()
        for one in sessions:
            one.done.set()
            one.join()
    assert [one.failure for one in sessions if one.failure] == []
    assert refused == []
    assert seen == {der(one) for one in (pki.server, pki.server_rsa, pki.wrong_name)}


@pytest.mark.parametrize("breakage", ["missing", "garbage", "another's key"])
def test_a_broken_renewal_changes_nothing(server, dovecot, directory, pki, folder, breakage):
    port = free_port()
    install(pki.server, folder)
    proxy = server(servers(port, dovecot, directory, folder), [port])
    started(proxy)
    if breakage == "missing":
        os.unlink(f"{folder}/live.pem")
    elif breakage == "garbage":
        with open(f"{folder}/live.pem", "w") as out:
            out.write("-----BEGIN CERTIFICATE-----\nnonsense\n")
    else:
        shutil.copy(pki.server_rsa.key_path, f"{folder}/live.key")
    workers = proxy.workers()
    assert proxy.run("-t").returncode == 1
    os.kill(proxy.program.process.pid, 1)  # HUP: "-s reload" would look at the file first
    wait_until(lambda: proxy.log_lines(r"\[emerg\] .*live\.(pem|key)\" .* in \S+proxy.conf:\d+|\[emerg\] .*live\.(pem|key)\": .*"),
               f"the log says why: {proxy.log()[-800:]}")
    assert proxy.workers() == workers
    assert shown(port) == der(pki.server)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a worker as somebody else")
def test_a_worker_cannot_read_keys_and_needs_not(server, dovecot, directory, pki, folder):
    port = free_port()
    install(pki.server, folder)
    proxy = server(servers(port, dovecot, directory, folder), [port], main="user nobody nogroup;")
    old = started(proxy)
    assert proxy.run("-s", "reload").returncode == 0
    wait_until(lambda: proxy.workers() and not set(old) & set(proxy.workers()), "a new worker")
    worker = proxy.workers()[-1]

    def user():
        with open(f"/proc/{worker}/status") as status:
            return int(next(line for line in status if line.startswith("Uid:")).split()[1])
    wait_until(user, "the worker is somebody else than root")
    assert os.stat(f"{folder}/live.key").st_mode & 0o777 == 0o600
    assert shown(port) == der(pki.server)
    open_files = []
    for name in os.listdir(f"/proc/{worker}/fd"):
        try:
            open_files.append(os.readlink(f"/proc/{worker}/fd/{name}"))
        except FileNotFoundError:
            pass  # closed meanwhile: the connection of above
    assert open_files and not any("live." in name for name in open_files)


def test_a_self_signed_certificate_stays_the_same(server):
    port = free_port()
    proxy = server(f"auth_http 127.0.0.1:1; server {{ listen 127.0.0.1:{port} ssl; protocol imap; server_name mail.test; }}", [port])
    workers = started(proxy)
    before = shown(port)
    assert proxy.run("-s", "reload").returncode == 0
    wait_until(lambda: proxy.workers() and not set(workers) & set(proxy.workers()), "a new worker")
    assert shown(port) == before
