"""A mail server that follows a script and remembers each byte: for comparing what proxies send it,
and for the faults that a real server will not commit. Real servers are in dovecot.py, postfix.py."""

import socket
import struct
import threading
import time

CLOSE = "close"  # in a reply: hang up here
RESET = "reset"  # in a reply: hang up with a RST
HANG = "hang"    # in a reply: never say anything more


class Connection:
    """What one connection to the backend brought."""

    def __init__(self):
        self.lines = []     # as received, endings kept; the last may be incomplete
        self.early = False  # the proxy said something before it had the reply to what it said before
        self.ended = threading.Event()


def imap_reply(line, first):
    """A server that lets everybody in and then says what it was told."""
    word = line.rstrip(b"\r\n").split(b" ")
    if len(word) > 1 and word[1].upper() == b"LOGOUT":
        return b"* BYE backend\r\n" + word[0] + b" OK bye\r\n", CLOSE
    return b"* ECHO " + line.rstrip(b"\r\n") + b"\r\n" + word[0] + b" OK relayed\r\n"


def pop3_reply(line, first):
    if line.upper().startswith(b"QUIT"):
        return b"+OK bye from backend\r\n", CLOSE
    return b"+OK relayed " + line.rstrip(b"\r\n") + b"\r\n"


def smtp_reply(line, first):
    verb = line.split(b" ")[0].strip().upper()
    if verb == b"EHLO":
        return b"250-backend.test\r\n250-XCLIENT NAME ADDR LOGIN\r\n250 AUTH PLAIN\r\n"
    if verb == b"XCLIENT":
        return b"220 backend.test again\r\n"
    if verb == b"AUTH":
        return b"235 2.7.0 backend knows you\r\n"
    if verb == b"DATA":
        return b"354 backend go ahead\r\n"
    if verb == b"QUIT":
        return b"221 backend bye\r\n", CLOSE
    return b"250 backend " + line.rstrip(b"\r\n") + b"\r\n"


RELAY_REPLY = {"imap": imap_reply, "pop3": pop3_reply, "smtp": smtp_reply}

LOGIN_SCRIPT = {
    "imap": [b"* OK backend ready\r\n", b"+ login\r\n", b"+ password\r\n", b"{tag} OK backend knows you\r\n"],
    "pop3": [b"+OK backend ready\r\n", b"+OK password\r\n", b"+OK backend knows you\r\n"],
    "smtp": [b"220 backend.test ESMTP\r\n"],
}


class ScriptedBackend:
    """Listens on every IPv4 address at one port, so that each dialogue may have its own, or on `host` alone.
    `script_for(address)` returns (protocol, replies): replies[0] is the greeting, replies[n] the
    reply to the n-th line; what follows gets the protocol's ordinary replies."""

    def __init__(self, script_for, host="0.0.0.0"):
        self._script_for = script_for
        self._lock = threading.Lock()
        self._connections = {}  # by local address
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def connections(self, address):
        with self._lock:
            return list(self._connections.get(address, ()))

    def forget(self):
        with self._lock:
            self._connections.clear()

    def close(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            record = Connection()
            with self._lock:
                self._connections.setdefault(peer.getsockname()[0], []).append(record)
            threading.Thread(target=self._serve, args=(peer, record), daemon=True).start()

    def _serve(self, peer, record):
        peer.settimeout(30)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._talk(peer, record)
        except OSError:
            pass
        finally:
            peer.close()
            record.ended.set()

    def _talk(self, peer, record):
        protocol, replies = self._script_for(peer.getsockname()[0])
        replies = LOGIN_SCRIPT[protocol] if replies is None else replies
        step = 0
        pending = b""
        tag = b""
        while True:
            if step < len(replies):
                reply = replies[step]
                if pending:
                    record.early = True
            else:
                reply = RELAY_REPLY[protocol](record.lines[-1], tag)
            step += 1
            if self._say(peer, reply, tag) == "stop":
                self._listen_to_the_end(peer, record, pending)
                return
            while b"\n" not in pending:
                data = peer.recv(65536)
                if not data:
                    if pending:
                        record.lines.append(pending)
                    return
                pending += data
            line, pending = pending.split(b"\n", 1)
            record.lines.append(line + b"\n")
            if not tag and not line.startswith(b"PROXY "):
                tag = line.split(b" ")[0]

    @staticmethod
    def _listen_to_the_end(peer, record, pending):
        try:
            while data := peer.recv(65536):
                pending += data
        except OSError:
            pass
        if pending:
            record.lines.append(pending)

    @staticmethod
    def _say(peer, reply, tag):
        parts = reply if isinstance(reply, (tuple, list)) else (reply,)
        for index, part in enumerate(parts):
            if part == HANG:
                return "stop"
            if part == CLOSE:
                peer.shutdown(socket.SHUT_WR)
                return "stop"
            if part == RESET:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.close()
                raise OSError
            if index:
                time.sleep(0.05)  # a packet of its own
            peer.sendall(part.replace(b"{tag}", tag))
        return "go on"
