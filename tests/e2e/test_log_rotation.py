"""Logs that are opened anew while workers run that could not open them."""

import os

import pytest
from support.ports import connect, free_port, wait_until

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change to another user")


def mail(port, extra=""):
    return f"auth_http 127.0.0.1:9/; {extra} server {{ listen 127.0.0.1:{port}; protocol pop3; {extra} }}"


def greeted(port, **options):
    client = connect(port, **options)
    assert client.recv(100).startswith(b"+OK")
    return client


def rotate(proxy, *logs):
    for log in logs:
        os.rename(log, log + ".1")
    assert proxy.run("-s", "reopen").returncode == 0
    for log in logs:
        wait_until(lambda: os.path.exists(log), f"{log} is there again")


def wait_for_text(path, text):
    def there():
        with open(path) as log:
            return text in log.read()
    wait_until(there, f"{path} has {text}")


@needs_root
def test_a_worker_without_rights_follows(server, folder):
    port, logs = free_port(), f"{folder}/logs"
    os.mkdir(logs, 0o700)
    extra = f"error_log {logs}/mail.log info;"
    proxy = server(mail(port, extra), [port], main="user nobody nogroup;")
    greeted(port).close()
    rotate(proxy, f"{logs}/mail.log", proxy.error_log)
    [worker] = wait_until(proxy.workers, "a worker")
    wait_for_text(proxy.error_log + ".1", f"{worker}#{worker}: reopening logs")

    def logged():
        greeted(port, source="127.0.0.9").close()
        with open(f"{logs}/mail.log") as log:
            return "client 127.0.0.9:" in log.read()
    wait_until(logged, "the worker writes to the new file")


def test_a_worker_of_an_older_configuration_follows(server, folder):
    port, dropped = free_port(), f"{folder}/dropped.log"
    proxy = server(mail(port, f"error_log {dropped} info;"), [port])
    with greeted(port, source="127.0.0.9") as client:
        [worker] = proxy.workers()
        proxy.write(mail(port))
        assert proxy.run("-s", "reload").returncode == 0
        wait_until(lambda: len(proxy.workers()) == 2, "a new worker")
        rotate(proxy, dropped, proxy.error_log)
        wait_for_text(proxy.error_log + ".1", f"{worker}#{worker}: reopening logs")
        client.sendall(b"USER bob\r\n")
        assert client.recv(100).startswith(b"+OK")
        client.sendall(b"PASS secret\r\n")  # nobody can say whether that is right
        wait_for_text(dropped, "client: 127.0.0.9")
    wait_until(lambda: worker not in proxy.workers(), "the old worker ends")
