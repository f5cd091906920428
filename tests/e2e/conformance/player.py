"""Plays dialogues to a running proxy, many at once, and writes down what all sides saw."""

import queue
import re
import socket
import ssl
import struct
import threading
import time

from support.ports import wait_until
from support.scripted_backend import ScriptedBackend
from support.scripted_service import ScriptedService, header, ok

from . import model
from .transcript import Transcript

QUIET = 0.35    # seconds without a byte that count as silence
PATIENCE = 8    # seconds to wait for what has to come
THREADS = 24


def address_of(index):
    """Each dialogue's client and backend have an address of their own: so all records find home."""
    return f"127.77.{index // 200}.{index % 200 + 1}"


class Player:
    """Owns the service and the backend that all dialogues share. `pki`: for those with TLS."""

    def __init__(self, dialogues, pki):
        self.pki = pki
        self._dialogues = {address_of(index): one for index, one in enumerate(dialogues)}
        self.service = ScriptedService(self._answer, self._values)
        self.backend = ScriptedBackend(self._script)

    def close(self):
        self.service.close()
        self.backend.close()

    def address_of(self, dialogue):
        return next(address for address, one in self._dialogues.items() if one is dialogue)

    def play(self, port_of):
        """Plays all of them; port_of: the proxy's port for each server's name."""
        self.service.forget()
        self.backend.forget()
        work = queue.SimpleQueue()
        for item in self._dialogues.items():
            work.put(item)
        result = {}

        def worker():
            while True:
                try:
                    address, dialogue = work.get_nowait()
                except queue.Empty:
                    return
                try:
                    result[str(dialogue)] = self._play(dialogue, address, port_of[dialogue.server])
                except Exception as error:  # shown by that dialogue's test, not by all of them
                    result[str(dialogue)] = f"-- could not be played: {error!r}\n"

        threads = [threading.Thread(target=worker) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return result

    def _answer(self, request, number):
        dialogue = self._dialogues[header(request, "Client-IP")]
        answers = dialogue.service or [ok()]
        return answers[min(number, len(answers) - 1)]

    def _values(self, request):
        return {"address": header(request, "Client-IP"), "port": self.backend.port}

    def _script(self, address):
        dialogue = self._dialogues[address]
        return dialogue.protocol, dialogue.backend

    def _play(self, dialogue, address, port):
        transcript = Transcript(address)
        client = Client(dialogue, address, port, transcript, self.pki)
        ports = {b"PORT": client.port, b"LISTEN": port}
        try:
            if dialogue.tls:
                client.start_tls(dialogue.tls)
            if dialogue.greeting and not client.gone:
                client.wait_replies(1)
            for step in dialogue.talk:
                client.do(step)
            client.end(dialogue.ends)
        finally:
            client.socket.close()
        for connection in self.backend.connections(address):
            wait_until(connection.ended.is_set, "the proxy hangs up on the backend", PATIENCE)
        for number, request in enumerate(self.service.requests(address), 1):
            transcript.note(f"request {number} to the service")
            transcript.add("H", request)
        for number, connection in enumerate(self.backend.connections(address), 1):
            transcript.note(f"connection {number} to the backend")
            if connection.early:
                transcript.note("the proxy did not wait for the backend's reply")
            for line in connection.lines:
                transcript.add("B", without_ports(line, ports))
        return transcript.text()


def without_ports(line, ports):
    """A PROXY header with names for the ports that differ from run to run."""
    if not line.startswith(b"PROXY TCP"):
        return line
    names = {str(port).encode(): name for name, port in ports.items()}
    words = line.rstrip(b"\r\n").split(b" ")
    return b" ".join(words[:4] + [names.get(word, word) for word in words[4:]]) + b"\r\n"


class Client:
    def __init__(self, dialogue, address, port, transcript, pki):
        self._pki = pki
        self._protocol = dialogue.protocol
        self._address = address
        self._transcript = transcript
        self._pending = b""
        self._gone = False
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE,
                                               (dialogue.via or address, 0))
        self.port = self.socket.getsockname()[1]
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do(self, step):
        if callable(step):
            self.do(step(self._address))
        elif isinstance(step, bytes):
            self._send(step.replace(b"ADDRESS", self._address.encode()))
            time.sleep(0.03)  # so that the next packet stays one of its own
        elif isinstance(step, model.Tls):
            self.start_tls(step)
        elif isinstance(step, model.Replies):
            self.wait_replies(step.count)
        elif step == model.REPLY:
            self.wait_replies(1)
        elif step == model.SILENCE:
            self._listen(QUIET)
            self._drain()
            self._transcript.note("silence")
        elif step == model.SHUT:
            self._transcript.note("the client shuts its sending side")
            self.socket.shutdown(socket.SHUT_WR)
        elif step == model.RESET:
            self._transcript.note("the client vanishes")
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.socket.close()
            self._gone = True
        elif step == model.EOF:
            self.end("closed")
        else:
            self._send(step.encode("latin-1") + b"\r\n")
            self.wait_replies(1)

    @property
    def gone(self):
        return self._gone

    def start_tls(self, tls):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if tls.version == "1.1":
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = getattr(ssl.TLSVersion, "TLSv" + tls.version.replace(".", "_"))
        if tls.certificate:
            certificate = getattr(self._pki, tls.certificate)
            context.load_cert_chain(certificate.path, certificate.key_path)
        if tls.alpn:
            context.set_alpn_protocols(tls.alpn)
        try:
            self.socket = context.wrap_socket(self.socket, server_hostname=tls.server_name)
        except OSError as error:
            self._transcript.note(f"no TLS: {re.sub(r' [(]_ssl.c.*', '', str(error))}")
            self._gone = True  # the handshake's failure closes the socket
            return
        chosen = self.socket.selected_alpn_protocol()
        self._transcript.note(self.socket.version() + (f" ALPN {chosen}" if chosen else ""))

    def _send(self, data):
        self._transcript.add("C", data)
        try:
            self.socket.sendall(data)
        except OSError:
            self._transcript.note("the proxy has hung up")

    def wait_replies(self, count):
        deadline = time.monotonic() + PATIENCE
        for _ in range(count):
            while not (size := reply_size(self._protocol, self._pending)):
                if self._gone or not self._listen(deadline - time.monotonic()):
                    self._drain()
                    self._transcript.note("no whole reply")
                    return
            self._transcript.add("S", self._pending[:size])
            self._pending = self._pending[size:]

    def end(self, how):
        """Writes down what else comes and who hangs up. Only a wrong `how` costs time."""
        if self._gone:
            return
        if how == "closed":
            deadline = time.monotonic() + PATIENCE
            while self._listen(deadline - time.monotonic()):
                pass
        else:
            while self._listen(QUIET):
                pass
        self._drain()
        self._transcript.note("closed by the proxy" if self._gone else "still open")
        self._gone = True

    def _drain(self):
        self._transcript.add("S", self._pending)
        self._pending = b""

    def _listen(self, seconds):
        """Reads what there is; False if nothing came or nothing will ever come."""
        if self._gone:
            return False
        self.socket.settimeout(max(seconds, 0.001))
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        self._pending += data
        self._gone = not data
        return bool(data)


UNTAGGED = re.compile(rb"\* (?!BYE|BAD|OK|PREAUTH)")


def reply_size(protocol, data):
    """The length of the first whole reply in data; 0 if there is none yet."""
    if protocol == "pop3" and re.match(rb"\+OK (Capability|methods)", data):
        end = data.find(b"\r\n.\r\n")
        return end + 5 if end >= 0 else 0
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        line = data[start:end]
        start = end + 1
        more = UNTAGGED.match(line) if protocol == "imap" else re.match(rb"\d{3}-", line)
        if not (more and protocol != "pop3"):
            return start
    return 0
