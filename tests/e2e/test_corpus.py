"""Configurations as administrators write them (corpus/): `nginx -t` and `postern -t` agree on each, and on
the line of each mistake that is put into one."""

import functools
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess

import pytest
from support.backend_front import ACCEPTED, LOGIN
from support.folder import temporary_folder
from support.ports import is_listening, wait_until
from support.processes import Program
from support.proxy import NGINX, NGINX_MODULE, binary_of, postern_binary
from support.scripted_backend import ScriptedBackend
from support.scripted_service import ScriptedService, ok

CORPUS = pathlib.Path(__file__).parent / "corpus"
STREAM = NGINX_MODULE.replace("mail", "stream")
NAMES = sorted(path.name for path in CORPUS.iterdir())
# What the NGINX that we compare with has not got yet.
NEWER = {"newer-than-1.22"}
# Warnings of NGINX's that have no sense here, and why.
WITHOUT_WARNING = {
    "debugging": 'NGINX: "debug_connection" is ignored in a build without debugging; here it works',
}

pytestmark = [
    pytest.mark.skipif(not (NGINX and os.path.exists(NGINX_MODULE) and os.path.exists(STREAM)),
                       reason="nginx with its mail and stream modules is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may listen on the ports of mail")]


@pytest.fixture(scope="module")
def values(pki):
    """What the files' places in capitals stand for."""
    return {"MODULE": NGINX_MODULE, "STREAM": STREAM, "CERTIFICATE": pki.server_rsa.path,
            "KEY": pki.server_rsa.key_path, "EC_CERTIFICATE": pki.server.path, "EC_KEY": pki.server.key_path,
            "ENCRYPTED_KEY": pki.server_rsa.encrypted_key("the right one"), "AUTHORITY": pki.authority.path,
            "CRL": pki.crl, "DHPARAM": pki.dhparam}


class Installed:
    """A copy of one of them, ready to be tested."""

    def __init__(self, name, folder, values):
        self.folder = pathlib.Path(folder)
        self.main = self.folder / "nginx.conf"
        shutil.copytree(CORPUS / name, self.folder, dirs_exist_ok=True)
        (self.folder / "log").mkdir()
        for path in self.files():
            text = path.read_bytes().decode()
            if name == "crlf":
                text = text.replace("\n", "\r\n")
            for key, value in {**values, "FOLDER": str(self.folder)}.items():
                text = text.replace(f"@{key}@", value)
            path.write_bytes(text.encode())

    def files(self):
        return [path for path in sorted(self.folder.rglob("*")) if path.is_file()]

    def test(self, kind):
        """Status and messages of -t."""
        command = [binary_of(kind), "-t", "-c", str(self.main), "-e", str(self.folder / "log" / "early.log")]
        if kind == "nginx":
            command += ["-p", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        return done.returncode, done.stderr


@pytest.fixture
def install(values):
    with temporary_folder() as folder:
        yield lambda name: Installed(name, folder, values)


def messages(text, level):
    return [line.split(f"[{level}] ", 1)[1] for line in text.splitlines() if f"[{level}] " in line]


def test_there_are_enough():
    assert len(NAMES) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_both_take_it(name, install):
    one = install(name)
    status, ours = one.test("postern")
    assert status == 0, ours
    if name in NEWER:
        return
    status, theirs = one.test("nginx")
    assert status == 0, theirs
    if name not in WITHOUT_WARNING:
        for warning in messages(theirs, "warn"):
            assert warning in messages(ours, "warn"), ours


# Mistakes that can be made in any file: the first place that matches is changed.
STATEMENT = r"(?m)(^|[;{{])([ \t]*){}(?=[ \t])"
ANYWHERE = {
    "misspelt_auth_http": (STATEMENT.format("auth_http"), r"\1\2auth_htp"),
    "misspelt_listen": (r"(?s)(\bmail\s*\{.*?[\s;{])listen(?=[ \t])", r"\1lisen"),
    "misspelt_events": (r"(?m)^events", "event"),
    "misspelt_pid": (r"(?m)^pid ", "pidd "),
    "no_semicolon_after_auth_http": (r"(?m)^([^#\n]*\bauth_http [^;\n]*);", r"\1"),
    "no_semicolon_after_pid": (r"(?m)^(pid [^;\n]*);", r"\1"),
    "brace_too_few": (r"\}(?=[^}]*\Z)", ""),
    "brace_too_many": (r"\Z", "\n}\n"),
    "unclosed_quote": (r"\Z", '\nworker_processes "1;\n'),
    "bad_time": (r"\bmail\s*\{", "mail {\n    timeout 1x;"),
    "bad_size": (r"\bmail\s*\{", "mail {\n    proxy_buffer 1g;"),
    "bad_flag": (r"\bmail\s*\{", "mail {\n    xclient maybe;"),
    "bad_word": (r"\bmail\s*\{", "mail {\n    imap_auth plain digest-md5;"),
    "too_many_arguments": (r"\bmail\s*\{", "mail {\n    proxy_timeout 1s 2s;"),
    "too_few_arguments": (r"\bmail\s*\{", "mail {\n    server_name;"),
    "wrong_context": (r"\bmail\s*\{", "mail {\n    worker_processes 2;"),
    "not_a_block": (r"\bmail\s*\{", "mail {\n    auth_http 127.0.0.1 { }"),
    "block_without_brace": (r"\bmail\s*\{", "mail {\n    server;"),
    "port_out_of_range": (r"\bmail\s*\{", "mail {\n    server { listen 70000; }"),
    "missing_include": (r"\bmail\s*\{", "mail {\n    include no/such/file;"),
    "second_mail_block": (r"(?m)^(mail\s*\{)", r"mail { }\n\1"),
}
# And some that need their place: (file, what is there, what becomes of it)
HERE = {
    "duplicate": ("manual-example", "    xclient           off;", "    xclient off;\n    xclient on;"),
    "duplicate_main": ("tuned-workers", "worker_processes     4;", "worker_processes 4;\nworker_processes 4;"),
    "listen_in_mail": ("manual-example", "    server {", "    listen 1;\n    server {"),
    "listen_in_main": ("manual-example", "events {", "listen 1;\nevents {"),
    "server_in_server": ("one-line", "listen 143;", "listen 143; server { listen 1; }"),
    "unknown_parameter": ("behind-haproxy", "993 ssl proxy_protocol", "993 ssl proxy_protcol"),
    "http_parameter": ("dual-stack", "listen *:143;", "listen *:143 reuseport;"),
    "backlog_0": ("socket-options", "backlog=4096", "backlog=0"),
    "backlog_negative": ("socket-options", "backlog=4096", "backlog=-1"),
    "rcvbuf": ("socket-options", "rcvbuf=64k", "rcvbuf=64q"),
    "keepalive_empty": ("socket-options", "so_keepalive=:30: ", "so_keepalive=:: "),
    "keepalive_word": ("socket-options", "so_keepalive=off", "so_keepalive=no"),
    "ipv6only": ("ipv6-only", "ipv6only=on;", "ipv6only=of;"),
    "range_reversed": ("port-ranges", "10110-10119", "10119-10110"),
    "same_address": ("dual-stack", "listen *:143;", "listen *:143;\n        listen 143;"),
    "same_address_elsewhere": ("wiki-imap-example", "listen     110;", "listen 143;"),
    "port_text": ("wiki-imap-example", "listen     110;", "listen 127.0.0.1:pop3;"),
    "listen_path": ("wiki-imap-example", "listen     110;", "listen 127.0.0.1/110;"),
    "unix_without_path": ("unix-sockets", "listen unix:@FOLDER@/imap.sock;", "listen unix:;"),
    "unknown_protocol": ("wiki-imap-example", "protocol   imap;", "protocol   imap4;"),
    "no_protocol": ("port-ranges", "protocol pop3;", ""),
    "no_listen": ("one-line", "server{listen 143;}", "server{}"),
    "no_auth_http": ("one-line", "auth_http 127.0.0.1;", ""),
    "no_certificate": ("ispconfig-like", "    ssl_certificate     @CERTIFICATE@;\n    ssl_certificate_key @KEY@;\n", ""),
    "key_without_certificate": ("ispconfig-like", "ssl_certificate     @CERTIFICATE@;", ""),
    "no_certificate_file": ("ispconfig-like", "@CERTIFICATE@", "@FOLDER@/none.pem"),
    "no_key": ("ispconfig-like", "ssl_certificate_key @KEY@;", ""),
    "other_key": ("ispconfig-like", "@KEY@", "@EC_KEY@"),
    "wrong_pass_phrase": ("password-protected-key", "ssl_password_file   passwords;", ""),
    "starttls_word": ("ispconfig-like", "listen 143; starttls on;", "listen 143; starttls must;"),
    "apop_for_smtp": ("cram-md5", "smtp_auth plain", "smtp_auth apop"),
    "login_for_pop3": ("cram-md5", "pop3_auth plain", "pop3_auth login"),
    "no_such_ca": ("client-certificates", "ssl_client_certificate @AUTHORITY@;", ""),
    "verify_word": ("client-certificates", "ssl_verify_client on;", "ssl_verify_client yes;"),
    "old_ssl_protocol": ("two-certificates", "ssl_protocols       TLSv1.2;", "ssl_protocols TLSv1.4;"),
    "bad_ciphers": ("ispconfig-like", "HIGH:!aNULL:!MD5", "NO-SUCH-CIPHER"),
    "bad_curve": ("old-tls", "prime256v1:", "prime257v1:"),
    "bad_command": ("two-certificates", "Options PrioritizeChaCha", "Options NoSuchOption"),
    "small_cache": ("ispconfig-like", "ssl_session_timeout 5m;", "ssl_session_cache shared:x:1k;"),
    "bad_cache": ("ispconfig-like", "ssl_session_timeout 5m;", "ssl_session_cache shred:x:1m;"),
    "time_with_ms": ("times-and-sizes", "ssl_session_timeout 1d;", "ssl_session_timeout 5ms;"),
    "time_reversed": ("times-and-sizes", "timeout 1h30m;", "timeout 30m1h;"),
    "time_with_year": ("times-and-sizes", "proxy_timeout 1w;", "proxy_timeout 1y;"),
    "number_with_letter": ("times-and-sizes", "max_errors 10;", "max_errors 10k;"),
    "resolver_host": ("resolvers", "resolver 127.0.0.53;", "resolver no.such.host.invalid;"),
    "resolver_parameter": ("resolvers", "valid=1m", "valid=x"),
    "resolver_word": ("resolvers", "ipv6=on", "ipv6=yes"),
    "auth_http_port": ("manual-example", "localhost:9000/cgi", "localhost:90000/cgi"),
    "auth_http_unix": ("unix-sockets", "auth_http unix:@FOLDER@/auth.sock;", "auth_http unix:;"),
    "header_without_value": ("repeated", "auth_http_header X-One 1;", "auth_http_header X-One;"),
    "realip_host": ("behind-haproxy", "set_real_ip_from localhost;", "set_real_ip_from no.such.host.invalid;"),
    "realip_bits": ("behind-haproxy", "10.0.0.12/32", "10.0.0.12/33"),
    "proxy_protocol_word": ("tell-dovecot", "proxy_protocol on;", "proxy_protocol v3;"),
    "log_level": ("wiki-imap-example", "error.log info;", "error.log loud;"),
    "log_level_twice": ("wiki-imap-example", "error.log info;", "error.log info warn;"),
    "syslog_facility": ("syslog", "facility=mail", "facility=male"),
    "syslog_tag": ("syslog", "tag=mailproxy", "tag=mail-proxy"),
    "syslog_parameter": ("syslog", "nohostname", "nohost"),
    "syslog_without_server": ("syslog", "server=127.0.0.1:5514,", ""),
    "no_such_user": ("wiki-imap-example", "user  www-data;", "user no-such-user;"),
    "no_such_group": ("tuned-workers", "www-data adm;", "www-data no-such-group;"),
    "priority": ("tuned-workers", "worker_priority      -5;", "worker_priority high;"),
    "affinity": ("tuned-workers", "0001 0010 0100 1000;", "0001 0020;"),
    "core": ("tuned-workers", "500m;", "500x;"),
    "processes": ("tuned-workers", "worker_processes     4;", "worker_processes some;"),
    "connections": ("tuned-workers", "worker_connections  16384;", "worker_connections many;"),
    "use": ("tuned-workers", "epoll;", "kqueue;"),
    "daemon": ("debugging", "daemon off;", "daemon no;"),
    "debug_connection": ("debugging", "192.168.0.0/24", "192.168.0.0/33"),
    "brace_after_quote": ("quoting", '"mail.example.com";', '"mail.example.com"x;'),
    "stray_semicolon": ("quoting", "events { }", "events { ; }"),
    "stray_brace": ("quoting", "events { }", "events { { } }"),
    "include_breaks_block": ("include-globs", "include common.inc;", "include common.inc; }"),
}
# NGINX names no place, or a wrong one, and says it in other words; ours names the line at fault.
BETTER = {
    "debug_connection": "NGINX: without debugging it does not look at it",
    "other_key": "NGINX names no line", "no_certificate_file": "NGINX names no line",
    "wrong_pass_phrase": "NGINX names no line", "no_such_ca": "NGINX names no line",
    "bad_ciphers": "NGINX names no line", "bad_curve": "NGINX names no line", "bad_command": "NGINX names no line",
}
# Wanted differences: it is no mistake here.
NO_MISTAKE = {
    "no_certificate": "a server without a certificate makes one, with a warning",
}


def first_file_with(one, pattern):
    for path in [one.main, *one.files()]:
        text = path.read_bytes().decode()
        if re.search(pattern, text):
            return path, text
    return None, None


def variants():
    for name in NAMES:
        if name not in NEWER:
            yield from ((name, mistake) for mistake in ANYWHERE)
    yield from ((HERE[mistake][0], mistake) for mistake in HERE)


def break_it(one, mistake, values):
    """False: it has no place for such a mistake."""
    if mistake in HERE:
        _, old, new = HERE[mistake]
        for key, value in {**values, "FOLDER": str(one.folder)}.items():
            old, new = old.replace(f"@{key}@", value), new.replace(f"@{key}@", value)
        pattern, replacement = re.escape(old), new.replace("\\", "\\\\")
    else:
        pattern, replacement = ANYWHERE[mistake]
    path, text = first_file_with(one, pattern)
    if path is None:
        assert mistake not in HERE, f"nothing to change for {mistake}"
        return False
    path.write_bytes(re.sub(pattern, replacement, text, count=1).encode())
    return True


@functools.cache
def place(message):
    found = re.search(r" in (\S+:\d+)$", message)
    return found and found[1]


@pytest.mark.parametrize("name, mistake", variants())
def test_both_find_the_mistake(name, mistake, install, values):
    one = install(name)
    if not break_it(one, mistake, values):
        return
    status, ours = one.test("postern")
    if mistake in NO_MISTAKE:
        assert status == 0, ours
        return
    assert status == 1, ours
    errors = messages(ours, "emerg")
    assert len(errors) == 1, ours
    if mistake.startswith("misspelt"):
        assert "did you mean" in errors[0]
    if mistake in BETTER:
        assert place(errors[0]), ours
        return
    status, theirs = one.test("nginx")
    assert status == 1, theirs
    assert place(errors[0]) == place(messages(theirs, "emerg")[0]), f"{theirs}\n{ours}"


# What clients of some of them meet: (where they connect, protocol, how). The rest is in the files.
PLAIN, STARTTLS, TLS = "plain", "starttls", "tls"
CLIENTS = {
    "wiki-imap-example": [(143, "imap", PLAIN), (110, "pop3", PLAIN), (25, "smtp", PLAIN)],
    "manual-example": [(25, "smtp", PLAIN), (110, "pop3", PLAIN), (143, "imap", PLAIN), (587, "smtp", PLAIN)],
    "zimbra-like": [(143, "imap", STARTTLS), (993, "imap", TLS), (110, "pop3", STARTTLS), (995, "pop3", TLS)],
    "iredmail-like": [(587, "smtp", STARTTLS), (465, "smtp", TLS), (143, "imap", STARTTLS), (993, "imap", TLS)],
    "kubernetes-configmap": [(10143, "imap", PLAIN), (10110, "pop3", PLAIN)],
    "docker-compose": [(10993, "imap", TLS), (10465, "smtp", TLS), (("::1", 10993), "imap", TLS)],
    "mailu-like": [(465, "smtp", TLS), (587, "smtp", STARTTLS), (110, "pop3", STARTTLS), (995, "pop3", TLS),
                   (143, "imap", STARTTLS), (993, "imap", TLS), (("::1", 993), "imap", TLS)],
    "many-domains": [(("127.0.1.1", 993), "imap", TLS), (("127.0.1.12", 143), "imap", STARTTLS)],
    "ipv6-only": [(("::1", 143), "imap", PLAIN), (("::1", 10143), "imap", PLAIN), (("::1", 110), "pop3", PLAIN)],
    "unix-sockets": [("imap.sock", "imap", PLAIN)],
    "behind-haproxy": [(143, "imap", "proxied"), (993, "imap", "proxied tls"), (587, "smtp", "proxied starttls")],
    "include-globs": [(143, "imap", PLAIN), (110, "pop3", PLAIN), (25, "smtp", PLAIN)],
    "quoting": [(143, "imap", PLAIN), (25, "smtp", PLAIN), (110, "pop3", PLAIN)],
    "crlf": [(143, "imap", PLAIN)],
    "one-line": [(143, "imap", PLAIN)],
    "port-ranges": [(146, "imap", PLAIN), (10119, "pop3", PLAIN), (("::1", 10027), "smtp", PLAIN)],
    "wildcard-and-addresses": [(("127.0.0.9", 143), "imap", PLAIN), (("127.0.0.2", 143), "imap", PLAIN),
                               (("127.0.0.3", 143), "imap", PLAIN)],
    "tuned-workers": [(143, "imap", PLAIN)],
    "two-certificates": [(993, "imap", TLS), (995, "pop3", TLS), (465, "smtp", TLS)],
    "exchange-front": [(993, "imap", TLS), (587, "smtp", STARTTLS)],
}
START_TLS = {"imap": b"s STARTTLS\r\n", "pop3": b"STLS\r\n", "smtp": b"STARTTLS\r\n"}


def address_of(where):
    return where if isinstance(where, tuple) else ("127.0.0.1", where)


def under_tls(connection):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


def last_line_of_login(connection, protocol, how):
    """The last line that a client hears about its login."""
    def say(line):
        connection.sendall(line)
        return lines.readline()

    if "proxied" in how:
        connection.sendall(b"PROXY TCP4 192.0.2.7 198.51.100.1 35646 143\r\n")
    if how.split(" ")[-1] == TLS:
        connection = under_tls(connection)
    lines = connection.makefile("rb")
    assert lines.readline()
    if STARTTLS in how:
        say(START_TLS[protocol])
        connection = under_tls(connection)
        lines = connection.makefile("rb")
    heard = b""
    for line in LOGIN[protocol].splitlines(keepends=True):
        heard = say(line.encode())
    connection.close()
    return heard


@pytest.fixture
def backend():
    """Speaks what the client speaks: the service is told."""
    backends = {protocol: ScriptedBackend(lambda address, protocol=protocol: (protocol, None)) for protocol in LOGIN}
    service = ScriptedService(lambda request, number: ok(
        Auth_Server="127.0.0.1", Auth_Port=backends[re.search(rb"Auth-Protocol: (\w+)", request)[1].decode()].port))
    yield service
    for one in [service, *backends.values()]:
        one.close()


@pytest.mark.parametrize("name", CLIENTS)
def test_what_is_taken_works(name, install, backend):
    ports = {where[1] if isinstance(where, tuple) else where for where, _, _ in CLIENTS[name]}
    busy = [port for port in ports if isinstance(port, int) and is_listening(port)]
    if busy:
        pytest.skip(f"something else listens on port {busy[0]} of this machine")
    one = install(name)
    text = ""
    for path in one.files():
        here = re.sub(r"(?m)^([^#\n]*\bauth_http)\s[^;]*;", rf"\1 127.0.0.1:{backend.port}/auth;",
                      path.read_bytes().decode())
        path.write_bytes(here.encode())
        text += here
    options = [] if "daemon off" in text else ["-g", "daemon off;"]
    program = Program("postern", [postern_binary(), "-c", str(one.main), "-e", str(one.folder / "log" / "early.log"),
                                  *options], str(one.folder))
    try:
        for where, protocol, how in CLIENTS[name]:
            with socket.socket(socket.AF_UNIX if isinstance(where, str) else
                               socket.AF_INET6 if ":" in address_of(where)[0] else socket.AF_INET) as client:
                client.settimeout(10)
                target = str(one.folder / where) if isinstance(where, str) else address_of(where)
                wait_until(lambda: client.connect_ex(target) in (0, 106), f"{target} answers\n{program.text()}")
                heard = last_line_of_login(client, protocol, how)
                assert heard.startswith(ACCEPTED[protocol]), heard
    finally:
        program.stop()
