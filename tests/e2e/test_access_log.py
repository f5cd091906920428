"""`access_log` and `log_format`: one line a session, whatever became of it and whatever a user name holds; read by jq,
rotated by logrotate."""

import json
import os
import re
import socket
import ssl
import subprocess
import threading

import pytest
from support.guessing import PROTOCOLS, RIGHT, Guessed, check_password
from support.load import LoadServers
from support.ports import connect, free_port, wait_until
from support.scripted_service import Answer, ok

HOSTILE = ["j\u00f6rg", 'a"b', "a\\b", "a\\\\", '","result":"ok', "a\tb", "\x01\x1f\x7f", "\u2028\u202e", "</script>", "$remote_user", "%s%n", "{}", "'",
           "a" * 600, "\U0001f600", "null"]


class Access(Guessed):
    """`line`: the "access_log" directives, with {file} for a file of their own."""

    def __init__(self, server, folder, line, **options):
        self.path = f"{folder}/access.log"
        super().__init__(server, line.format(file=self.path), **options)

    def text(self):
        if not os.path.exists(self.path):
            return b""
        with open(self.path, "rb") as file:
            return file.read()

    def lines_of_access(self, count):
        wait_until(lambda: self.text().count(b"\n") >= count, f"{count} lines: {self.text()[-3000:]}\n{self.proxy.log()[-2000:]}")
        return self.text().decode().splitlines()

    def records(self, count):
        """One for each session: its values by name."""
        return [json.loads(line) for line in self.lines_of_access(count)]


@pytest.fixture
def access(server, folder):
    opened = []

    def start(line="access_log {file} json;", **options):
        opened.append(Access(server, folder, line, **options))
        return opened[-1]
    yield start
    for one in opened:
        one.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_session_has_one_line_at_its_end(access, protocol):
    front = access()
    with front.client(protocol, "127.0.0.9") as client:
        client.login("bob", RIGHT)
        assert front.text() == b""
        port = client.socket.getsockname()[1]
    [record] = front.records(1)
    assert record["event"] == "end" and record["connection"] == 1 and record["protocol"] == protocol
    assert (record["remote_addr"], record["remote_port"], record["server_name"]) == ("127.0.0.9", port, "mail.test")
    assert (record["remote_user"], record["upstream_user"], record["result"], record["reason"]) == ("bob", "bob", "ok", "")
    assert record["upstream_addr"] == f"127.0.0.1:{front.backends[protocol].port}" and record["upstream_host"] == "127.0.0.1"
    assert (record["auth_method"], record["login_attempts"]) == ("plain", 1)
    assert record["sasl_mechanism"] == ("PLAIN" if protocol == "smtp" else "")
    assert record["closed_by"] in ("client", "client_lost") and record["bytes_sent"] > 0
    assert 0 <= record["auth_time"] <= record["login_time"] <= record["session_time"]
    assert record["upstream_connect_time"] + record["upstream_login_time"] <= record["login_time"] + 0.002
    assert RIGHT not in json.dumps(record)


def test_main_is_meant_if_no_format_is_named(access):
    front = access("access_log {file};")
    with front.client("imap", "127.0.0.9") as client:
        client.login("bob", RIGHT)
    [line] = front.lines_of_access(1)
    assert re.fullmatch(r'127\.0\.0\.9 imap "bob" \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] ok '
                        r'127\.0\.0\.1:\d+ \d+ \d+ \d\.\d{3} \d\.\d{3} - client(_lost)? "-"', line)


def test_a_line_at_the_login_and_one_at_the_end(access):
    front = access("access_log {file} json at=login; access_log {file}.end json;")
    with front.client("pop3") as client:
        client.login("bob", RIGHT)
        [record] = front.records(1)
        assert record["event"] == "login" and record["result"] == "ok" and record["closed_by"] == ""
    wait_until(lambda: os.path.exists(front.path + ".end") and os.path.getsize(front.path + ".end"), "the other log has a line")
    assert len(front.records(1)) == 1


# What a client does; what becomes of it; why, in the words of the error log.
ENDS = {
    "leaves at once": (lambda client: None, "no_login", ""),
    "guesses wrong": (lambda client: client.login("bob", "wrong"), "refused", 'client login failed: "Invalid login or password"'),
    "the service fails": (lambda client: client.login("broken", "x"), "service_error", "auth http server 127.0.0.1:"),
    "no mailbox server": (lambda client: client.login("homeless", "x"), "upstream_error", "connect() to 127.0.0.1:9 failed (111: Connection refused)"),
    "talks nonsense": (lambda client: [client.say(b"nonsense") for _ in range(2)], "client_error", "client sent too many invalid commands"),
    "is silent": (lambda client: client.read(), "timed_out", "client timed out (110: Connection timed out)"),
}


def answer(request, number):
    if b"Auth-User: broken" in request:
        return Answer(b"nonsense\r\n\r\n")
    if b"Auth-User: homeless" in request:
        return ok(Auth_Port="9")
    return check_password(request, number)


@pytest.mark.parametrize("how", ENDS)
def test_what_became_of_a_login(access, how):
    act, result, reason = ENDS[how]
    front = access("access_log {file} json; max_errors 2; timeout 1s; limit_auth_failures user off; limit_auth_failures address off;", choose=answer)
    for protocol in PROTOCOLS:
        with front.client(protocol) as client:
            act(client)
    for record in front.records(3):
        assert (record["result"], record["event"]) == (result, "end"), record
        assert record["reason"].startswith(reason) and bool(record["reason"]) == bool(reason), record
        assert record["login_time"] is None


def test_the_error_log_needs_not_say_it(access):
    front = access("access_log {file} json;", level="emerg")
    front.login("pop3", "bob", "wrong")
    [record] = front.records(1)
    assert record["reason"] == 'client login failed: "Invalid login or password"'


def test_who_is_not_allowed_and_who_is_too_many(access):
    front = access("access_log {file} json; deny 127.0.0.7; limit_conn address 1; limit_conn network off;")
    connect(front.port["imap"], source="127.0.0.7").close()
    assert front.records(1)[0]["result"] == "denied"
    with front.client("imap", "127.0.0.8") as first:
        first.login("bob", RIGHT)
        with connect(front.port["imap"], source="127.0.0.8", timeout=20) as second:
            second.recv(1000)
        record = front.records(2)[1]
    assert record["result"] == "limited" and 'limiting connections by "limit_conn address' in record["reason"], record


def test_tls_and_a_clients_certificate(server, folder, pki):
    port, path = free_port(), f"{folder}/access.log"
    names = "ssl_protocol ssl_cipher ssl_server_name ssl_session_reused ssl_client_verify ssl_client_s_dn ssl_client_fingerprint ssl_handshake_time result reason".split()
    form = ",".join(f'"{name}":"${name}"' for name in names)
    server(f"log_format tls escape=json '{{{form}}}'; access_log {path} tls; auth_http 127.0.0.1:9/; ssl_certificate {pki.server.path}; "
           f"ssl_certificate_key {pki.server.key_path}; ssl_verify_client optional; ssl_client_certificate {pki.authority.path}; "
           f"server {{ listen 127.0.0.1:{port} ssl; protocol imap; server_name mail.test; }}", [port])

    def last(count):
        def lines():
            if not os.path.exists(path):
                return None
            with open(path) as file:
                found = file.read().splitlines()
            return found if len(found) >= count else None
        return json.loads(wait_until(lines, f"{count} lines")[-1])
    context = ssl.create_default_context(cafile=pki.authority.path)
    with context.wrap_socket(connect(port), server_hostname="mail.test") as client:
        client.recv(100)
        cipher = client.cipher()[0]
    record = last(1)
    assert (record["ssl_protocol"], record["ssl_cipher"], record["ssl_server_name"]) == ("TLSv1.3", cipher, "mail.test")
    assert (record["ssl_session_reused"], record["ssl_client_verify"], record["ssl_client_s_dn"]) == (".", "NONE", "")
    assert re.fullmatch(r"\d\.\d{3}", record["ssl_handshake_time"])
    with connect(port) as client:
        client.sendall(b"a LOGIN bob secret\r\n")
        client.recv(100)
    record = last(2)
    assert record["result"] == "tls_error" and record["reason"].startswith("SSL_do_handshake() failed"), record
    assert record["ssl_protocol"] == record["ssl_handshake_time"] == ""


def test_ten_thousand_hostile_names_are_ten_thousand_lines_of_json(access):
    front = access("access_log {file} json; limit_conn_rate address off; limit_conn_rate network off;", auth=lambda self: "auth_http 127.0.0.1:9/;", level="crit")  # nobody is there
    raw = [name.encode() for name in HOSTILE] + [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"caf\xe9"]
    most, done = 10_000, []

    def guess(first):
        for number in range(first, most, 8):
            name = raw[number % len(raw)]
            with connect(front.port["pop3"], timeout=20) as client:
                client.sendall(b"USER " + name + b"\r\nPASS " + RIGHT.encode() + b"\r\n")
                while client.recv(1000):
                    pass
        done.append(first)
    threads = [threading.Thread(target=guess, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
    assert len(done) == 8
    wait_until(lambda: front.text().count(b"\n") >= most, f"{most} lines", timeout=30)
    result = subprocess.run(["jq", "-c", "[.connection, .remote_user]", front.path], capture_output=True, timeout=60, check=True)
    pairs = [json.loads(line) for line in result.stdout.splitlines()]
    assert sorted(number for number, _ in pairs) == list(range(1, most + 1))
    names = {name for _, name in pairs}
    assert {"j\u00f6rg", 'a"b', "a\\b", '","result":"ok', "a\tb", "$remote_user", "null", "\U0001f600", "caf\ufffd"} <= names, names
    assert front.text().count(RIGHT.encode()) == 0
    front.text().decode("utf-8")  # all of it is UTF-8


def test_logrotate_loses_no_line_and_tears_none(server, folder, pki):
    """Sessions come and go while logrotate renames the file and has it opened anew, again and again."""
    servers = LoadServers()
    port, path, rotations = free_port(), f"{folder}/access.log", 5
    proxy = server(f"access_log {path} json; auth_http 127.0.0.1:{servers.ports['service']}/; limit_exempt 127.0.0.1; "
                   f"server {{ listen 127.0.0.1:{port}; protocol imap; }}", [port])
    with open(f"{folder}/rotate.conf", "w") as rules:
        rules.write(f"{path} {{\n rotate {rotations + 1}\n nocompress\n nocreate\n postrotate\n kill -USR1 $(cat {proxy.pid_file})\n endscript\n}}\n")
    os.chmod(f"{folder}/rotate.conf", 0o644)
    stop, count = threading.Event(), [0] * 4

    def come_and_go(which):
        while not stop.is_set():
            with connect(port, timeout=20) as client:
                client.recv(1000)
                client.sendall(b"a LOGOUT\r\n")
                while client.recv(1000):
                    pass
            count[which] += 1
    threads = [threading.Thread(target=come_and_go, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, rotations + 1):
            wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 4000, "there is something to rotate")
            subprocess.run(["/usr/sbin/logrotate", "--force", "--state", f"{folder}/state", f"{folder}/rotate.conf"], capture_output=True, text=True, timeout=60, check=True)
            assert os.path.exists(f"{path}.{number}")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        servers.close()

    def connections():
        found = []
        for name in [path, *(f"{path}.{number}" for number in range(1, rotations + 1))]:
            if os.path.exists(name):
                with open(name) as file:
                    found += [json.loads(line)["connection"] for line in file]
        return sorted(found)
    wait_until(lambda: len(connections()) >= sum(count), "all lines")
    assert connections() == list(range(1, sum(count) + 1))


def test_a_buffer_is_written_when_it_is_full_and_at_the_end(access):
    front = access("access_log {file} main buffer=1k;")
    for _ in range(5):
        front.login("pop3", "bob", RIGHT)
    front.proxy.workers()
    wait_until(lambda: len(front.lines(r"proxied session done")) == 5, "all are over")
    assert front.text() == b""
    for _ in range(10):
        front.login("pop3", "bob", RIGHT)
    front.lines_of_access(8)
    wait_until(lambda: len(front.lines(r"proxied session done")) == 15, "all are over")
    front.proxy.stop()
    assert front.text().count(b"\n") == 15


def test_a_buffer_is_written_after_its_time_and_when_logs_are_opened_anew(access):
    front = access("access_log {file} main buffer=1m flush=100ms; access_log {file}.slow main buffer=1m;")
    front.login("pop3", "bob", RIGHT)
    front.lines_of_access(1)
    assert os.path.getsize(front.path + ".slow") == 0
    assert front.proxy.run("-s", "reopen").returncode == 0
    wait_until(lambda: os.path.getsize(front.path + ".slow") > 0, "the buffer is written")


def test_syslog(server, folder):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(20)
        port = free_port()
        server(f"access_log syslog:server=127.0.0.1:{syslog.getsockname()[1]},facility=mail,tag=mx,severity=notice,nohostname json; "
               f"auth_http 127.0.0.1:9/; server {{ listen 127.0.0.1:{port}; protocol imap; }}", [port])
        connect(port).close()
        head, _, line = syslog.recv(4096).partition(b": ")
        assert re.fullmatch(rb"<21>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d mx", head)
        assert json.loads(line)["result"] == "no_login"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_costs_lines_and_nothing_else(access):
    front = access("access_log /dev/full json; access_log {file} json;")
    assert front.login("pop3", "bob", RIGHT).startswith(b"+OK")
    front.records(1)
    front.proxy.stop()


def test_the_address_that_a_client_came_to(server, folder):
    ports = [free_port(), free_port()]
    server(f"log_format place '$server_addr:$server_port $realip_remote_addr:$realip_remote_port'; access_log {folder}/log place; auth_http 127.0.0.1:9/;"
           f"server {{ listen {ports[0]}; protocol pop3; }} server {{ listen 127.0.0.1:{ports[1]}; protocol pop3; }}", ports)
    expected = []
    for port in ports:
        with connect(port, source="127.0.0.9") as client:
            expected.append(f"127.0.0.1:{port} 127.0.0.9:{client.getsockname()[1]}")

    def lines():
        with open(f"{folder}/log") as file:
            return file.read().splitlines()
    wait_until(lambda: sorted(lines()) == sorted(expected), f"{expected}")


def test_each_server_has_its_own_and_off_has_none(server, folder):
    ports = [free_port() for _ in range(3)]
    server(f"auth_http 127.0.0.1:9/; access_log {folder}/common;"
           f"server {{ listen 127.0.0.1:{ports[0]}; protocol pop3; }} server {{ listen 127.0.0.1:{ports[1]}; protocol pop3; access_log {folder}/own; access_log {folder}/too; }}"
           f"server {{ listen 127.0.0.1:{ports[2]}; protocol pop3; access_log off; }}", ports)
    for port in [*ports, ports[0]]:
        connect(port).close()

    def sizes():
        counts = []
        for name in ("common", "own", "too"):
            with open(f"{folder}/{name}") as file:
                counts.append(file.read().count("\n"))
        return counts
    wait_until(lambda: sizes() == [2, 1, 1] or None, "each log has its lines")


MISTAKES = {
    "access_log /tmp/x combined;": 'unknown log format "combined" ("log_format" has to stand before it; main and json are there without one)',
    "access_log /tmp/x main buffer=0;": 'invalid buffer size "0"',
    "access_log /tmp/x main flush=1s;": 'no buffer is defined for access_log "/tmp/x"',
    "access_log /tmp/x main buffer=1k flush=soon;": 'invalid flush time "soon"',
    "access_log /tmp/x main gzip;": 'invalid parameter "gzip"',
    "access_log off main;": 'invalid parameter "main"',
    "access_log /tmp/x main buffer=1k; access_log /tmp/x json;": 'access_log "/tmp/x" already defined with conflicting parameters',
    "access_log syslog:server=127.0.0.1 main buffer=1k;": "buffered logs cannot have syslog as target",
    "access_log syslog:tag=a;": "no syslog server specified",
    "log_format a $password;": 'unknown "password" variable',
    "log_format a escape=xml $pid;": 'unknown log format escaping "xml" (default, json or none is wanted)',
    "log_format a $pid; log_format a $pid;": 'duplicate "log_format" name "a"',
    "log_format a ${pid;": 'the closing bracket in "pid" variable is missing',
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes_are_told(server, folder, line):
    proxy = server(f"{line}\nauth_http 127.0.0.1:9/; server {{ listen 127.0.0.1:{free_port()}; protocol imap; }}", start=False)
    result = proxy.run("-t")
    assert result.returncode == 1
    assert MISTAKES[line] in result.stderr and re.search(r"proxy\.conf:\d+", result.stderr), result.stderr
