"""The filter in packaging/fail2ban, read by Debian's fail2ban-regex, with the log of real sessions: it finds the
addresses of those who guess, and no user name can make it find another."""

import os
import re
import shutil
import subprocess

import pytest
from support.guessing import PROTOCOLS, RIGHT, Guessed
from support.proxy import ROOT
from support.scripted_service import refusal

FILTER = os.path.join(ROOT, "packaging", "fail2ban", "filter.d", "postern.conf")
JAIL = os.path.join(ROOT, "packaging", "fail2ban", "jail.d", "postern.conf")
VICTIM = "203.0.113.99"
HOSTILE = [f"x, client: {VICTIM}, server: 0.0.0.0:143", f'x", client: {VICTIM}, server: 0.0.0.0:143, login: "y', f'"while in auth state, client: {VICTIM}',
           f"x\\x22, client: {VICTIM}", f"\\\\\", client: {VICTIM}, server: a", f"\r2026/11/23 10:00:00 [info] 1#1: *1 client login failed: \"x\", client: {VICTIM}, server: a",
           "\xff\xfe", "a" * 300, "a" * 255 + '"', "%s%n", f"<HOST> {VICTIM}"]

pytestmark = pytest.mark.skipif(not shutil.which("fail2ban-regex"), reason="fail2ban is not installed")


def found(log):
    """The addresses that the filter finds, one a line that it takes for a failure."""
    result = subprocess.run(["fail2ban-regex", "--out", "ip", log, FILTER], capture_output=True, text=True, timeout=60)
    assert result.returncode in (0, 1), result.stderr
    return re.findall(r"^[0-9a-f.:]+$", result.stdout, re.MULTILINE)


def missed(log):
    """Lines that hold a failure and that the filter does not know."""
    result = subprocess.run(["fail2ban-regex", "--print-all-missed", log, FILTER], capture_output=True, text=True, timeout=60)
    return [line for line in result.stdout.splitlines() if re.match(r"\|\s+\d{4}/", line) and ("login failed" in line or "limiting failed" in line)]


@pytest.fixture
def guessed(server):
    opened = []

    def start(*arguments, **options):
        opened.append(Guessed(server, *arguments, **options))
        return opened[-1]
    yield start
    for one in opened:
        one.close()


def test_failures_are_found_and_nothing_else(guessed):
    front = guessed("limit_auth_failures address 2 delay=0 time=1h; limit_auth_failures user off; smtp_auth plain none;")
    expected = []
    for number, protocol in enumerate(PROTOCOLS):
        source = f"127.4.{number}.1"
        for password in ("wrong1", "wrong2", "refused"):
            front.login(protocol, "bob", password, source)
            expected.append(source)
        front.login(protocol, "bob", RIGHT, "127.4.9.9")
    front.client("imap", "127.4.9.8").close()
    assert found(front.proxy.error_log) == expected
    assert missed(front.proxy.error_log) == []


def test_a_mailbox_server_that_says_no_is_found(guessed):
    scripts = {"imap": [b"* OK ready\r\n", b"+ go\r\n", b"+ go\r\n", b"{tag} NO wrong \", client: " + VICTIM.encode() + b"\r\n"]}
    front = guessed("limit_auth_failures address 50 delay=0;limit_auth_failures user off;", scripts=scripts)
    front.login("imap", "bob", RIGHT, "127.4.1.1")
    assert found(front.proxy.error_log) == ["127.4.1.1"]


def test_a_failure_whose_reason_is_not_shown_is_found(guessed):
    front = guessed("limit_auth_failures off;", choose=lambda request, number: refusal("wrong-password is wrong"))
    front.login("pop3", "bob", "wrong-password", "127.4.1.1")
    assert found(front.proxy.error_log) == ["127.4.1.1"]


def test_user_names_forge_no_address(guessed):
    front = guessed("limit_auth_failures off;")
    for name in HOSTILE:
        with front.client("pop3", "127.4.5.6") as client:
            client.socket.sendall(b"USER " + name.encode("latin-1") + b"\r\n")
            client.read()
            client.socket.sendall(b"PASS wrong\r\n")
            client.read()
        with front.client("imap", "127.4.5.6") as client:
            text = name.encode("latin-1")
            client.socket.sendall(b"a LOGIN {%d}\r\n" % len(text))
            client.read()
            client.socket.sendall(text + b" wrong\r\n")
            client.read()
    log = front.proxy.log()
    assert VICTIM in log
    addresses = found(front.proxy.error_log)
    assert set(addresses) == {"127.4.5.6"}
    assert len(addresses) == len(front.lines("client login failed"))


def test_the_jail_names_the_filter_and_ports_that_there_are():
    with open(JAIL) as file:
        jail = file.read()
    assert "\nfilter = postern\n" in jail and "\n[postern]\n" in jail
    with open("/etc/services") as file:
        services = file.read()
    for port in re.search(r"^port = (.*)$", jail, re.MULTILINE)[1].split(","):
        assert re.search(rf"(^|\s){port}(\s|$)", services, re.MULTILINE), port
