"""T16: clients share connections to the authentication service. Whatever one of them does, or is answered, changes nothing for the
others. The service and the mailbox server are ours, and know who is who by the names."""

import base64
import collections
import random
import re
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote_to_bytes

import pytest
from support.any_mailbox import AnyMailbox
from support.ports import connect, free_port

SESSIONS = 1000
AT_ONCE = 16


class NamingMailbox(AnyMailbox):
    """Says in its answer who has logged in."""

    def _imap(self, line, peer, lines):
        tag, _, command = line.partition(b" ")
        if command.startswith(b"LOGIN"):
            user = command.split(b" ")[1]
            if literal := re.fullmatch(rb"\{(\d+)\}", user):
                peer.sendall(b"+ go on\r\n")
                user = lines.read(int(literal[1]))
                lines_rest = lines.readline()
                if literal := re.search(rb"\{(\d+)\}\r\n$", lines_rest):
                    peer.sendall(b"+ go on\r\n")
                    lines.read(int(literal[1]))
                    lines.readline()
            return tag + b" OK you are <" + user.strip(b'"') + b">\r\n"
        return super()._imap(line, peer, lines)


class SharedService:
    """Speaks HTTP/1.1 and keeps connections. What it answers is in the user's name: KIND-NUMBER."""

    def __init__(self, mailbox_port):
        self._mailbox_port = mailbox_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self.requests = collections.Counter()  # by connection
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        for number in range(1_000_000):
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer, number), daemon=True).start()

    def _serve(self, peer, number):
        unread = b""
        with peer:
            try:
                while True:
                    while b"\r\n\r\n" not in unread:
                        data = peer.recv(65536)
                        if not data:
                            return
                        unread += data
                    request, _, unread = unread.partition(b"\r\n\r\n")
                    self.requests[number] += 1
                    answer, goes_on = self._answer(unquote_to_bytes(re.search(rb"Auth-User: (.*)", request)[1].strip()))
                    peer.sendall(answer)
                    if not goes_on:
                        return
            except OSError:
                pass

    def _answer(self, user):
        kind = user.split(b"-")[0]
        yes = self._yes(b"box-" + user)
        if kind == b"wrong":
            return b"HTTP/1.1 200 OK\r\nAuth-Status: no " + user + b"\r\nContent-Length: 0\r\n\r\n", True
        if kind == b"garbage":
            return b"\x00\xff garbage\r\n\r\n" * 3, True
        if kind == b"half":
            return yes[:len(yes) // 2], False
        if kind == b"nothing":
            return b"", False
        if kind == b"smuggled":  # an answer too many, for whoever comes next on this connection
            return yes + self._yes(b"somebody-else"), True
        if kind == b"body":
            return b"HTTP/1.1 200 OK\r\nAuth-Status: no " + user + b"\r\nContent-Length: 90000\r\n\r\n" + b"HTTP/1.1 200 OK\r\n" * 5000 + b"." * 5000, True
        return yes, True

    def _yes(self, box):
        return (b"HTTP/1.1 200 OK\r\nAuth-Status: OK\r\nAuth-Server: 127.0.0.1\r\nAuth-Port: %d\r\nAuth-User: %b\r\n"
                b"Content-Length: 0\r\n\r\n" % (self._mailbox_port, box))


def quoted(text):
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def outcome(port, kind, number):
    """What one client hears, of its login."""
    user = f"{kind}-{number}".encode()
    with connect(port, timeout=20) as client, client.makefile("rb") as lines:
        assert lines.readline().startswith(b"* OK")
        if kind == "vanishes":  # after its login was sent, and perhaps before the service was asked
            client.sendall(b"a LOGIN " + user + b" pw\r\n")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return b""
        if kind == "broken":  # what is no base64 at all
            client.sendall(b"a AUTHENTICATE PLAIN\r\n")
            lines.readline()
            client.sendall(b"\xff\x00=!" * 20 + b"\r\n")
        elif kind == "hostile":  # a name that would end its line in the request
            client.sendall(b"a AUTHENTICATE PLAIN\r\n")
            lines.readline()
            name = b"wrong-%d\r\nAuth-User: right-666\r\n\r\nGET / HTTP/1.1\r\n" % number
            client.sendall(base64.b64encode(b"\0" + name + b"\0pw") + b"\r\n")
        else:
            client.sendall(b"a LOGIN " + quoted(user) + b" pw\r\n")
        return lines.readline()


def is_as_it_should_be(kind, number, heard):
    match kind:
        case "right" | "smuggled":
            return heard == b"a OK you are <box-%b-%d>\r\n" % (kind.encode(), number)
        case "wrong" | "body":
            return heard == b"a NO no %b-%d\r\n" % (kind.encode(), number)
        case "garbage" | "half" | "nothing":
            return heard == b"* BAD internal server error\r\n"
        case "broken" | "hostile":
            return heard == b"a BAD invalid command\r\n"
        case "vanishes":
            return True
    return False


@pytest.mark.parametrize("kept", [1, 8])
def test_t16_one_clients_failure_changes_nobody_elses_outcome(server, kept):
    mailbox = NamingMailbox()
    service = SharedService(mailbox.ports["imap"])
    try:
        port = free_port()
        server(f"auth_http 127.0.0.1:{service.port}/; auth_http_keepalive {kept}; imap_auth plain; limit_auth_failures off; "
               f"server {{ listen 127.0.0.1:{port}; protocol imap; }}", [port])
        bad = ["wrong", "garbage", "half", "nothing", "smuggled", "body", "broken", "hostile", "vanishes"]
        kinds = ["right"] * (SESSIONS // 2) + [bad[i % len(bad)] for i in range(SESSIONS // 2)]
        random.Random(16).shuffle(kinds)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            heard = list(pool.map(lambda one: outcome(port, one[1], one[0]), enumerate(kinds)))
        wrong = [(kind, number, line) for number, (kind, line) in enumerate(zip(kinds, heard)) if not is_as_it_should_be(kind, number, line)]
        assert not wrong, wrong[:10]
        assert max(service.requests.values()) > 1, "connections are shared, or this test shows nothing"
    finally:
        service.close()
        mailbox.close()
