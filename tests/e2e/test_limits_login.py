"""`limit_auth_failures`: guessing passwords is slow and soon over, and locks out nobody but who guesses."""

import base64
import hashlib
import hmac
import os
import re
import signal
import socket
import struct
import threading
import time

import pytest
from support.guessing import PROTOCOLS, RIGHT, TOO_MANY, WELCOME, WRONG, Guessed, check_password
from support.ports import connect, wait_until
from support.scripted_service import header, ok, refusal
from support.users_file import user_line

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
GUESSER, OTHER = "127.0.0.66", "127.1.0.1"


@pytest.fixture
def guessed(server):
    opened = []

    def start(*arguments, **options):
        opened.append(Guessed(server, *arguments, **options))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@every_protocol
def test_an_address_is_refused_after_its_failures(guessed, protocol):
    front = guessed("limit_auth_failures address 3 delay=0 time=1h; limit_auth_failures user off;")
    for number in range(3):
        assert front.login(protocol, f"user{number}", "wrong", GUESSER) == WRONG[protocol]
    with front.client(protocol, GUESSER) as client:
        assert client.login("bob", RIGHT) == TOO_MANY[protocol]
        assert client.read() == b"", "the connection ends"
    assert front.asked("bob") == []
    line, = front.lines("limiting failed logins")
    assert "[error]" in line and f"limiting failed logins by address while in auth state, client: {GUESSER}, server: " in line and 'login: "bob"' in line
    assert front.login(protocol, "bob", RIGHT, OTHER) == WELCOME[protocol]
    for other in PROTOCOLS:
        assert front.login(other, "bob", RIGHT, GUESSER) == TOO_MANY[other], "all servers count together"


def test_the_refusal_ends(guessed):
    front = guessed("limit_auth_failures address 2 delay=0 time=2s; limit_auth_failures user off;")
    for number in range(2):
        front.login("pop3", "bob", f"wrong{number}", GUESSER)
    assert front.login("pop3", "bob", RIGHT, GUESSER) == TOO_MANY["pop3"]
    wait_until(lambda: front.login("pop3", "bob", RIGHT, GUESSER) == WELCOME["pop3"], "the address may log in again", 5)


def attempt(client, mechanism):
    """A wrong password; the last reply."""
    start = {"imap": b"a AUTHENTICATE ", "pop3": b"AUTH ", "smtp": b"AUTH "}[client.protocol]
    encode = base64.b64encode
    if mechanism == "plain":
        return client.say(start + b"PLAIN " + encode(b"\0bob\0wrong-by-plain"))
    reply = client.say(start + mechanism.upper().encode())
    if mechanism == "login":
        client.say(encode(b"bob"))
        return client.say(encode(b"wrong-by-login"))
    if mechanism == "external":
        return client.say(encode(b"bob"))
    challenge = base64.b64decode(reply.split()[1])
    return client.say(encode(b"bob " + hmac.new(b"wrong", challenge, hashlib.md5).hexdigest().encode()))


@every_protocol
def test_each_mechanism_counts(guessed, protocol):
    front = guessed("limit_auth_failures address 4 delay=0 time=1h; limit_auth_failures user off; imap_auth plain login cram-md5 external;"
                    "pop3_auth plain cram-md5 external; smtp_auth plain login cram-md5 external;")
    for mechanism in ("plain", "login", "cram-md5", "external"):
        with front.client(protocol, GUESSER) as client:
            assert attempt(client, mechanism) == WRONG[protocol], mechanism
    with front.client(protocol, GUESSER) as client:
        assert attempt(client, "plain") == TOO_MANY[protocol]


def test_apop_counts(guessed):
    front = guessed("limit_auth_failures address 2 delay=0 time=1h; pop3_auth plain apop;")
    for reply in (WRONG["pop3"], WRONG["pop3"], TOO_MANY["pop3"]):
        with front.client("pop3", GUESSER) as client:
            digest = hashlib.md5(client.greeting).hexdigest().encode()
            assert client.say(b"APOP bob " + digest) == reply


def test_mail_without_a_login_does_not_count(guessed):
    front = guessed("limit_auth_failures address 1 time=1h; smtp_auth none;", choose=lambda request, number: refusal("No such user here"))
    for _ in range(3):
        with front.client("smtp", GUESSER) as client:
            client.say(b"MAIL FROM:<a@b>")
            assert client.say(b"RCPT TO:<c@d>") == b"535 5.7.0 No such user here\r\n"


def test_guessing_from_elsewhere_locks_no_user_out(guessed):
    front = guessed("limit_auth_failures user 5 delay=0 time=1h; limit_auth_failures address off;")
    home, beside, elsewhere = "127.5.5.5", "127.5.5.77", "127.6.6.6"
    assert front.login("imap", "alice", RIGHT, home) == WELCOME["imap"]
    for number in range(5):
        assert front.login("imap", "alice", f"wrong{number}", f"127.7.{number}.1") == WRONG["imap"]
    assert front.login("imap", "ALICE", RIGHT, elsewhere) == TOO_MANY["imap"], "strangers have to wait"
    assert "limiting failed logins by user while" in front.lines("limiting failed logins")[0]
    assert front.login("imap", "bob", RIGHT, elsewhere) == WELCOME["imap"]
    assert front.login("imap", "alice", RIGHT, home) == WELCOME["imap"]
    assert front.login("imap", "alice", RIGHT, beside) == WELCOME["imap"], "the same network"
    assert front.login("imap", "alice", RIGHT, elsewhere) == TOO_MANY["imap"], "her success is not theirs"


def test_guessing_at_others_locks_no_neighbour_out(guessed):
    front = guessed("limit_auth_failures address 3 delay=0 time=1h; limit_auth_failures user 100 delay=0;")
    assert front.login("pop3", "alice", RIGHT, GUESSER) == WELCOME["pop3"]
    for number in range(3):
        front.login("pop3", f"user{number}", "wrong", GUESSER)
    assert front.login("pop3", "bob", RIGHT, GUESSER) == TOO_MANY["pop3"]
    assert front.login("pop3", "alice", RIGHT, GUESSER) == WELCOME["pop3"]
    for number in range(3):
        assert front.login("pop3", "alice", f"wrong{number}", GUESSER) == WRONG["pop3"]
    assert front.login("pop3", "alice", RIGHT, GUESSER) == TOO_MANY["pop3"], "but her own failures count"


def test_one_valid_account_resets_nothing_else(guessed):
    front = guessed("limit_auth_failures address 4 delay=0 time=1h; limit_auth_failures user 100 delay=0;")
    for number in range(4):
        assert front.login("imap", f"victim{number}", "wrong", GUESSER) == WRONG["imap"]
        front.login("imap", "mallory", RIGHT, GUESSER)
    assert front.login("imap", "victim", RIGHT, GUESSER) == TOO_MANY["imap"]


def test_a_mistyped_password_is_forgotten_with_the_right_one(guessed):
    front = guessed("limit_auth_failures address 4 delay=0 time=1h; limit_auth_failures user 100 delay=0;")
    for number in range(8):
        assert front.login("imap", f"user{number}", "wrong", GUESSER) == WRONG["imap"]
        assert front.login("imap", f"user{number}", RIGHT, GUESSER) == WELCOME["imap"]


def test_an_old_password_again_and_again_is_one_guess(guessed):
    front = guessed("limit_auth_failures address 3 delay=0 time=1h; limit_auth_failures user 100 delay=0;")
    for _ in range(10):
        assert front.login("imap", "bob", "the-old-one", GUESSER) == WRONG["imap"]
    assert front.login("imap", "alice", RIGHT, GUESSER) == WELCOME["imap"]


@every_protocol
def test_answers_come_later_and_later(guessed, protocol):
    front = guessed("limit_auth_failures address 9 delay=100ms time=1h; limit_auth_failures user off;")
    for number, seconds in enumerate((0.1, 0.2, 0.4)):
        started = time.monotonic()
        assert front.login(protocol, "bob", f"wrong{number}", GUESSER) == WRONG[protocol]
        assert seconds <= time.monotonic() - started < seconds + 2
        assert f"delaying answer to failed login by {seconds * 1000:.0f} ms" in front.lines(r"\[warn\].*delaying")[number]
    started = time.monotonic()
    assert front.login(protocol, "bob", RIGHT, GUESSER) == WELCOME[protocol]
    assert time.monotonic() - started < 0.4, "a login that succeeds is not delayed"


def test_auth_wait_keeps_its_meaning(guessed):
    """The longer of both; and without one the connection ends, as with NGINX."""
    front = guessed("limit_auth_failures address 9 delay=200ms time=1h; limit_auth_failures user off;",
                    choose=lambda request, number: refusal(Auth_Wait=1) if number == 0 else refusal())
    with front.client("imap", GUESSER) as client:
        started = time.monotonic()
        assert client.login("bob", "wrong1") == WRONG["imap"]
        assert 1 <= time.monotonic() - started < 3
        started = time.monotonic()
        assert client.login("bob", "wrong2") == WRONG["imap"]
        assert 0.4 <= time.monotonic() - started < 2.5
        assert client.read() == b""


@pytest.mark.parametrize("vanish", [False, True])
def test_a_client_that_leaves_waits_no_longer(guessed, vanish):
    front = guessed("limit_auth_failures address 9 delay=1m time=1h;", level="debug")
    client = front.client("imap", GUESSER)
    client.send_login("bob", "wrong")
    wait_until(lambda: front.lines("client is answered after"), "the answer is held back")
    if vanish:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    wait_until(lambda: front.lines("client connection closed"), "its connection is closed", 3)


def test_pipelined_commands_do_not_end_the_wait(guessed):
    front = guessed("limit_auth_failures address 9 delay=300ms time=1h;")
    with front.client("imap", GUESSER) as client:
        started = time.monotonic()
        client.socket.sendall(b"a LOGIN bob wrong\r\n")
        time.sleep(0.05)
        client.socket.sendall(b"b NOOP\r\n")
        assert client.read() == WRONG["imap"] and time.monotonic() - started >= 0.3


def test_only_so_many_answers_are_held_back(guessed):
    front = guessed("limit_auth_failures address 500 delay=1m time=1h; limit_auth_failures user off;", start=False)
    with open(front.proxy.configuration) as file:
        text = file.read()
    with open(front.proxy.configuration, "w") as file:
        file.write(text.replace("worker_connections 4096", "worker_connections 64"))
    front.proxy.start()
    clients = [front.client("pop3", GUESSER) for _ in range(9)]
    for number, client in enumerate(clients):
        client.send_login(f"user{number}", "wrong")
        wait_until(lambda: len(front.lines("delaying answer")) == number + 1, "it is counted")
    assert clients[8].read() == WRONG["pop3"], "an eighth of the connections is held, this is one more"
    clients[0].close()
    for client in clients[1:]:
        client.close()


def test_many_guesses_at_once_learn_no_more(guessed):
    """All are asked before the first one has failed; the right one among them is the last to be answered."""
    go_on = threading.Event()

    def choose(request, number):
        if header(request, "Auth-Pass") == RIGHT:
            go_on.wait(10)
        return check_password(request, number)
    front = guessed("limit_auth_failures address 3 delay=0 time=1h; limit_auth_failures user off;", choose=choose)
    with front.client("imap", GUESSER) as lucky:
        lucky.send_login("bob", RIGHT)
        wait_until(lambda: front.asked("bob"), "the service is asked")
        for number in range(3):
            assert front.login("imap", "bob", f"wrong{number}", GUESSER) == WRONG["imap"]
        go_on.set()
        assert lucky.read() == TOO_MANY["imap"]


def test_counts_outlive_reloads_and_workers(guessed):
    front = guessed("limit_auth_failures address 3 delay=0 time=1h; limit_auth_failures user off;", main="worker_processes 2;")
    for number in range(3):
        front.login("imap", "bob", f"wrong{number}", GUESSER)
    for _ in range(4):
        assert front.login("imap", "bob", RIGHT, GUESSER) == TOO_MANY["imap"], "whichever loop it is"
    old = front.proxy.workers()
    os.kill(front.proxy.program.pid, signal.SIGHUP)
    wait_until(lambda: front.proxy.workers() and not set(front.proxy.workers()) & set(old), "a new worker")
    assert front.login("imap", "bob", RIGHT, GUESSER) == TOO_MANY["imap"]
    old = front.proxy.workers()
    os.kill(old[0], signal.SIGKILL)
    wait_until(lambda: front.proxy.workers() and not set(front.proxy.workers()) & set(old), "another worker")
    assert front.login("imap", "bob", RIGHT, GUESSER) == TOO_MANY["imap"]
    assert front.login("imap", "bob", RIGHT, OTHER) == WELCOME["imap"]


def test_dry_run_only_tells(guessed):
    front = guessed("limit_auth_failures address 2 delay=1m time=1h; limit_dry_run on; limit_log_level notice;")
    for number in range(2):
        assert front.login("imap", "bob", f"wrong{number}", GUESSER) == WRONG["imap"]
    assert front.login("imap", "bob", RIGHT, GUESSER) == WELCOME["imap"]
    assert len(front.lines(r"\[notice\].*limiting failed logins, dry run, by address")) == 1
    assert len(front.lines(r"\[info\].*delaying answer to failed login, dry run, by")) == 2


def test_who_is_exempt_is_not_counted(guessed):
    front = guessed(f"limit_auth_failures address 1 delay=1m time=1h; limit_exempt {GUESSER};")
    for _ in range(3):
        assert front.login("imap", "bob", "wrong", GUESSER) == WRONG["imap"]
    assert front.login("imap", "bob", RIGHT, GUESSER) == WELCOME["imap"]


BACKEND_SAYS_NO = {"imap": [b"* OK backend ready\r\n", b"+ login\r\n", b"+ password\r\n", b"* CAPABILITY IMAP4rev1\r\n{tag} NO [AUTHENTICATIONFAILED] wrong\r\n"],
                   "pop3": [b"+OK backend ready\r\n", b"+OK password\r\n", b"-ERR [AUTH] wrong\r\n"],
                   "smtp": [b"220 backend.test ESMTP\r\n", b"250 AUTH PLAIN\r\n", b"535 5.7.8 wrong\r\n"]}
BACKEND_IS_BUSY = {"imap": [*BACKEND_SAYS_NO["imap"][:3], b"{tag} NO [UNAVAILABLE] later\r\n"],
                   "pop3": [*BACKEND_SAYS_NO["pop3"][:2], b"-ERR [SYS/TEMP] later\r\n"],
                   "smtp": [*BACKEND_SAYS_NO["smtp"][:2], b"454 4.7.0 later\r\n"]}


@every_protocol
@pytest.mark.parametrize("scripts, limited", [(BACKEND_SAYS_NO, True), (BACKEND_IS_BUSY, False)])
def test_a_password_that_the_backend_refuses_counts(guessed, protocol, scripts, limited):
    """Many services only say where a mailbox is."""
    front = guessed("limit_auth_failures address 2 delay=0 time=1h; limit_auth_failures user off; proxy_smtp_auth on; proxy_pass_error_message on; xclient off;",
                    choose=lambda request, number: ok(), scripts=scripts)
    for number in range(2):
        assert front.login(protocol, "bob", f"wrong{number}", GUESSER).rstrip(b"\r\n").endswith((b"wrong", b"later", b"IMAP4rev1"))
    reply = front.login(protocol, "bob", "third", GUESSER)
    assert (reply == TOO_MANY[protocol]) == limited


def test_a_service_that_can_not_say_counts_nothing(guessed):
    front = guessed("limit_auth_failures address 1 delay=0 time=1h;", choose=lambda request, number: refusal("[UNAVAILABLE] database is away"))
    for number in range(3):
        assert front.login("imap", "bob", f"any{number}", GUESSER) == b"a NO [UNAVAILABLE] database is away\r\n"


def test_auth_file(guessed, folder):
    path = os.path.join(folder, "users")
    with open(path, "w") as out:
        out.write(user_line("bob", RIGHT, "PLAIN"))
    os.chmod(path, 0o644)
    front = guessed("limit_auth_failures address 2 delay=10ms time=1h; limit_auth_failures user off;",
                    auth=lambda one: f"auth_file {path} default=127.0.0.1:{one.backends['imap'].port};")
    with front.client("imap", GUESSER) as client:
        assert client.login("bob", "wrong") == WRONG["imap"]
        assert client.login("nobody", "wrong") == WRONG["imap"]
        assert client.login("bob", RIGHT) == TOO_MANY["imap"]
        assert client.read() == b""
    assert front.login("imap", "bob", RIGHT, OTHER) == WELCOME["imap"]


def test_nothing_is_said_of_whether_a_user_exists(guessed):
    """Who exists and who does not: the same replies, and the same delays."""
    front = guessed("limit_auth_failures address 3 delay=50ms time=1h; limit_auth_failures user 100 delay=0;")
    front.login("imap", "alice", RIGHT, OTHER)
    seen = []
    for user, source in (("alice", "127.0.8.1"), ("nobody", "127.0.9.1")):
        replies = [front.login("imap", user, f"wrong{number}", source) for number in range(4)]
        delays = [re.search(r" by (\d+) ms", line)[1] for line in front.lines(f"delaying answer.*client: {source},")]
        seen.append((replies, delays))
    assert seen[0] == seen[1] and seen[0][1] == ["50", "100", "200"], seen


def test_the_clients_own_address_counts_behind_a_load_balancer(guessed):
    front = guessed("limit_auth_failures address 2 delay=0 time=1h; limit_auth_failures user off; set_real_ip_from 127.0.0.0/8;", servers={name: " proxy_protocol" for name in PROTOCOLS})

    def login(client_address, password):
        with connect(front.port["pop3"]) as client:
            client.sendall(f"PROXY TCP4 {client_address} 192.0.2.9 1234 110\r\n".encode())
            lines = client.makefile("rb")
            lines.readline()
            client.sendall(b"USER bob\r\n")
            lines.readline()
            client.sendall(f"PASS {password}\r\n".encode())
            return lines.readline()
    for number in range(2):
        assert login("192.0.2.1", f"wrong{number}") == WRONG["pop3"]
    assert login("192.0.2.1", RIGHT) == TOO_MANY["pop3"]
    assert login("192.0.2.2", RIGHT) == WELCOME["pop3"]
    assert front.lines(r"limiting failed logins by address while in auth state, client: 192\.0\.2\.1, ")
