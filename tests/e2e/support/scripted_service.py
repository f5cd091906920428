"""An authentication service that says what a test tells it to, and remembers what it was asked."""

import os
import re
import socket
import struct
import threading
import time


class Answer:
    """What the service sends for one request: packets, and how it ends the connection."""

    def __init__(self, *packets, ending="close", pause=0.05):
        self.packets = packets
        # close, at once (without a pause before it), hang (until the proxy hangs up), reset
        self.ending = ending
        self.pause = pause

    @classmethod
    def of(cls, **headers):
        """Answer.of(Auth_Status="OK", ...): status line, these headers in order, an empty line."""
        lines = ["HTTP/1.0 200 OK"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return cls(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))


def ok(**more):
    """The user is right; {address} and {port} become those of the dialogue's own backend."""
    headers = {"Auth_Status": "OK", "Auth_Server": "{address}", "Auth_Port": "{port}", **more}
    return Answer.of(**{name: value for name, value in headers.items() if value is not None})


def refusal(text="Invalid login or password", **more):
    return Answer.of(Auth_Status=text, **more)


class ScriptedService:
    """Listens on a port of 127.0.0.1, or at the UNIX socket `path`. `choose(request, number)` returns the Answer for a request;
    `number` counts the requests of the same client address, from 0."""

    def __init__(self, choose, values=None, path=None):
        self._choose = choose
        self._values = values or (lambda request: {})
        self._lock = threading.Lock()
        self._requests = {}  # by client address: raw requests
        if path:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(path)
            os.chmod(path, 0o666)  # proxies started by root have a worker that is somebody else
            self._listener.listen(512)
            self.port = None
        else:
            self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
            self.port = self._listener.getsockname()[1]
        self._closing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def requests(self, client_address=None):
        with self._lock:
            if client_address is None:
                return [raw for raws in self._requests.values() for raw in raws]
            return list(self._requests.get(client_address, ()))

    def forget(self):
        with self._lock:
            self._requests.clear()

    def close(self):
        self._closing = True
        self._listener.close()

    def _accept(self):
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            connection.settimeout(20)
            raw = b""
            try:
                while b"\r\n\r\n" not in raw:
                    data = connection.recv(65536)
                    if not data:
                        break
                    raw += data
            except OSError:
                pass
            if not raw:
                return
            address = header(raw, "Client-IP") or ""
            with self._lock:
                seen = self._requests.setdefault(address, [])
                number = len(seen)
                seen.append(raw)
            try:
                self._reply(connection, raw, self._choose(raw, number))
            except OSError:
                pass  # the proxy has hung up, as it does after the empty line

    def _reply(self, connection, raw, answer):
        values = self._values(raw)
        for index, packet in enumerate(answer.packets):
            if index:
                time.sleep(answer.pause)
            for name, value in values.items():
                packet = packet.replace(b"{" + name.encode() + b"}", str(value).encode())
            connection.sendall(packet)
        if answer.ending == "hang":
            connection.recv(1)
        elif answer.ending == "close":
            # NGINX overlooks the end if it comes together with the last bytes, by chance.
            time.sleep(0.05)
        elif answer.ending == "reset":
            time.sleep(0.05)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def header(request, name):
    """A header's value in a raw request, as text; None if it is not there."""
    found = re.search(rb"(?im)^" + name.encode() + rb": ?(.*?)\r?$", request)
    return found.group(1).decode("latin-1") if found else None
