"""A mail server that lets everybody in and then does what it is told: for what passes through a proxy, either way.

    swap UP DOWN   sends DOWN bytes of FILLER while it receives UP bytes; then a line with the hash of those
    finish DOWN    waits for the client's end, then sends DOWN bytes and closes
    shut DOWN      sends DOWN bytes and its end, and then receives all that still comes
    reset          closes with a RST
    keep           remembers all that comes, and answers each line "ping"
    (others)       says the line back
"""

import base64
import contextlib
import hashlib
import random
import socket
import struct
import threading

from .mail_listeners import MailListeners
from .tls_backend import GREETING

FILLER = random.Random(1).randbytes(4 << 20)


class Visit:
    """What a user's connection was sent after the login, but for what `swap` received."""

    def __init__(self):
        self.received = b""
        self.ended = threading.Event()


class TalkingBackend(MailListeners):
    """`ports` by protocol; `visits` by user. With `wrap`, connections are wrapped by it before anything is said."""

    def __init__(self, wrap=None):
        self.visits = {}
        self._wrap = wrap
        super().__init__()

    def serve(self, protocol, peer):
        visit = Visit()
        try:
            with peer:
                peer.settimeout(20)
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                talks = self._wrap(peer) if self._wrap else peer
                with talks, talks.makefile("rb") as lines, contextlib.suppress(OSError):
                    self._log_in(protocol, talks, lines, visit)
                    while line := lines.readline():
                        self._obey(line, talks, lines, visit)
        except OSError:
            pass
        finally:
            visit.ended.set()

    def _log_in(self, protocol, peer, lines, visit):
        peer.sendall(GREETING[protocol])
        answer = log_in(protocol, peer, lines)
        self.visits[answer[0]] = visit  # known before its client is let in
        peer.sendall(answer[1])

    def _obey(self, line, peer, lines, visit):
        verb, *numbers = line.split() or [b""]
        sizes = [int(number) for number in numbers if number.isdigit()]
        if verb == b"swap":
            sender = threading.Thread(target=peer.sendall, args=(FILLER[:sizes[1]],))
            sender.start()
            digest = hashlib.sha256(lines.read(sizes[0])).hexdigest()
            sender.join()
            peer.sendall(f"{digest}\r\n".encode())
        elif verb == b"finish":
            visit.received = lines.read()
            peer.sendall(FILLER[:sizes[0]])
        elif verb == b"shut":
            peer.sendall(FILLER[:sizes[0]])
            peer.shutdown(socket.SHUT_WR)
            visit.received = lines.read()
        elif verb == b"reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            lines.close()
            peer.close()
            raise ConnectionAbortedError("told so")
        elif verb == b"keep":
            peer.sendall(b"keeping\r\n")
            while line := lines.readline():
                visit.received += line
                if line == b"ping\r\n":
                    peer.sendall(line)
        else:
            peer.sendall(line)


def log_in(protocol, peer, lines):
    """Takes a login as Postern writes it; returns the user, and what is to be said then."""
    if protocol == "imap":
        tag = lines.readline().split()[0]
        peer.sendall(b"+ \r\n")
        user = lines.readline().split(b" {")[0]
        peer.sendall(b"+ \r\n")
        lines.readline()
        return user.decode(), tag + b" OK in\r\n"
    if protocol == "pop3":
        user = lines.readline().split()[1]
        peer.sendall(b"+OK\r\n")
        lines.readline()
        return user.decode(), b"+OK in\r\n"
    lines.readline()
    peer.sendall(b"250-backend.test\r\n250 AUTH PLAIN\r\n")
    secret = lines.readline().split()[2]
    return base64.b64decode(secret).split(b"\0")[1].decode(), b"235 in\r\n"
