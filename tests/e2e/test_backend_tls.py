"""TLS to mailbox servers: a real Dovecot, and servers that do what no real one should (T3, T31)."""

import imaplib
import poplib
import re
import smtplib
import ssl

import pytest
from support.backend_front import ACCEPTED, FAILED, LOGIN, PASSWORD, trusting
from support.dovecot import Dovecot
from support.folder import temporary_folder
from support.ports import connect, free_port, wait_until
from support.postfix import Postfix, why_not
from support.scripted_service import ScriptedService, ok
from support.tls_backend import GREETING

every_protocol = pytest.mark.parametrize("protocol", list(LOGIN))
both_ways = pytest.mark.parametrize("mode", ["on", "starttls"])
SMTP_PORT = free_port()  # Dovecot's submission service has to know Postfix's before it runs


@pytest.fixture(scope="module")
def tls_dovecot(pki):
    with temporary_folder() as folder:
        program = Dovecot(folder, relay_port=SMTP_PORT, certificate=pki.server)
        yield program
        program.stop()


@pytest.fixture(scope="module")
def tls_postfix(tls_dovecot, pki):
    if reason := why_not():
        pytest.skip(reason)
    with temporary_folder() as folder:
        program = Postfix(folder, tls_dovecot, SMTP_PORT, certificate=pki.server)
        yield program
        program.stop()


# A real server


@both_ways
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_dovecot_is_reached_under_tls(server, tls_dovecot, pki, mode, protocol):
    account = tls_dovecot.account()
    port = free_port()
    at_once = {"imap": tls_dovecot.imaps_port, "pop3": tls_dovecot.pop3s_port}[protocol]
    plain = {"imap": tls_dovecot.imap_port, "pop3": tls_dovecot.pop3_port}[protocol]
    service = ScriptedService(lambda request, number: ok(Auth_Server="127.0.0.1", Auth_Port=at_once if mode == "on" else plain))
    server(f"auth_http 127.0.0.1:{service.port}/; proxy_ssl {mode}; {trusting(pki)} "
           f"server {{ listen 127.0.0.1:{port}; protocol {protocol}; }}", [port])
    if protocol == "imap":
        client = imaplib.IMAP4("127.0.0.1", port, timeout=20)
        client.login(account.name, account.password)
        assert client.select() == ("OK", [b"3"])
        text = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * 131072
        assert client.append("INBOX", None, None, text)[0] == "OK"
        assert len(client.fetch("4", "(BODY.PEEK[])")[1][0][1]) == len(text)
        client.logout()
    else:
        client = poplib.POP3("127.0.0.1", port, timeout=20)
        client.user(account.name)
        client.pass_(account.password)
        assert client.stat()[0] == 3
        client.quit()
    wait_until(lambda: re.search(rf"user=<{account.name}>.*TLS", tls_dovecot.log()), "Dovecot saw TLS")
    service.close()


@both_ways
def test_tls_on_both_sides(server, tls_dovecot, pki, mode):
    account, port = tls_dovecot.account(), free_port()
    backend_port = tls_dovecot.imaps_port if mode == "on" else tls_dovecot.imap_port
    service = ScriptedService(lambda request, number: ok(Auth_Server="127.0.0.1", Auth_Port=backend_port))
    server(f"auth_http 127.0.0.1:{service.port}/; proxy_ssl {mode}; {trusting(pki)} "
           f"ssl_certificate {pki.server.path}; ssl_certificate_key {pki.server.key_path}; "
           f"server {{ listen 127.0.0.1:{port} ssl; protocol imap; }}", [port])
    client = imaplib.IMAP4_SSL("localhost", port, ssl_context=ssl.create_default_context(cafile=pki.authority.path), timeout=20)
    client.login(account.name, account.password)
    text = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * 655360
    assert client.append("INBOX", None, None, text)[0] == "OK"
    client.select()
    assert client.fetch("4", "(BODY.PEEK[])")[1][0][1] == text
    client.logout()
    service.close()


def test_postfix_is_reached_with_starttls(server, tls_dovecot, tls_postfix, pki):
    """It wants TLS before MAIL and AUTH; what the client says after the login is under TLS too."""
    account, port = tls_dovecot.account(), free_port()
    service = ScriptedService(lambda request, number: ok(Auth_Server="127.0.0.1", Auth_Port=tls_postfix.port))
    server(f"auth_http 127.0.0.1:{service.port}/; proxy_ssl starttls; {trusting(pki)} proxy_smtp_auth on; xclient off; "
           f"server {{ listen 127.0.0.1:{port}; protocol smtp; }}", [port])
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.login(account.name, account.password)
        assert client.sendmail("ann@example.test", ["inbox@example.test"], "Subject: under TLS\r\n\r\nhello\r\n") == {}
    tls_postfix.wait_for_log(r"Anonymous TLS connection established from .*127\.0\.0\.1")
    wait_until(lambda: any(b"under TLS" in mail for mail in tls_dovecot.inbox.new_mail()), "the mail has arrived")
    service.close()


def test_postfix_without_tls_is_sent_nothing_in_clear(server, postfix, account, pki):
    port = free_port()
    service = ScriptedService(lambda request, number: ok(Auth_Server="127.0.0.1", Auth_Port=postfix.port))
    proxy = server(f"auth_http 127.0.0.1:{service.port}/; proxy_ssl starttls; {trusting(pki)} proxy_smtp_auth on; xclient off; "
                   f"server {{ listen 127.0.0.1:{port}; protocol smtp; }}", [port])
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.ehlo()
        client.user, client.password = account.name, account.password
        with pytest.raises(smtplib.SMTPAuthenticationError, match="451"):
            client.auth("PLAIN", client.auth_plain)
    wait_until(lambda: proxy.log_lines(r"\[error\] .*upstream does not offer STARTTLS"), "the log says why")
    assert account.name not in postfix.log()
    service.close()


@both_ways
def test_dovecots_submission_is_reached_under_tls(server, tls_dovecot, tls_postfix, pki, mode):
    account, port = tls_dovecot.account(), free_port()
    backend_port = tls_dovecot.submissions_port if mode == "on" else tls_dovecot.submission_port
    service = ScriptedService(lambda request, number: ok(Auth_Server="127.0.0.1", Auth_Port=backend_port))
    server(f"auth_http 127.0.0.1:{service.port}/; proxy_ssl {mode}; {trusting(pki)} proxy_smtp_auth on; xclient off; "
           f"server {{ listen 127.0.0.1:{port}; protocol smtp; }}", [port])
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        assert client.login(account.name, account.password)[0] == 235
        assert client.noop()[0] == 250
    wait_until(lambda: re.search(rf"submission-login: .*user=<{account.name}>.*TLS", tls_dovecot.log()), "Dovecot saw TLS")
    service.close()


@pytest.mark.parametrize("fields, at_once", [("ssl=any-cert", True), ("starttls=any-cert", False), ("ssl=yes", True), ("starttls=yes", False)])
def test_a_users_file_says_it_as_dovecot_does(server, tls_dovecot, pki, folder, fields, at_once):
    account, port = tls_dovecot.account(), free_port()
    backend_port = tls_dovecot.imaps_port if at_once else tls_dovecot.imap_port
    with open(f"{folder}/users", "w") as out:
        out.write(f"{account.name}:{{PLAIN}}{account.password}::::::host=127.0.0.1 port={backend_port} {fields}\n")
    proxy = server(f"auth_file {folder}/users; server {{ listen 127.0.0.1:{port}; protocol imap; }}", [port])

    def log_in():
        client = imaplib.IMAP4("127.0.0.1", port, timeout=20)
        client.login(account.name, account.password)
        assert client.select() == ("OK", [b"3"])
    if "any-cert" in fields:
        log_in()
        return
    with pytest.raises(imaplib.IMAP4.error):  # the system's authorities don't know ours
        log_in()
    wait_until(lambda: proxy.log_lines("upstream SSL certificate verify error"), "the log says why")
    proxy.write(f"auth_file {folder}/users; proxy_ssl_trusted_certificate {pki.authority.path}; "
                f"server {{ listen 127.0.0.1:{port}; protocol imap; }}")
    old = proxy.workers()
    assert proxy.run("-s", "reload").returncode == 0
    wait_until(lambda: proxy.workers() and not set(old) & set(proxy.workers()), "a new worker")
    log_in()


# Certificates that are not good enough: nothing is said to their servers


def bad_certificates(pki):
    return {
        "wrong name": (pki.wrong_name, "", r'upstream SSL certificate does not match "mail.test"'),
        "expired": (pki.expired, "", r"upstream SSL certificate verify error: \(10:certificate has expired\)"),
        "not yet valid": (pki.not_yet, "", r"upstream SSL certificate verify error: \(9:certificate is not yet valid\)"),
        "self-signed": (pki.self_signed, "", r"upstream SSL certificate verify error: \(18:self-signed certificate\)"),
        "unknown authority": (pki.unknown, "", r"upstream SSL certificate verify error: \(2[01]:.*\)"),
        "revoked": (pki.revoked, f"proxy_ssl_crl {pki.crl};", r"upstream SSL certificate verify error: \(23:certificate revoked\)"),
    }


@pytest.mark.parametrize("case", ["wrong name", "expired", "not yet valid", "self-signed", "unknown authority", "revoked"])
@both_ways
@every_protocol
def test_a_bad_certificate_gets_no_credentials(front, backend, pki, protocol, mode, case):
    certificate, directives, said = bad_certificates(pki)[case]
    other = backend(protocol, certificate, at_once=mode == "on")
    proxy = front(protocol, other.port, f"proxy_ssl {mode}; {trusting(pki, directives)}")
    assert proxy.log_in() == FAILED[protocol]
    proxy.logged(r"\[error\] .*" + said + r" while SSL handshaking to upstream, client: .*upstream: 127.0.0.1:")
    visit = other.visits[0]
    assert visit.ended.wait(10)
    assert all(text not in visit.heard() for text in (b"bob", PASSWORD.encode(), b"AUTH", b"LOGIN"))
    assert PASSWORD not in proxy.proxy.log()


@pytest.mark.parametrize("options, directives", [
    ({"version": ssl.TLSVersion.TLSv1_1}, ""),
    ({"ciphers": "AES128-SHA", "version": ssl.TLSVersion.TLSv1_2}, "proxy_ssl_ciphers ECDHE+AESGCM;"),
    ({"version": ssl.TLSVersion.TLSv1_2}, "proxy_ssl_protocols TLSv1.3;")])
@both_ways
def test_a_weak_server_gets_no_credentials(front, backend, pki, mode, options, directives):
    other = backend("imap", pki.server_rsa, at_once=mode == "on", **options)
    proxy = front("imap", other.port, f"proxy_ssl {mode}; {trusting(pki, directives)}")
    assert proxy.log_in() == FAILED["imap"]
    proxy.logged(r"\[error\] .*SSL_do_handshake\(\) failed \(SSL: .* while SSL handshaking to upstream")
    assert other.visits[0].ended.wait(10) and b"bob" not in other.visits[0].heard()


@both_ways
@every_protocol
def test_a_good_one_is_logged_in_to_under_tls_only(front, backend, pki, protocol, mode):
    other = backend(protocol, pki.server, at_once=mode == "on")
    proxy = front(protocol, other.port, f"proxy_ssl {mode}; {trusting(pki)}")
    assert proxy.log_in().startswith(ACCEPTED[protocol])
    visit = other.visits[0]
    in_clear = b"".join(line for secure, line in visit.lines if not secure)
    assert b"bob" not in in_clear and PASSWORD.encode() not in in_clear and b"AUTH" not in in_clear
    wanted = b"AGJvYg" if protocol == "smtp" else PASSWORD.encode()
    assert any(secure and wanted in line for secure, line in visit.lines)


def test_what_is_offered_before_starttls_is_not_believed(front, backend, pki):
    """LITERAL+ in the greeting: who is on the line may have put it there."""
    other = backend("imap", pki.server, greeting=b"* OK [CAPABILITY IMAP4rev1 STARTTLS LITERAL+] ready\r\n")
    proxy = front("imap", other.port, f"proxy_ssl starttls; {trusting(pki)}")
    assert proxy.log_in().startswith(ACCEPTED["imap"])
    assert b"LOGIN {3}\r\n" in other.visits[0].heard()


# Servers that lie


def lies(protocol, case):
    """Options of the server; what the log says, and how loudly."""
    accepted = {"imap": b"a OK begin\r\n", "pop3": b"+OK\r\n", "smtp": b"220 begin\r\n"}[protocol]
    injected = {"imap": b"* OK injected\r\na OK injected\r\n", "pop3": b"+OK injected\r\n", "smtp": b"250 injected\r\n"}[protocol]
    refused = {"imap": b"a NO not now\r\n", "pop3": b"-ERR not now\r\n", "smtp": b"454 not now\r\n"}[protocol]
    wrong = {"imap": b"* PREAUTH you are root\r\n", "pop3": b"-ERR go away\r\n", "smtp": b"554 no\r\n"}[protocol]
    not_offered = {"imap": 'sent invalid response: "a BAD what"', "pop3": 'sent invalid response: "-ERR what"',
                   "smtp": "does not offer STARTTLS"}[protocol]
    unasked = "sent data before TLS that nobody asked for"
    # In SMTP what comes with the greeting is taken for the answer to EHLO, which offers nothing.
    early = "does not offer STARTTLS" if protocol == "smtp" else unasked
    cut_off = r"(peer closed connection in SSL handshake|recv\(\) failed .*) while SSL handshaking to upstream"
    return {
        "not offered": ({"starttls": None}, "error", not_offered),
        "refused": ({"starttls": refused}, "error", f'sent invalid response: "{refused.decode().strip()}"'),
        "more behind the greeting": ({"greeting": GREETING[protocol] + injected}, "error", early),
        "more behind it": ({"starttls": (accepted, injected)}, "error", unasked),
        "stalls": ({"stall": True}, "info", r"timed out \(110: Connection timed out\) while SSL handshaking to upstream"),
        "closes": ({"close": True}, "error", cut_off),
        "closes in the middle": ({"close": "middle"}, "error", cut_off),
        "no greeting": ({"greeting": wrong}, "error", f'sent invalid response: "{re.escape(wrong.decode().strip())}"'),
    }[case]


@pytest.mark.parametrize("pass_on", ["off", "on"])
@pytest.mark.parametrize("case", ["not offered", "refused", "more behind the greeting", "more behind it", "stalls", "closes",
                                  "closes in the middle", "no greeting"])
@every_protocol
def test_a_server_without_proper_starttls_gets_no_credentials(front, backend, pki, protocol, case, pass_on):
    options, level, said = lies(protocol, case)
    other = backend(protocol, pki.server, **options)
    proxy = front(protocol, other.port, f"proxy_ssl starttls; proxy_pass_error_message {pass_on}; {trusting(pki)}", timeout="1s")
    assert proxy.log_in() == FAILED[protocol]
    visit = other.visits[0]
    assert visit.ended.wait(10)
    assert all(text not in visit.heard() for text in (b"bob", PASSWORD.encode(), b"AUTH", b"LOGIN"))
    proxy.logged(rf"\[{level}\] .*{said}")
    assert len(proxy.errors()) == (level == "error"), proxy.errors()


# Details


def test_the_server_is_asked_for_by_name_only_where_that_is_written(front, backend, pki):
    asked = []
    for directives in ("", "proxy_ssl_server_name on;"):
        other = backend("imap", pki.server, at_once=True)
        front("imap", other.port, f"proxy_ssl on; {trusting(pki, directives)}").log_in()
        asked.append(other.visits[0].server_name)
    assert asked == [None, "mail.test"]


def test_our_own_certificate_is_shown(front, backend, pki):
    other = backend("imap", pki.server, at_once=True, authority=pki.authority)
    front("imap", other.port, f"proxy_ssl on; {trusting(pki)} proxy_ssl_certificate {pki.client.path}; "
          f"proxy_ssl_certificate_key {pki.client.encrypted_key('open sesame')}; proxy_ssl_password_file {phrase(pki)};").log_in()
    assert (("commonName", "bob x"),) in other.visits[0].client_certificate["subject"]


def phrase(pki):
    path = f"{pki.folder}/phrase"
    with open(path, "w") as out:
        out.write("open sesame\n")
    return path


@pytest.mark.parametrize("directives, expected", [("", [False, True]), ("proxy_ssl_session_reuse off;", [False, False])])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(front, backend, pki, directives, expected, version):
    other = backend("imap", pki.server, at_once=True, version=version)
    proxy = front("imap", other.port, f"proxy_ssl on; {trusting(pki, directives)}")
    for _ in range(2):
        assert proxy.log_in().startswith(b"a OK")
        assert other.visits[-1].ended.wait(10)
    assert [visit.resumed for visit in other.visits] == expected


def test_a_session_made_without_looking_is_no_proof(server, backend, pki):
    """One service sends two users to the same server: for one of them any certificate will do."""
    other = backend("imap", pki.expired, at_once=True)
    port = free_port()
    proxy = server(f"auth_file {pki.folder}/two; proxy_ssl_trusted_certificate {pki.authority.path}; proxy_ssl_name mail.test; "
                   f"server {{ listen 127.0.0.1:{port}; protocol imap; }}", [port], start=False)
    with open(f"{pki.folder}/two", "w") as out:
        for name, fields in (("lax", "ssl=any-cert"), ("strict", "ssl=yes")):
            out.write(f"{name}:{{PLAIN}}x::::::host=127.0.0.1 port={other.port} {fields}\n")
    proxy.start()
    said = {}
    for name in ("lax", "strict"):
        with connect(port) as client:
            lines = client.makefile("rb")
            lines.readline()
            client.sendall(f"a LOGIN {name} x\r\n".encode())
            said[name] = lines.readline()
    assert said == {"lax": b"a OK backend knows you\r\n", "strict": FAILED["imap"]}
    assert b"strict" not in other.visits[1].heard()


@pytest.mark.parametrize("configured", ["off", "on", "starttls"])
@pytest.mark.parametrize("answered", ["off", "on", "starttls", "STARTTLS"])
def test_the_service_may_say_it_for_each_user(front, backend, pki, configured, answered):
    other = backend("imap", pki.wrong_name, at_once=answered == "on")
    proxy = front("imap", other.port, f"proxy_ssl {configured}; {trusting(pki)}", Auth_Server_SSL=answered,
                  Auth_Server_Name="elsewhere.test")
    assert proxy.log_in().startswith(b"a OK")
    assert other.visits[0].handshake == (None if answered == "off" else "done")


def test_an_unknown_word_of_the_service_is_no_licence(front, backend, pki):
    other = backend("imap", pki.server)
    proxy = front("imap", other.port, "", Auth_Server_SSL="yes")
    assert proxy.log_in() == FAILED["imap"]
    proxy.logged(r'\[error\] .*auth http server 127.0.0.1:\d+ sent invalid server ssl:"yes"')
    assert other.visits == []
