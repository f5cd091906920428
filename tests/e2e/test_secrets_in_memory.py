"""A password is gone from the worker's memory once the mailbox server has it: the client's, in whatever form it came, and
the one that the service names."""

import base64
import os
import re
import secrets
import ssl

import pytest
from support.any_mailbox import AnyMailbox
from support.ports import connect, free_port, wait_until
from support.processes import children_of
from support.proxy import has_sanitizers
from support.scripted_service import ScriptedService, ok

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may read a worker's memory")


def plain(password):
    return base64.b64encode(b"\0bob\0" + password)


LOGINS = {
    "imap LOGIN": ("imap", lambda pw: [b'a LOGIN bob "' + pw + b'"\r\n']),
    "imap literal": ("imap", lambda pw: [b"a LOGIN bob {%d+}\r\n" % len(pw) + pw + b"\r\n"]),
    "imap PLAIN": ("imap", lambda pw: [b"a AUTHENTICATE PLAIN\r\n", plain(pw) + b"\r\n"]),
    "imap LOGIN mechanism": ("imap", lambda pw: [b"a AUTHENTICATE LOGIN\r\n", b"Ym9i\r\n", base64.b64encode(pw) + b"\r\n"]),
    "pop3 PASS": ("pop3", lambda pw: [b"USER bob\r\n", b"PASS " + pw + b"\r\n"]),
    "pop3 PLAIN": ("pop3", lambda pw: [b"AUTH PLAIN " + plain(pw) + b"\r\n"]),
    "smtp PLAIN": ("smtp", lambda pw: [b"EHLO me\r\n", b"AUTH PLAIN " + plain(pw) + b"\r\n"]),
    "smtp LOGIN": ("smtp", lambda pw: [b"EHLO me\r\n", b"AUTH LOGIN\r\n", b"Ym9i\r\n", base64.b64encode(pw) + b"\r\n"]),
}


def memory_of(pid):
    """All that the process can write to, or has written."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            begin, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            if "w" in rights:
                memory.seek(int(begin, 16))
                try:
                    yield line.split()[-1], memory.read(int(end, 16) - int(begin, 16))
                except OSError:
                    pass  # of a device


def places_of(pid, secret):
    """Where it is, as it was said or in base64, at whatever offset in it."""
    forms = [secret] + [base64.b64encode(b"x" * pad + secret)[4:-4] for pad in range(3)]
    return [(name, form) for name, bytes_ in memory_of(pid) for form in forms if form in bytes_]


@pytest.mark.skipif(has_sanitizers(), reason="sanitizers map more memory than anybody can look through")
@pytest.mark.parametrize("level", ["info", "debug"])
@pytest.mark.parametrize("secure", [False, True])
def test_no_password_stays(server, secure, level):
    services_own = b"of-the-service-" + secrets.token_hex(12).encode()
    mailbox = AnyMailbox()
    service = ScriptedService(lambda request, number: ok(Auth_Pass=services_own.decode()),
                              lambda request: {"address": "127.0.0.1", "port": mailbox.ports[re.search(rb"Auth-Protocol: (\w+)", request)[1].decode()]})
    ports = {protocol: free_port() for protocol in ("imap", "pop3", "smtp")}
    proxy = server(f"auth_http 127.0.0.1:{service.port}/; imap_auth plain login; smtp_auth plain login; proxy_smtp_auth on; "
                   + "".join(f"server {{ listen 127.0.0.1:{port} {'ssl' if secure else ''}; protocol {protocol}; }}" for protocol, port in ports.items()),
                   list(ports.values()), level=level)
    (worker,) = children_of(proxy.program.pid)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    clients = []
    try:
        for count, (name, (protocol, words)) in enumerate(LOGINS.items(), 1):
            password = b"of-the-client-" + secrets.token_hex(12).encode()
            client = connect(ports[protocol])
            if secure:
                client = context.wrap_socket(client)
            clients.append(client)
            lines = client.makefile("rb")
            lines.readline()
            for word in words(password):
                client.sendall(word)
                while lines.readline()[3:4] == b"-":
                    pass
            wait_until(lambda: len(proxy.log_lines("client logged in")) == count, name)
            client.sendall(b"z NOOP\r\n")
            lines.readline()
            assert places_of(worker, password) == [], name
            assert places_of(worker, services_own) == [], name
            assert places_of(proxy.program.pid, password) == [], name
        # It is not that nothing would be found: this one is still being said.
        clients.append(connect(ports["imap"]) if not secure else context.wrap_socket(connect(ports["imap"])))
        clients[-1].sendall(b'a LOGIN bob "' + password)
        wait_until(lambda: places_of(worker, password), "what is not used yet is there")
    finally:
        for client in clients:
            client.close()
        service.close()
        mailbox.close()
