"""Real clients under TLS, through the proxy to a real Dovecot."""

import imaplib
import poplib
import re
import smtplib
import socket
import ssl
import subprocess

import pytest
from support.ports import free_port, wait_until

PROTOCOLS = ("imap", "pop3", "smtp")


class Ports:
    """Of each protocol a port with TLS from the start, and one with STARTTLS."""

    def __init__(self):
        for protocol in PROTOCOLS:
            setattr(self, protocol, free_port())
            setattr(self, protocol + "s", free_port())

    def all(self):
        return list(vars(self).values())


def servers(ports, url, extra=""):
    blocks = [f"auth_http {url}; server_name mail.test; xclient off; proxy_smtp_auth on; {extra}"]
    for protocol in PROTOCOLS:
        blocks.append(f"server {{ protocol {protocol}; starttls on; listen 127.0.0.1:{getattr(ports, protocol)}; "
                      f"listen 127.0.0.1:{getattr(ports, protocol + 's')} ssl; }}")
    return "\n".join(blocks)


def pair(certificate):
    return f"ssl_certificate {certificate.path}; ssl_certificate_key {certificate.key_path};"


@pytest.fixture
def proxied(server, directory, account, pki):
    """start(directives): the proxy in front of Dovecot; `account` may log in."""
    directory.know(account)

    def start(extra=None, **options):
        ports = Ports()
        wanted = pair(pki.server) if extra is None else extra
        ports_proxy = server(servers(ports, directory.url(), wanted), ports.all(), **options)
        ports.proxy = ports_proxy
        return ports
    return start


def context_for(pki, version=None, certificate=None):
    context = ssl.create_default_context(cafile=pki.authority.path)
    if version:
        context.minimum_version = context.maximum_version = version
    if certificate:
        context.load_cert_chain(certificate.path, certificate.key_path)
    return context


def s_client(port, *options, starttls=None, talk=b"", timeout=20):
    """openssl s_client with these options; the talk is its standard input."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "mail.test", *options]
    if starttls:
        command += ["-starttls", starttls]
    done = subprocess.run(command, input=talk, capture_output=True, timeout=timeout)
    return (done.stdout + done.stderr).decode("latin-1")


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
both_versions = pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
both_ways = pytest.mark.parametrize("at_once", [True, False], ids=["ssl", "starttls"])


@both_versions
@both_ways
def test_imaplib(proxied, account, pki, version, at_once):
    ports = proxied()
    context = context_for(pki, version)
    if at_once:
        client = imaplib.IMAP4_SSL("localhost", ports.imaps, ssl_context=context, timeout=20)
    else:
        client = imaplib.IMAP4("localhost", ports.imap, timeout=20)
        client.starttls(context)
    client.login(account.name, account.password)
    assert client.select() == ("OK", [b"3"])
    text = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * 131072
    assert client.append("INBOX", None, None, text)[0] == "OK"
    assert len(client.fetch("4", "(BODY.PEEK[])")[1][0][1]) == len(text)
    client.logout()


@both_versions
@both_ways
def test_poplib(proxied, account, pki, version, at_once):
    ports = proxied()
    context = context_for(pki, version)
    if at_once:
        client = poplib.POP3_SSL("localhost", ports.pop3s, context=context, timeout=20)
    else:
        client = poplib.POP3("localhost", ports.pop3, timeout=20)
        client.stls(context)
    client.user(account.name)
    client.pass_(account.password)
    assert client.stat()[0] == 3
    client.quit()


@both_versions
@both_ways
def test_smtplib(proxied, postfix, account, pki, version, at_once):
    ports = proxied()
    context = context_for(pki, version)
    if at_once:
        client = smtplib.SMTP_SSL("localhost", ports.smtps, context=context, timeout=20)
    else:
        client = smtplib.SMTP("localhost", ports.smtp, timeout=20)
        client.starttls(context=context)
    client.login(account.name, account.password)
    assert client.noop()[0] == 250
    client.quit()


@both_ways
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_curl_reads_mail(proxied, account, pki, protocol, at_once):
    ports = proxied()
    scheme = protocol + ("s" if at_once else "")
    path = "INBOX;MAILINDEX=1" if protocol == "imap" else "1"
    done = subprocess.run(
        ["curl", "-sS", "--cacert", pki.authority.path, "--ssl-reqd", "--user", f"{account.name}:{account.password}",
         f"{scheme}://localhost:{getattr(ports, scheme)}/{path}"], capture_output=True, text=True, timeout=30)
    assert f"This is message 1 for {account.name}" in done.stdout, done.stderr


@pytest.mark.parametrize("protocol", PROTOCOLS)
@both_ways
def test_s_client_trusts_us(proxied, pki, protocol, at_once):
    ports = proxied()
    port = getattr(ports, protocol + "s" if at_once else protocol)
    shown = s_client(port, "-CAfile", pki.authority.path, "-verify_hostname", "mail.test", "-verify_return_error",
                     starttls=None if at_once else protocol)
    assert "Verify return code: 0 (ok)" in shown, shown
    assert "Secure Renegotiation IS NOT supported" not in shown or "TLSv1.3" in shown
    assert "Compression: NONE" in shown


@pytest.mark.parametrize("options", ["-tls1_1", "-tls1"])
def test_old_versions_are_refused(proxied, options):
    ports = proxied()
    shown = s_client(ports.imaps, options, "-cipher", "DEFAULT:@SECLEVEL=0")
    assert "Cipher is (NONE)" in shown, shown
    wait_until(lambda: ports.proxy.log_lines("SSL_do_handshake.. failed .*unsupported protocol"), "the log says why")


def test_old_versions_work_where_they_are_written(proxied, pki):
    ports = proxied(pair(pki.server) + "ssl_protocols TLSv1 TLSv1.1 TLSv1.2;")
    assert "Protocol  : TLSv1.1" in s_client(ports.imaps, "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0")
    assert "TLSv1.3" not in s_client(ports.imaps)


@pytest.mark.parametrize("cipher", ["RC4-SHA", "DES-CBC3-SHA", "RC4-MD5", "NULL-SHA", "ADH-AES128-SHA", "DHE-RSA-AES128-SHA"])
def test_weak_ciphers_and_dhe_are_refused(proxied, pki, cipher):
    ports = proxied(pair(pki.server_rsa))
    shown = s_client(ports.imaps, "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0")
    assert "Cipher is (NONE)" in shown or "no cipher match" in shown, shown


def test_dhe_with_parameters(proxied, pki):
    ports = proxied(pair(pki.server_rsa) + f"ssl_dhparam {pki.dhparam};")
    shown = s_client(ports.imaps, "-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256")
    assert "Cipher is DHE-RSA-AES128-GCM-SHA256" in shown and "DH, 2048 bits" in shown, shown


def test_the_client_picks_one_of_two_certificates(proxied, pki):
    ports = proxied(pair(pki.server) + pair(pki.server_rsa))
    for signature, kind in (("ECDSA+SHA256", "id-ecPublicKey"), ("rsa_pss_rsae_sha256", "rsaEncryption")):
        shown = s_client(ports.imaps, "-sigalgs", signature, "-CAfile", pki.authority.path)
        assert "Verify return code: 0 (ok)" in shown, shown
        public = subprocess.run(["openssl", "x509", "-noout", "-text"], input=shown, capture_output=True, text=True)
        assert kind in public.stdout


def test_settings_reach_the_library(proxied, pki):
    ports = proxied(pair(pki.server_rsa) + "ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384; "
                    "ssl_prefer_server_ciphers on; ssl_ecdh_curve secp384r1; "
                    "ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;")
    old = s_client(ports.imaps, "-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256")
    assert "Cipher is ECDHE-RSA-AES128-GCM-SHA256" in old and "secp384r1" in old, old
    assert "TLS_CHACHA20_POLY1305_SHA256" in s_client(ports.imaps)


def resumed(port, *options, starttls=None):
    """Whether a second connection comes back with the session of the first."""
    shown = s_client(port, *options, "-reconnect", starttls=starttls)
    assert "New, TLSv1.2" in shown, shown
    return shown.count("Reused, TLSv1.2")


@pytest.mark.parametrize("directives, ticket, session_id", [
    ("", True, False),
    ("ssl_session_tickets off;", False, False),
    ("ssl_session_tickets off; ssl_session_cache off;", False, False),
    ("ssl_session_tickets off; ssl_session_cache none;", False, False),
    ("ssl_session_tickets off; ssl_session_cache builtin;", False, True),
    ("ssl_session_tickets off; ssl_session_cache builtin:1000 shared:a:1m;", False, True),
    ("ssl_session_tickets off; ssl_session_cache shared:a:1m;", False, True),
    ("ssl_session_cache shared:a:1m;", True, True),
])
def test_sessions_are_resumed_as_configured(proxied, pki, directives, ticket, session_id):
    ports = proxied(pair(pki.server) + directives)
    assert (resumed(ports.imaps, "-tls1_2") > 0) == (ticket or session_id)
    assert (resumed(ports.imaps, "-tls1_2", "-no_ticket") > 0) == session_id


@pytest.mark.parametrize("directives, works", [
    ("", True), ("ssl_session_tickets off;", False), ("ssl_session_tickets off; ssl_session_cache shared:a:1m;", True)])
def test_tls_1_3_sessions_are_resumed_as_configured(proxied, pki, folder, directives, works):
    ports = proxied(pair(pki.server) + directives)
    kept = f"{folder}/session"
    # The server's tickets come behind its greeting: QUIT waits for both.
    shown = s_client(ports.imaps, "-sess_out", kept, "-ign_eof", talk=b"a LOGOUT\r\n")
    assert "New, TLSv1.3" in shown
    again = s_client(ports.imaps, "-sess_in", kept, "-ign_eof", talk=b"a LOGOUT\r\n") if works else ""
    assert ("Reused, TLSv1.3" in again) == works, again


def test_sessions_outlive_a_reload(proxied, pki, folder):
    ports = proxied(pair(pki.server) + "ssl_session_cache shared:a:1m;")
    for options in (("-no_ticket",), ()):
        kept = f"{folder}/session{len(options)}"
        old_workers = ports.proxy.workers()
        s_client(ports.imaps, "-tls1_2", *options, "-sess_out", kept)
        assert ports.proxy.run("-s", "reload").returncode == 0
        wait_until(lambda: not set(old_workers) & set(ports.proxy.workers()) and ports.proxy.workers(), "a new worker")
        assert "Reused, TLSv1.2" in s_client(ports.imaps, "-tls1_2", *options, "-sess_in", kept)


def test_ticket_keys_of_files_serve_several_machines(proxied, pki, folder):
    for index, size in enumerate((80, 48)):
        with open(f"{folder}/ticket{index}", "wb") as out:
            out.write(bytes((index + 1, 2, 3, 4)) * (size // 4))
    files = [f"ssl_session_ticket_key {folder}/ticket{index};" for index in range(2)]
    machines = [proxied(pair(pki.server) + text) for text in (files[0], files[1] + files[0], files[1])]
    kept = f"{folder}/session"
    s_client(machines[0].imaps, "-tls1_2", "-sess_out", kept)
    reused = ["Reused, TLSv1.2" in s_client(one.imaps, "-tls1_2", "-sess_in", kept) for one in machines]
    assert reused == [True, True, False]


def imap_with(ports, pki, certificate):
    context = context_for(pki, certificate=certificate)
    with socket.create_connection(("localhost", ports.imaps), 20) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            return client.recv(100)


def test_client_certificates(proxied, pki):
    ports = proxied(pair(pki.server) + f"ssl_verify_client on; ssl_client_certificate {pki.authority.path}; "
                    f"ssl_crl {pki.crl};")
    assert imap_with(ports, pki, pki.client) == b"* OK IMAP4 ready\r\n"
    assert imap_with(ports, pki, None) == b"* BYE No required SSL certificate\r\n"
    for bad, why in ((pki.client_expired, "10:certificate has expired"), (pki.client_revoked, "23:certificate revoked"),
                     (pki.client_unknown, "21:unable to verify the first certificate")):
        assert imap_with(ports, pki, bad) == b"* BYE SSL certificate error\r\n"
        wait_until(lambda: ports.proxy.log_lines(re.escape(f"client SSL certificate verify error: ({why})")), why)
    assert ports.proxy.log_lines("client sent no required SSL certificate while SSL handshaking, client: 127.0.0.1")


def test_the_clients_certificate_is_a_login(server, dovecot, account, pki, folder):
    """SASL EXTERNAL with a users file: the certificate's e-mail address is the user."""
    certificate = pki.authority.issue("external", emails=(account.name,), client=True)
    with open(f"{folder}/users", "w") as out:
        out.write(f"{account.name}:{{PLAIN}}{account.password}\n")
    port = free_port()
    server(f"server {{ listen 127.0.0.1:{port} ssl; protocol imap; imap_auth plain external; {pair(pki.server)} "
           f"auth_file {folder}/users default=127.0.0.1:{dovecot.imap_port}; ssl_verify_client optional; "
           f"ssl_client_certificate {pki.authority.path}; }}", [port])

    def login(certificate, name):
        client = imaplib.IMAP4_SSL("localhost", port, ssl_context=context_for(pki, certificate=certificate), timeout=20)
        client.authenticate("EXTERNAL", lambda challenge: name.encode())
        return client
    assert login(certificate, account.name).select() == ("OK", [b"3"])
    assert login(certificate, "").select() == ("OK", [b"3"])
    for wrong, name in ((certificate, "somebody"), (None, account.name), (pki.client, account.name)):
        with pytest.raises(imaplib.IMAP4.error):
            login(wrong, name)


def test_starts_without_any_certificate(proxied, account):
    ports = proxied("")
    shown = s_client(ports.imaps)
    assert "subject=CN = mail.test" in shown and "issuer=CN = mail.test" in shown
    insecure = ssl._create_unverified_context()
    client = imaplib.IMAP4_SSL("localhost", ports.imaps, ssl_context=insecure, timeout=20)
    client.login(account.name, account.password)
    assert client.select() == ("OK", [b"3"])
    tested = ports.proxy.run("-t")
    assert tested.returncode == 0
    for protocol in PROTOCOLS:
        assert re.search(r'\[warn\] no "ssl_certificate" is defined for the "listen ... ssl" directive in \S+proxy.conf:\d+, '
                         r'a self-signed certificate for "mail.test" is used', tested.stderr), tested.stderr


def broken(pki, folder):
    """Directives, and what -t says of them."""
    def file(name, text=""):
        with open(f"{folder}/{name}", "w") as out:
            out.write(text)
        return f"{folder}/{name}"
    good, other = pki.server, pki.server_rsa
    encrypted = good.encrypted_key("open sesame")
    key = f"ssl_certificate_key {good.key_path};"
    return [
        (f"ssl_certificate {folder}/none.pem; {key}", r'\[emerg\] cannot load certificate ".*/none.pem": .*No such file'),
        (f"ssl_certificate {file('empty.pem')}; {key}", r'\[emerg\] cannot load certificate ".*/empty.pem": .*no start line'),
        (f"ssl_certificate {good.key_path}; {key}", r'\[emerg\] cannot load certificate ".*mail.test.key": .*no start line'),
        (f"ssl_certificate {good.path}; ssl_certificate_key {folder}/none.key;",
         r'\[emerg\] cannot load certificate key ".*/none.key": .*No such file'),
        (f"ssl_certificate {good.path}; ssl_certificate_key {other.key_path};",
         r'\[emerg\] key ".*/rsa.mail.test.key" is not that of certificate ".*/mail.test.pem": .*mismatch'),
        (f"ssl_certificate {good.path};", r'\[emerg\] no "ssl_certificate_key" is defined for certificate ".*mail.test.pem"'),
        (f"ssl_certificate {good.path}; ssl_certificate_key {encrypted};",
         r'\[emerg\] cannot load certificate key .*"ssl_password_file" names none'),
        (f"ssl_certificate {good.path}; ssl_certificate_key {encrypted}; ssl_password_file {file('pw', 'wrong')};",
         r'\[emerg\] cannot load certificate key .*no pass phrase in ".*/pw" opens it'),
        (f"{pair(good)} ssl_ciphers NONSENSE;", r'\[emerg\] SSL_CTX_set_cipher_list\("NONSENSE"\) failed \(SSL: .*no cipher match'),
        (f"{pair(good)} ssl_ecdh_curve nonsense;", r'\[emerg\] SSL_CTX_set1_curves_list\("nonsense"\) failed'),
        (f"{pair(good)} ssl_dhparam {file('dh.pem', 'x')};", r'\[emerg\] PEM_read_bio_Parameters\(".*/dh.pem"\) failed'),
        (f"{pair(good)} ssl_conf_command Nonsense 1;", r'\[emerg\] SSL_CONF_cmd\("Nonsense", "1"\) failed'),
        (f"{pair(good)} ssl_verify_client on;", r"\[emerg\] no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client"),
        (f"{pair(good)} ssl_verify_client on; ssl_client_certificate {folder}/none;",
         r'\[emerg\] SSL_CTX_load_verify_locations\(".*/none"\) failed'),
        (f"{pair(good)} ssl_verify_client on; ssl_client_certificate {pki.authority.path}; ssl_crl {folder}/none;",
         r'\[emerg\] cannot load CRL ".*/none": '),
        (f"{pair(good)} ssl_session_ticket_key {file('short', 'x' * 47)};", r'\[emerg\] ".*/short" must be 48 or 80 bytes'),
        (pair(pki.expired), r'\[warn\] certificate ".*/expired.test.pem" has expired'),
        (pair(pki.not_yet), r'\[warn\] certificate ".*/not-yet.test.pem" is not valid before'),
        (pair(pki.wrong_name), r'\[warn\] certificate ".*/elsewhere.test.pem" is not for "mail.test"'),
    ]


def test_a_broken_configuration_is_told_with_its_line(server, pki, folder):
    port = free_port()
    proxy = server("", start=False)
    for directives, said in broken(pki, folder):
        proxy.write("auth_http 127.0.0.1:1;\nserver {\nserver_name mail.test;\n"
                    f"listen 127.0.0.1:{port} ssl; protocol imap;\n{directives}\n}}")
        tested = proxy.run("-t")
        assert (tested.returncode != 0) == ("emerg" in said), tested.stderr
        line = next((line for line in tested.stderr.splitlines() if re.search(said, line)), "")
        assert re.search(r"in \S+proxy.conf:\d+", line), f"{directives}\n{said}\n{tested.stderr}"


def test_keys_may_be_encrypted_or_in_the_configuration(proxied, pki, folder):
    with open(f"{folder}/phrases", "w") as out:
        out.write("wrong\nopen sesame\n")
    with open(pki.server.key_path) as key:
        inline = f'ssl_certificate "data:{pki.server.pem}"; ssl_certificate_key "data:{key.read()}";'
    encrypted = (f"ssl_certificate {pki.server.path}; ssl_certificate_key {pki.server.encrypted_key('open sesame')}; "
                 f"ssl_password_file {folder}/phrases;")
    store = f"ssl_certificate {pki.server.path}; ssl_certificate_key store:file:{pki.server.key_path};"
    for directives in (inline, encrypted, store):
        ports = proxied(directives)
        assert "Verify return code: 0 (ok)" in s_client(ports.imaps, "-CAfile", pki.authority.path)
        assert "PRIVATE KEY" not in ports.proxy.log()
