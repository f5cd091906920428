"""Users in a file: the source of users that needs no service. NGINX has nothing like it."""

import imaplib
import os
import time

import pytest
from support.ports import connect, free_port, wait_until
from support.users_file import SCHEMES, passwd, user_line

PASSWORD = "Pw-of-the-proxy-81"


@pytest.fixture
def users(server, folder, dovecot, account):
    """A proxy with an auth_file that a test writes; `users.login(name, password)` tries it."""
    class Users:
        path = os.path.join(folder, "users")
        imap = free_port()
        proxy = None

        def write(self, *lines):
            with open(self.path + ".new", "w") as out:
                out.writelines(lines)
            os.chmod(self.path + ".new", 0o644)
            os.rename(self.path + ".new", self.path)

        def start(self, *lines, directives=""):
            self.write(*lines)
            self.proxy = server(f"auth_file {self.path} default=127.0.0.1:{dovecot.imap_port}; imap_auth plain cram-md5; {directives}"
                                f"server {{ listen 127.0.0.1:{self.imap}; protocol imap; }}", [self.imap])
            return self

        def login(self, name, password):
            """The tagged reply to LOGIN."""
            with connect(self.imap) as client:
                lines = client.makefile("rb")
                lines.readline()
                client.sendall(f'a LOGIN "{name}" "{password}"\r\n'.encode())
                reply = lines.readline()
                while reply.startswith(b"* ") and not reply.startswith(b"* BAD"):
                    reply = lines.readline()
                return reply.decode()

    return Users()


def to(account):
    return f"user={account.name} pass={account.password}"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes(users, account, scheme):
    users.start(user_line("front", PASSWORD, scheme, to(account)))
    assert users.login("front", PASSWORD).startswith("a OK")
    assert users.login("front", PASSWORD + "x").startswith("a NO")
    assert users.login("front", PASSWORD[:-1]).startswith("a NO")
    assert users.login("front", "").startswith("a NO")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_passwd_makes_a_line(scheme):
    made = passwd("bob", PASSWORD, scheme)
    assert made.stdout.startswith(f"bob:{{{scheme}}}") and made.stdout.endswith("\n") and made.stdout.count("\n") == 1
    assert (PASSWORD in made.stdout) == (scheme == "PLAIN")
    if scheme != "PLAIN":
        assert made.stdout != passwd("bob", PASSWORD, scheme).stdout, "no salt"


def test_passwd_has_a_strong_default():
    line = passwd("bob", PASSWORD).stdout
    assert line.startswith(("bob:{BLF-CRYPT}", "bob:{YESCRYPT}", "bob:{SHA512-CRYPT}"))


@pytest.mark.parametrize("user, password, scheme", [("bob", "x", "ROT13"), ("bo:b", "x", None), ("bo\nb", "x", None), ("", "x", None)])
def test_passwd_refuses(user, password, scheme):
    made = passwd(user, password, scheme, check=False)
    assert made.returncode != 0 and made.stdout == "" and made.stderr


def test_user_without_fields_goes_to_the_default(users, account):
    users.start(user_line(account.name, account.password))
    assert users.login(account.name, account.password).startswith("a OK")


def test_host_and_port_of_a_line(users, account, dovecot):
    other = free_port()
    users.start(user_line("here", PASSWORD, fields=f"host=127.0.0.1 port={dovecot.imap_port} {to(account)}"),
                user_line("nowhere", PASSWORD, fields=f"host=127.0.0.1 port={other} {to(account)}"))
    assert users.login("here", PASSWORD).startswith("a OK")
    assert users.login("nowhere", PASSWORD) == "* BAD internal server error\r\n"
    assert users.proxy.log_lines(rf"127\.0\.0\.1:{other}")


def test_unknown_user_and_wrong_password_look_the_same(users, account):
    users.start(user_line("front", PASSWORD, "BLF-CRYPT", to(account)))

    def measure(name):
        begin = time.monotonic()
        reply = users.login(name, "wrong")
        return reply, time.monotonic() - begin

    replies = set()
    known = unknown = 0
    for _ in range(3):
        reply, seconds = measure("front")
        replies.add(reply)
        known += seconds
        reply, seconds = measure("nobody")
        replies.add(reply)
        unknown += seconds
    assert len(replies) == 1
    assert 0.5 < known / unknown < 2, f"known {known:.3f} s, unknown {unknown:.3f} s"


def test_change_of_the_file_is_noticed(users, account):
    users.start(user_line("front", PASSWORD, fields=to(account)))
    assert users.login("late", PASSWORD).startswith("a NO")
    users.write(user_line("late", PASSWORD, fields=to(account)))
    wait_until(lambda: users.login("late", PASSWORD).startswith("a OK"), "the new user is known", timeout=10)
    assert users.login("front", PASSWORD).startswith("a NO")


def test_bad_lines_are_named_and_skipped(users, account):
    users.start("# a comment\n", "\n", "no colon at all\n", "x:{ROT13}abc\n", ":{PLAIN}nobody\n",
                user_line("front", PASSWORD, fields=to(account)), "y:{PLAIN}z::::::port=banana\n")
    assert users.login("front", PASSWORD).startswith("a OK")
    for number in (3, 4, 5, 7):
        lines = users.proxy.log_lines(rf"users:{number}\b")
        assert lines, f"line {number} is not named:\n{users.proxy.log()}"
        assert not any("{PLAIN}" in line or "abc" in line for line in lines)
    for number in (1, 2, 6):
        assert not users.proxy.log_lines(rf"users:{number}\b")


def test_file_that_vanishes_keeps_the_users(users, account):
    users.start(user_line("front", PASSWORD, fields=to(account)))
    assert users.login("front", PASSWORD).startswith("a OK")
    os.unlink(users.path)
    assert users.login("front", PASSWORD).startswith("a OK")


def test_cram_md5_with_a_plain_secret(users, account):
    users.start(user_line("front", PASSWORD, "PLAIN", to(account)), user_line("hashed", PASSWORD, "BLF-CRYPT", to(account)))
    client = imaplib.IMAP4("127.0.0.1", users.imap, timeout=20)
    assert client.login_cram_md5("front", PASSWORD)[0] == "OK"
    client.logout()
    for name, password in (("front", "wrong"), ("hashed", PASSWORD)):
        client = imaplib.IMAP4("127.0.0.1", users.imap, timeout=20)
        with pytest.raises(imaplib.IMAP4.error):
            client.login_cram_md5(name, password)


def test_hashing_does_not_block_others(users, account):
    """Many slow checks at once; the greeting of another client does not wait for them."""
    users.start(user_line("front", PASSWORD, "BLF-CRYPT", to(account)))
    begin = time.monotonic()
    users.login("front", "wrong")
    one = time.monotonic() - begin
    busy = [connect(users.imap) for _ in range(40)]
    try:
        for client in busy:
            client.sendall(b"a LOGIN front wrong\r\n")
        begin = time.monotonic()
        with connect(users.imap) as other:
            assert other.recv(100) == b"* OK IMAP4 ready\r\n"
            other.sendall(b"a NOOP\r\n")
            assert other.recv(100) == b"a OK completed\r\n"
        assert time.monotonic() - begin < max(8 * one, 0.5)
        for client in busy:
            lines = client.makefile("rb")
            lines.readline()
            assert lines.readline().startswith(b"a NO")
    finally:
        for client in busy:
            client.close()
