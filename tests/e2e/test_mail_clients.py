"""Real clients through the proxy to real mail servers."""

import hashlib
import imaplib
import poplib
import random
import shutil
import smtplib
import subprocess

import pytest
from support.flask_auth import FlaskAuth
from support.ports import connect, free_port, wait_until

SERVERS = """
auth_http {url};
server {{ listen 127.0.0.1:{imap}; protocol imap; }}
server {{ listen 127.0.0.1:{pop3}; protocol pop3; }}
server {{ listen 127.0.0.1:{smtp}; protocol smtp; xclient off; proxy_smtp_auth on; }}
server {{ listen 127.0.0.1:{mx}; protocol smtp; smtp_auth none; auth_http {mx_url}; }}
"""


class Ports:
    def __init__(self):
        self.imap, self.pop3, self.smtp, self.mx = (free_port() for _ in range(4))

    def all(self):
        return [self.imap, self.pop3, self.smtp, self.mx]


def start(server, url, ports=None, extra="", mx_url=None):
    ports = ports or Ports()
    ports.proxy = server(SERVERS.format(url=url, mx_url=mx_url or url, **ports.__dict__) + extra, ports.all())
    return ports


@pytest.fixture
def ports(server, directory, account):
    """The proxy in front of Dovecot with the Directory as service; `account` may log in."""
    directory.know(account)
    return start(server, directory.url())


def imap_client(ports, account):
    client = imaplib.IMAP4("127.0.0.1", ports.imap, timeout=20)
    client.login(account.name, account.password)
    return client


def pop3_client(ports, account):
    client = poplib.POP3("127.0.0.1", ports.pop3, timeout=20)
    client.user(account.name)
    client.pass_(account.password)
    return client


def big_message(size, subject):
    """A message with lines of 76 random characters, and the hash of its body."""
    body = random.Random(subject).randbytes(size // 2).hex().encode()
    lines = b"\r\n".join(body[start:start + 76] for start in range(0, len(body), 76)) + b"\r\n"
    return f"Subject: {subject}\r\n\r\n".encode() + lines, hashlib.sha256(lines).hexdigest()


def body_hash(message):
    body = message.replace(b"\r\n", b"\n").split(b"\n\n", 1)[1]
    return hashlib.sha256(body.replace(b"\n", b"\r\n")).hexdigest()


def arrived(account, subject, timeout=30):
    """Waits until a message with this subject is in the Maildir."""
    def look():
        return next((mail for mail in account.new_mail() if f"Subject: {subject}".encode() in mail), None)
    return wait_until(look, f"mail with subject {subject} arrives", timeout)


def test_imap_list_fetch_and_logout(ports, account):
    client = imap_client(ports, account)
    assert client.list()[0] == "OK"
    assert client.select() == ("OK", [b"3"])
    assert f"This is message 2 for {account.name}".encode() in client.fetch("2", "(BODY[])")[1][0][1]
    assert client.logout()[0] == "BYE"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_imap_authenticate(ports, account, mechanism):
    client = imaplib.IMAP4("127.0.0.1", ports.imap, timeout=20)
    answers = iter([account.name.encode(), account.password.encode()])
    plain = f"\0{account.name}\0{account.password}".encode()
    client.authenticate(mechanism, lambda challenge: plain if mechanism == "PLAIN" else next(answers))
    assert client.select() == ("OK", [b"3"])
    client.logout()


def test_imap_idle_gets_a_notification(ports, account):
    waiting = imap_client(ports, account)
    waiting.select()
    waiting.send(b"i IDLE\r\n")
    assert waiting.readline().startswith(b"+")
    writing = imap_client(ports, account)
    assert writing.append("INBOX", None, None, b"Subject: news\r\n\r\nnow\r\n")[0] == "OK"
    line = waiting.readline()
    while b"EXISTS" not in line:
        assert line.startswith(b"* ")
        line = waiting.readline()
    assert line == b"* 4 EXISTS\r\n"
    waiting.send(b"DONE\r\n")
    writing.logout()
    waiting.shutdown()


def test_imap_append_and_fetch_25_mebibytes(ports, account):
    message, expected = big_message(25 << 20, "big")
    client = imap_client(ports, account)
    assert client.append("INBOX", None, None, message)[0] == "OK"
    assert client.select() == ("OK", [b"4"])
    got = client.fetch("4", "(BODY.PEEK[])")[1][0][1]
    assert len(got) == len(message) and body_hash(got) == expected
    client.logout()


def test_pop3_retrieve_and_delete(ports, account):
    client = pop3_client(ports, account)
    assert client.stat()[0] == 3
    assert f"This is message 1 for {account.name}.".encode() in client.retr(1)[1]
    client.dele(1)
    client.quit()
    again = pop3_client(ports, account)
    assert again.stat()[0] == 2
    again.quit()


def test_pop3_capabilities_before_login(ports):
    client = poplib.POP3("127.0.0.1", ports.pop3, timeout=20)
    assert set(client.capa()) == {"TOP", "USER", "UIDL", "SASL"}
    client.quit()


def test_smtp_auth_sends_25_mebibytes(ports, account, postfix, dovecot):
    subject = f"big {account.name}"
    message, expected = big_message(25 << 20, subject)
    client = smtplib.SMTP("127.0.0.1", ports.smtp, timeout=60)
    client.login(account.name, account.password)
    client.sendmail("ann@example.test", ["bob@example.test"], message)
    client.quit()
    assert body_hash(arrived(dovecot.inbox, subject)) == expected


def test_smtp_none_tells_postfix_the_client(server, directory, account, postfix, dovecot):
    directory.ports["smtp"] = postfix.port
    ports = start(server, directory.url())
    subject = f"outside {account.name}"
    client = smtplib.SMTP("127.0.0.1", ports.mx, timeout=20, local_hostname="outside.test", source_address=("127.9.8.7", 0))
    client.sendmail("ann@outside.test", ["bob@example.test"], f"Subject: {subject}\r\n\r\n.\r\n..\r\nhello\r\n")
    client.quit()
    mail = arrived(dovecot.inbox, subject)
    assert b"from outside.test (unknown [127.9.8.7])" in mail
    assert mail.endswith(b"\n\n.\n..\nhello\n")
    request = directory.requests("127.9.8.7")[-1]
    assert b"Auth-Method: none\r\n" in request and b"Auth-SMTP-To: rcpt TO:<bob@example.test>\r\n" in request


def test_smtp_xclient_tells_postfix_the_login(server, directory, account, postfix):
    directory.know(account)
    directory.ports["smtp"] = postfix.port
    port = free_port()
    server(f"auth_http {directory.url()}; server {{ listen 127.0.0.1:{port}; protocol smtp; }}", [port])
    client = smtplib.SMTP("127.0.0.1", port, timeout=20)
    client.login(account.name, account.password)
    client.sendmail("ann@example.test", ["bob@example.test"], "Subject: x\r\n\r\nhello\r\n")
    client.quit()
    postfix.wait_for_log(f"sasl_method=XCLIENT, sasl_username={account.name}")


def test_the_guides_flask_program_lets_everybody_in(server, folder, dovecot, account, postfix):
    flask = FlaskAuth(folder, dovecot.imap_port, dovecot.pop3_port, dovecot.submission_port)
    try:
        url = f"127.0.0.1:{flask.port}/mail/auth"
        ports = start(server, url)
        client = imap_client(ports, account)
        assert client.select() == ("OK", [b"3"])
        client.logout()
        other = pop3_client(ports, account)
        assert other.stat()[0] == 3
        other.quit()
        smtp = smtplib.SMTP("127.0.0.1", ports.smtp, timeout=20)
        assert smtp.login(account.name, account.password)[0] == 235
        smtp.quit()
    finally:
        flask.stop()


def curl(*arguments, **options):
    return subprocess.run(["curl", "-sS", "--max-time", "20", *arguments], capture_output=True, timeout=30, **options)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl(ports, account, postfix, dovecot, folder):
    user = ["--user", f"{account.name}:{account.password}"]
    fetched = curl(f"imap://127.0.0.1:{ports.imap}/INBOX;MAILINDEX=1", *user)
    assert fetched.returncode == 0 and f"This is message 1 for {account.name}".encode() in fetched.stdout
    retrieved = curl(f"pop3://127.0.0.1:{ports.pop3}/2", *user)
    assert retrieved.returncode == 0 and f"This is message 2 for {account.name}".encode() in retrieved.stdout
    subject = f"curl {account.name}"
    sent = curl(f"smtp://127.0.0.1:{ports.smtp}", *user, "--mail-from", "ann@example.test", "--mail-rcpt", "bob@example.test",
                "--upload-file", "-", input=f"Subject: {subject}\r\n\r\nhello\r\n".encode())
    assert sent.returncode == 0, sent.stderr
    arrived(dovecot.inbox, subject)


@pytest.mark.skipif(not shutil.which("swaks"), reason="swaks is not installed")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(ports, account, postfix, dovecot, mechanism):
    subject = f"swaks {mechanism} {account.name}"
    ran = subprocess.run(["swaks", "--server", f"127.0.0.1:{ports.smtp}", "--auth", mechanism, "--auth-user", account.name,
                          "--auth-password", account.password, "--from", "ann@example.test", "--to", "bob@example.test",
                          "--header", f"Subject: {subject}", "--timeout", "20"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    arrived(dovecot.inbox, subject)


def test_wrong_password(ports, account):
    with pytest.raises(imaplib.IMAP4.error, match="Invalid login or password"):
        imaplib.IMAP4("127.0.0.1", ports.imap, timeout=20).login(account.name, "wrong")
    pop3 = poplib.POP3("127.0.0.1", ports.pop3, timeout=20)
    pop3.user(account.name)
    with pytest.raises(poplib.error_proto, match="-ERR Invalid login or password"):
        pop3.pass_("wrong")
    smtp = smtplib.SMTP("127.0.0.1", ports.smtp, timeout=20)
    smtp.ehlo()
    assert smtp.docmd("AUTH PLAIN AHgAd3Jvbmc=") == (535, b"5.7.0 Invalid login or password")


def test_backend_refuses_the_password(server, directory, account):
    """The service believes in a password that Dovecot does not know."""
    account.password = "changed-since"
    directory.know(account)
    ports = start(server, directory.url())
    client = connect(ports.imap)
    lines = client.makefile("rb")
    lines.readline()
    client.sendall(f"a LOGIN {account.name} {account.password}\r\n".encode())
    assert lines.readline() == b"* BAD internal server error\r\n"
    assert lines.readline() == b""
    client.close()


def test_backend_refusal_is_passed_on(server, directory, account):
    account.password = "changed-since"
    directory.know(account)
    ports = start(server, directory.url(), extra="proxy_pass_error_message on;")
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        imap_client(ports, account)
    with pytest.raises(poplib.error_proto, match=r"-ERR \[AUTH\]"):
        pop3_client(ports, account)


def test_backend_down(server, directory, account):
    directory.know(account)
    directory.ports = dict.fromkeys(directory.ports, free_port())
    ports = start(server, directory.url())
    with pytest.raises(imaplib.IMAP4.abort):
        imap_client(ports, account)
    with pytest.raises(poplib.error_proto, match="-ERR internal server error"):
        pop3_client(ports, account)
    assert ports.proxy.log_lines(r"\[error\].*Connection refused.*login: \"" + account.name)


def test_service_down(server, account):
    ports = start(server, f"127.0.0.1:{free_port()}/auth")
    with pytest.raises(poplib.error_proto, match="-ERR internal server error"):
        pop3_client(ports, account)
    smtp = smtplib.SMTP("127.0.0.1", ports.smtp, timeout=20)
    assert smtp.docmd("AUTH PLAIN AHgAcGFzcw==") == (451, b"4.3.2 Internal server error")


def test_two_hundred_clients_at_once(ports, account):
    clients = [connect(ports.imap) for _ in range(200)]
    try:
        for number, client in enumerate(clients):
            client.sendall(f"t{number} LOGIN {account.name} {account.password}\r\n".encode())
        files = [client.makefile("rb") for client in clients]
        for number, lines in enumerate(files):
            assert lines.readline() == b"* OK IMAP4 ready\r\n"
            answer = lines.readline()
            while answer.startswith(b"* "):
                answer = lines.readline()
            assert answer.startswith(f"t{number} OK ".encode()), answer
        for number, client in enumerate(clients):
            client.sendall(f"x{number} LOGOUT\r\n".encode())
        for number, lines in enumerate(files):
            assert lines.readline().startswith(b"* BYE")
            assert lines.readline().startswith(f"x{number} OK".encode())
            assert lines.readline() == b""
    finally:
        for client in clients:
            client.close()


def test_log_lines_of_a_session(ports, account):
    imap_client(ports, account).logout()
    where = rf'client: 127\.0\.0\.1, server: 127\.0\.0\.1:{ports.imap}, login: "{account.name}", upstream: 127\.0\.0\.1:\d+'
    wait_until(lambda: ports.proxy.log_lines("proxied session done"), "the session's end is logged")
    stamp = r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[info\] \d+#\d+: \*\d+ "
    assert ports.proxy.log_lines(stamp + rf"client 127\.0\.0\.1:\d+ connected to 127\.0\.0\.1:{ports.imap}$")
    assert ports.proxy.log_lines(stamp + "client logged in, " + where + "$")
    assert ports.proxy.log_lines(stamp + "proxied session done, .*" + where)
