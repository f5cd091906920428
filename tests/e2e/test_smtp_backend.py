"""What a real Postfix behind the proxy knows of a client, and what a server that offers XCLIENT is told."""

import base64
import socket
import smtplib

import pytest
from support.backend_front import trusting
from support.folder import temporary_folder
from support.policy_service import PolicyService
from support.ports import connect, free_port, wait_until
from support.postfix import Postfix, why_not
from support.scripted_backend import ScriptedBackend
from support.scripted_dns import A, PTR, ScriptedDns, name_bytes
from support.scripted_service import ScriptedService, ok

CLIENT = "127.9.8.7"
NAMES = {("7.8.9.127.in-addr.arpa", PTR): [name_bytes("mx.sender.test")],
         ("mx.sender.test", A): [socket.inet_aton(CLIENT)]}


@pytest.fixture(scope="module")
def policy():
    service = PolicyService()
    yield service
    service.close()


@pytest.fixture(scope="module")
def strict_postfix(dovecot, policy):
    """Lets this machine's main address say XCLIENT, but no other of its addresses."""
    if reason := why_not():
        pytest.skip(reason)
    with temporary_folder() as folder:
        program = Postfix(folder, dovecot, more=f"""
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{policy.port}
smtpd_client_port_logging = yes
""")
        yield program
        program.stop()


class Front:
    """The proxy in front of a mail server, for clients that DNS knows."""

    def __init__(self, server, backend_port, directives="", login=None, answers=NAMES):
        self.dns = ScriptedDns(answers)
        self.service = ScriptedService(lambda request, number: ok(Auth_Server="127.0.0.1", Auth_Port=backend_port, **(login or {})))
        self.port = free_port()
        self.proxy = server(f"auth_http 127.0.0.1:{self.service.port}/; resolver 127.0.0.1:{self.dns.port} ipv6=off; "
                            f"server_name proxy.test; smtp_auth plain login none; {directives} "
                            f"server {{ listen 127.0.0.1:{self.port}; protocol smtp; }}", [self.port])

    def client(self, hello="sender.test"):
        return smtplib.SMTP("127.0.0.1", self.port, timeout=20, local_hostname=hello, source_address=(CLIENT, 0))

    def close(self):
        self.dns.close()
        self.service.close()


@pytest.fixture
def fronted(server):
    made = []

    def make(*arguments, **options):
        made.append(Front(server, *arguments, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


def send(client, sender="ann@sender.test", recipient="bob@example.test"):
    client.sendmail(sender, [recipient], "Subject: x\r\n\r\nhello\r\n")


def test_postfix_logs_the_name_and_address_of_who_sends_mail(fronted, postfix):
    client = fronted(postfix.port).client("outside.test")
    send(client)
    client.quit()
    postfix.wait_for_log(r"(?m): client=mx\.sender\.test\[127\.9\.8\.7\]$")


def test_postfix_logs_name_address_and_login_of_who_logs_in(fronted, postfix, account):
    client = fronted(postfix.port).client()
    client.login(account.name, account.password)
    send(client)
    client.quit()
    postfix.wait_for_log(r"client=mx\.sender\.test\[127\.9\.8\.7\], sasl_method=XCLIENT, sasl_username=" + account.name)


def test_postfix_sees_the_proxy_where_xclient_is_off(fronted, postfix, account):
    client = fronted(postfix.port, "xclient off; proxy_smtp_auth on;").client()
    client.login(account.name, account.password)
    send(client)
    client.quit()
    postfix.wait_for_log(r"client=localhost\[127\.0\.0\.1\], sasl_method=PLAIN, sasl_username=" + account.name)


def test_postfix_checks_the_password_of_whom_xclient_names(fronted, postfix, account):
    client = fronted(postfix.port, "proxy_smtp_auth on;").client()
    client.login(account.name, account.password)
    send(client)
    client.quit()
    postfix.wait_for_log(r"client=mx\.sender\.test\[127\.9\.8\.7\], sasl_method=PLAIN, sasl_username=" + account.name)


@pytest.mark.parametrize("hello", ["ehlo", "helo"])
def test_postfix_believes_all_that_xclient_says(fronted, strict_postfix, policy, hello):
    front = fronted(strict_postfix.port)
    del policy.questions[:]
    client = front.client()
    getattr(client, hello)("sender.test")
    source_port = client.sock.getsockname()[1]
    client.docmd("MAIL FROM:<ann@sender.test>")
    assert client.docmd("RCPT TO:<bob@example.test>")[0] == 250
    client.quit()
    asked = policy.questions[0]
    assert {name: asked.get(name) for name in ("client_address", "client_name", "client_port", "helo_name", "protocol_name",
                                               "sasl_username", "server_address", "server_port")} == {
        "client_address": CLIENT, "client_name": "mx.sender.test", "client_port": str(source_port),
        "helo_name": "sender.test", "protocol_name": "ESMTP" if hello == "ehlo" else "SMTP", "sasl_username": "",
        "server_address": "127.0.0.1", "server_port": str(front.port)}


def test_postfix_believes_what_takes_two_commands(fronted, strict_postfix, policy, account):
    """Names of 245 bytes. After the first command Postfix must still let us say the second."""
    name = ".".join(["x" * 60] * 4) + "y"
    answers = {("7.8.9.127.in-addr.arpa", PTR): [name_bytes(name)], (name, A): [socket.inet_aton(CLIENT)]}
    front = fronted(strict_postfix.port, answers=answers)
    del policy.questions[:]
    client = front.client(name)
    client.login(account.name, account.password)
    source_port = client.sock.getsockname()[1]
    send(client)
    client.quit()
    asked = policy.questions[0]
    assert (asked["client_name"], asked["client_address"], asked["helo_name"]) == (name, CLIENT, name)
    assert (asked["client_port"], asked["server_port"]) == (str(source_port), str(front.port))
    assert (asked["sasl_username"], asked["protocol_name"]) == (account.name, "ESMTP")


def test_postfix_that_does_not_allow_xclient_refuses_the_login(fronted, dovecot, account):
    if reason := why_not():
        pytest.skip(reason)
    with temporary_folder() as folder:
        postfix = Postfix(folder, dovecot, more="smtpd_authorized_xclient_hosts =\n")
        try:
            front = fronted(postfix.port)
            client = front.client()
            plain = base64.b64encode(f"\0{account.name}\0{account.password}".encode()).decode()
            assert client.docmd("AUTH PLAIN " + plain) == (451, b"4.3.2 Internal server error")
            wait_until(lambda: front.proxy.log_lines(r"\[error\].*upstream sent invalid response: \"5\d\d .*while reading response from upstream"),
                       "the log says that XCLIENT was refused")
        finally:
            postfix.stop()


def test_xclient_goes_through_tls(fronted, dovecot, pki, account):
    """EHLO, STARTTLS, EHLO, XCLIENT, EHLO: Postfix offers XCLIENT anew after TLS."""
    if reason := why_not():
        pytest.skip(reason)
    with temporary_folder() as folder:
        postfix = Postfix(folder, dovecot, certificate=pki.server)
        try:
            front = fronted(postfix.port, f"proxy_ssl starttls; {trusting(pki)}")
            client = front.client()
            client.login(account.name, account.password)
            send(client)
            client.quit()
            postfix.wait_for_log(r"client=mx\.sender\.test\[127\.9\.8\.7\], sasl_method=XCLIENT, sasl_username=" + account.name)
        finally:
            postfix.stop()


def test_clients_at_a_unix_socket_have_no_address(fronted, server, strict_postfix, policy, folder):
    service = ScriptedService(lambda request, number: ok(Auth_Server="127.0.0.1", Auth_Port=strict_postfix.port))
    try:
        del policy.questions[:]
        server(f"auth_http 127.0.0.1:{service.port}/; smtp_auth none; server {{ listen unix:{folder}/s; protocol smtp; }}")
        with socket.socket(socket.AF_UNIX) as client:
            wait_until(lambda: client.connect_ex(f"{folder}/s") == 0, "the proxy listens")
            client.settimeout(20)
            lines = client.makefile("rb")
            assert lines.readline().startswith(b"220 ")
            client.sendall(b"MAIL FROM:<a@sender.test>\r\n")
            assert lines.readline() == b"250 2.0.0 OK\r\n"
            client.sendall(b"RCPT TO:<bob@example.test>\r\n")
            assert lines.readline().startswith(b"250 ")
        assert (policy.questions[0]["client_address"], policy.questions[0]["client_port"]) == ("unknown", "unknown")
    finally:
        service.close()


OFFERS = {
    "nothing": (b"250 X\r\n", "ADDR={c} LOGIN=bob NAME=mx.sender.test"),
    "no attribute": (b"250 XCLIENT\r\n", "ADDR={c} LOGIN=bob NAME=mx.sender.test"),
    "what NGINX tells": (b"250 XCLIENT NAME ADDR LOGIN\r\n", "ADDR={c} LOGIN=bob NAME=mx.sender.test"),
    "less": (b"250 XCLIENT NAME ADDR\r\n", "ADDR={c} NAME=mx.sender.test"),
    "lower case": (b"250-xclient name addr login proto\r\n250 DSN\r\n", "ADDR={c} LOGIN=bob NAME=mx.sender.test PROTO=ESMTP"),
    "all": (b"250 XCLIENT NAME ADDR PROTO HELO LOGIN PORT DESTADDR DESTPORT\r\n",
            "ADDR={c} LOGIN=bob NAME=mx.sender.test PORT={p} HELO=me PROTO=ESMTP DESTADDR=127.0.0.1 DESTPORT={l}"),
    "other words": (b"250 XCLIENT FUTURE PORT\r\n", "ADDR={c} PORT={p}"),
}


@pytest.mark.parametrize("offer", OFFERS)
def test_what_is_told_is_what_is_offered(fronted, offer):
    words, expected = OFFERS[offer]
    backend = ScriptedBackend(lambda address: ("smtp", [b"220 b\r\n", b"250-b\r\n" + words]))
    try:
        front = fronted(backend.port)
        with connect(front.port, source=CLIENT) as client:
            lines = client.makefile("rb")
            lines.readline()
            client.sendall(b"EHLO me\r\n")
            while lines.readline()[3:4] == b"-":
                pass
            client.sendall(b"AUTH PLAIN " + base64.b64encode(b"\0bob\0pw") + b"\r\n")
            assert lines.readline() == b"235 2.0.0 OK\r\n"
            told = expected.format(c=CLIENT, p=client.getsockname()[1], l=front.port)
        heard = backend.connections("127.0.0.1")[0].lines
        assert heard == [b"EHLO proxy.test\r\n", f"XCLIENT {told}\r\n".encode(), b"EHLO me\r\n"]
    finally:
        backend.close()


PIPELINES = [b"220 b\r\n", b"250-b\r\n250-PIPELINING\r\n250 XCLIENT NAME ADDR LOGIN\r\n"]
WITHOUT_WAITING = [b"EHLO proxy.test\r\n", f"XCLIENT ADDR={CLIENT} LOGIN=bob NAME=mx.sender.test\r\n".encode(), b"EHLO me\r\n"]


def log_in(fronted, replies, mail=""):
    """What the client hears, and the connection that the mailbox server had."""
    backend = ScriptedBackend(lambda address: ("smtp", replies))
    try:
        front = fronted(backend.port, mail)
        with connect(front.port, source=CLIENT) as client:
            lines = client.makefile("rb")
            lines.readline()
            client.sendall(b"EHLO me\r\n")
            while lines.readline()[3:4] == b"-":
                pass
            client.sendall(b"AUTH PLAIN " + base64.b64encode(b"\0bob\0pw") + b"\r\n")
            heard = lines.readline()
            client.shutdown(socket.SHUT_WR)
            heard += lines.read()
        connection = backend.connections("127.0.0.1")[0]
        assert connection.ended.wait(10)
        return heard, connection
    finally:
        backend.close()


def test_a_server_that_takes_it_hears_of_the_client_without_being_waited_for(fronted):
    heard, backend = log_in(fronted, [*PIPELINES, b"", b"220 b again\r\n250 hello\r\n"])
    assert heard == b"235 2.0.0 OK\r\n"
    assert backend.lines == WITHOUT_WAITING
    assert backend.early


def test_a_server_that_does_not_list_pipelining_is_waited_for(fronted):
    heard, backend = log_in(fronted, [b"220 b\r\n", b"250-b PIPELINING\r\n250 XCLIENT NAME ADDR LOGIN\r\n"])
    assert heard == b"235 2.0.0 OK\r\n"
    assert backend.lines == WITHOUT_WAITING
    assert not backend.early


def test_of_replies_that_come_together_only_the_refusal_is_passed_on(fronted):
    heard, backend = log_in(fronted, [*PIPELINES, b"", b"550 5.7.0 not you\r\n250 hello\r\n"], "proxy_pass_error_message on;")
    assert heard == b"550 5.7.0 not you\r\n"
    assert backend.lines == WITHOUT_WAITING


def test_the_password_waits_for_the_reply_to_ehlo(fronted):
    heard, backend = log_in(fronted, [*PIPELINES, b"", b"220 b again\r\n550 no\r\n"], "proxy_smtp_auth on;")
    assert heard == b"451 4.3.2 Internal server error\r\n"
    assert backend.lines == [line.replace(b" LOGIN=bob", b"") for line in WITHOUT_WAITING]
