"""A side of TLS 1.3 whose records a test makes itself, right or wrong: Python's ssl shakes hands, and its log of
keys says what to go on with."""

import os
import socket
import ssl
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
KEY_UPDATE = bytes((24, 0, 0, 1))  # and 0, or 1: the other side's too
CLOSE_NOTIFY = bytes((1, 0))
SUITES = {  # key bytes, digest, cipher
    "TLS_AES_128_GCM_SHA256": (16, hashes.SHA256, AESGCM),
    "TLS_AES_256_GCM_SHA384": (32, hashes.SHA384, AESGCM),
    "TLS_CHACHA20_POLY1305_SHA256": (32, hashes.SHA256, ChaCha20Poly1305),
}


def expand_label(digest, secret, label, size):
    """HKDF-Expand-Label of RFC 8446 section 7.1, without a context."""
    label = b"tls13 " + label
    info = struct.pack("!HB", size, len(label)) + label + b"\0"
    return HKDFExpand(digest(), size, info).derive(secret)


class Keys:
    """Of one direction."""

    def __init__(self, suite, secret):
        self._key_bytes, self._digest, self._cipher = SUITES[suite]
        self._set(secret)

    def update(self):
        self._set(expand_label(self._digest, self._secret, b"traffic upd", len(self._secret)))

    def _set(self, secret):
        self._secret, self.sequence = secret, 0
        self._aead = self._cipher(expand_label(self._digest, secret, b"key", self._key_bytes))
        self._iv = int.from_bytes(expand_label(self._digest, secret, b"iv", 12), "big")

    def _nonce(self):
        nonce = (self._iv ^ self.sequence).to_bytes(12, "big")
        self.sequence += 1
        return nonce

    def seal(self, text, header):
        return self._aead.encrypt(self._nonce(), text, header)

    def open(self, sealed, header):
        return self._aead.decrypt(self._nonce(), sealed, header)


class Peer:
    """A connection after its handshake. `heard`: what has come, as (type, content); data in a row is one."""

    def __init__(self, sock, context, folder, server_name=None):
        self.sock, self.heard, self.ended = sock, [], False
        self._pending = b""
        self._taken = 0  # of the data, by `hear`
        path = os.path.join(folder, f"keys{sock.fileno()}")
        context.keylog_filename = path
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=server_name is None, server_hostname=server_name)
        self._shake_hands(tls, incoming, outgoing)
        self._pending = incoming.read()
        self.suite = tls.cipher()[0]
        with open(path) as log:
            secrets = dict((line.split()[0], bytes.fromhex(line.split()[2])) for line in log if line[0] != "#")
        os.unlink(path)
        keys = [Keys(self.suite, secrets[f"{side}_TRAFFIC_SECRET_0"]) for side in ("CLIENT", "SERVER")]
        self.writes, self.reads = keys if server_name else keys[::-1]

    def _shake_hands(self, tls, incoming, outgoing):
        done = False
        while not done:
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            self.sock.sendall(outgoing.read())
            if not done:
                data = self.sock.recv(16384)
                assert data, "hung up on in the handshake"
                incoming.write(data)

    def record(self, kind, content, padding=0, header=None):
        """The next record. `header`: instead of the right one."""
        text = content + bytes((kind,)) + bytes(padding) if kind is not None else content
        header = header or struct.pack("!BHH", DATA, 0x0303, len(text) + 16)
        return header + self.writes.seal(text, header)

    def key_update(self, request=0):
        """A record that says so, and from here on new keys."""
        record = self.record(HANDSHAKE, KEY_UPDATE + bytes((request,)))
        self.writes.update()
        return record

    def data(self, content):
        return self.record(DATA, content)

    def send(self, *records):
        try:
            self.sock.sendall(b"".join(records))
        except OSError:
            pass  # it has hung up, and what it said is still to be read

    def receive(self):
        """Opens what comes next; false at the end."""
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        self._pending += data
        while len(self._pending) >= 5:
            header = self._pending[:5]
            size = int.from_bytes(header[3:], "big")
            if len(self._pending) < 5 + size:
                break
            sealed, self._pending = self._pending[5:5 + size], self._pending[5 + size:]
            self._open(header, sealed)
        if not data:
            self.ended = True
            if self._pending:
                self.heard.append(("incomplete", self._pending))
        return not self.ended

    def _open(self, header, sealed):
        try:
            text = self.reads.open(sealed, header)
        except InvalidTag:
            self.heard.append(("forged", header + sealed))
            return
        content = text.rstrip(b"\0")
        kind, content = content[-1], content[:-1]
        if len(content) + 1 != len(text):
            self.heard.append(("padded", len(text)))
        if kind == DATA and self.heard and self.heard[-1][0] == DATA:
            content = self.heard.pop()[1] + content
        self.heard.append((kind, content))
        if kind == HANDSHAKE and content[:4] == KEY_UPDATE:
            self.reads.update()

    def text(self):
        return b"".join(content for kind, content in self.heard if kind == DATA)

    def hear(self):
        """The next line; or nothing if the end came first."""
        while b"\r\n" not in self.text()[self._taken:]:
            if not self.receive():
                return b""
        line = self.text()[self._taken:].split(b"\r\n")[0] + b"\r\n"
        self._taken += len(line)
        return line

    def forget(self):
        """All that was heard, but for what has come behind the last line."""
        rest = self.text()[self._taken:]
        self.heard, self._taken = [(DATA, rest)] if rest else [], 0

    def hear_all(self):
        while self.receive():
            pass

    def close(self):
        self.sock.close()


def client_context(pki):
    context = ssl.create_default_context(cafile=pki.authority.path)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # the first record under its key is the test's
    context.load_cert_chain(certificate.path, certificate.key_path)
    return context


def client_peer(port, pki, folder, receive_bytes=None):
    """receive_bytes: what the kernel is to keep for it, about."""
    sock = socket.socket()
    sock.settimeout(20)
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.connect(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Peer(sock, client_context(pki), folder, "mail.test")
