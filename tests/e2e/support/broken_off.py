"""Sessions that end where they shouldn't: the client leaves, or the mailbox server does, or nobody lets it in."""

import socket
import ssl
import struct
import threading

from .ports import connect, free_port

AT_ONCE = 25  # connections that are open at the same time
RESET = struct.pack("ii", 1, 0)
GREETING, GO_ON, DONE = b"* OK\r\n", b"+ \r\n", b"a OK\r\n"


class FickleServers:
    """An authentication service (`port`), and mailbox servers that leave. The user says what comes: "refused",
    "unreachable", or "leaves-N" for a mailbox server that leaves after N lines of its own."""

    def __init__(self):
        self._listeners, self._threads = [], []
        self._answers = {b"refused": b"Auth-Status: Invalid login or password\r\n", b"unreachable": self._mailbox(free_port())}
        replies = (GREETING, GO_ON, GO_ON, DONE)
        for count in range(len(replies) + 1):
            port = self._serve(lambda peer, count=count: self._talk(peer, replies[:count]))
            self._answers[b"leaves-%d" % count] = self._mailbox(port)
        self.port = self._serve(self._authenticate)

    def close(self):
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)  # ends a waiting accept()
            listener.close()
        for thread in self._threads:
            thread.join(10)

    @staticmethod
    def _mailbox(port):
        return b"Auth-Status: OK\r\nAuth-Server: 127.0.0.1\r\nAuth-Port: %d\r\n" % port

    def _serve(self, talk):
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listeners.append(listener)
        self._threads.append(threading.Thread(target=self._accept, args=(listener, talk), daemon=True))
        self._threads[-1].start()
        return listener.getsockname()[1]

    @staticmethod
    def _accept(listener, talk):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(10)
                try:
                    talk(peer)
                except OSError:
                    pass  # the proxy's client has left

    def _authenticate(self, peer):
        request = peer.recv(4096)
        if request:
            user = request.split(b"Auth-User: ")[1].split(b"\r\n")[0]
            peer.sendall(b"HTTP/1.0 200 OK\r\n" + self._answers[user] + b"\r\n")

    @staticmethod
    def _talk(peer, replies):
        for index, reply in enumerate(replies):
            if index > 0 and not peer.recv(4096):
                return
            peer.sendall(reply)


def anybody():
    """A TLS client that trusts everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def client_hello():
    out = ssl.MemoryBIO()
    try:
        anybody().wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def leave(port, count, steps, reset):
    """So many clients that take these steps and leave. A step is a text to say, or None for nothing, after each of
    which they wait to hear something; the last word is theirs. "handshake" is one of TLS, with nothing to hear."""
    for begin in range(0, count, AT_ONCE):
        clients = [connect(port) for _ in range(min(AT_ONCE, count - begin))]
        for index, step in enumerate(steps):
            clients = [_take_step(client, step, waits=index > 0 and steps[index - 1] != "handshake") for client in clients]
        for client in clients:
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()


def _take_step(client, step, waits):
    if step == "handshake":
        return anybody().wrap_socket(client)
    if waits:
        assert client.recv(4096)
    if step is not None:
        client.sendall(step)
    return client


def break_off(count, ports, fickle_port):
    """`count` sessions of each kind; how many there were. Those at `fickle_port` are FickleServers'."""
    imap, imaps = ports["imap"], ports["imaps"]
    login, bulk = b"a LOGIN bob secret\r\n", b"a BULK 500000\r\n"
    hello = client_hello()
    kinds = [
        (imap, []), (imap, [None, None]), (imap, [None, b"a LOG"]), (imap, [None, b"a LOGIN {3}\r\n"]),
        (imap, [None, login]), (imap, [None, login, None]), (imap, [None, login, b"a NOOP\r\n"]), (imap, [None, login, bulk]),
        (imap, [None, login, bulk, None]),
        (imap, [None, b"a STARTTLS\r\n"]), (imap, [None, b"a STARTTLS\r\n", None]),
        (imap, [None, b"a STARTTLS\r\n", b"no TLS\r\n"]), (imap, [None, b"a STARTTLS\r\n", hello[:100]]),
        (imaps, []), (imaps, [b"no TLS\r\n"]), (imaps, [hello[:100]]), (imaps, [hello]), (imaps, [hello, None]),
        (imaps, ["handshake"]), (imaps, ["handshake", None, login]), (imaps, ["handshake", None, login, bulk]),
    ]
    for user in ("refused", "unreachable", *(f"leaves-{lines}" for lines in range(5))):
        line = b"a LOGIN %s secret\r\n" % user.encode()
        kinds += [(fickle_port, [None, line]), (fickle_port, [None, line, None])]
    for port, steps in kinds:
        leave(port, count - count // 2, steps, reset=False)
        leave(port, count // 2, steps, reset=True)
    return count * len(kinds)
