"""A mail server that follows a script and speaks TLS: for what a real one will not do. It remembers
every byte that it was sent, in clear and under TLS."""

import contextlib
import socket
import ssl
import threading

GREETING = {"imap": b"* OK backend ready\r\n", "pop3": b"+OK backend ready\r\n", "smtp": b"220 backend.test ESMTP\r\n"}


def shake_hands(context, peer):
    """The server's side. If it fails, all that the client still says is read before the end: a RST
    might take away our alert from it."""
    secure = context.wrap_socket(peer, server_side=True, do_handshake_on_connect=False)
    try:
        secure.do_handshake()
    except OSError:
        timeout = secure.gettimeout()
        with socket.socket(fileno=secure.detach()) as plain, contextlib.suppress(OSError):
            plain.settimeout(timeout)
            plain.shutdown(socket.SHUT_WR)
            while plain.recv(4096):
                pass
        raise
    return secure


class Visit:
    """One connection: lines as (under TLS?, bytes), what became of the handshake."""

    def __init__(self):
        self.lines = []
        self.handshake = None    # "done", or why not
        self.server_name = None  # that was asked for
        self.resumed = False
        self.client_certificate = None
        self.ended = threading.Event()

    def heard(self):
        return b"".join(line for _, line in self.lines)


class TlsBackend:
    """`at_once`: TLS from the start. `starttls`: the reply to STARTTLS (None: not offered), or a tuple
    of that and bytes to send behind it. `stall`: no handshake after it. `close`: hang up there; "middle":
    when the client has begun it. `required`: no client without a certificate of the authority."""

    def __init__(self, protocol, certificate, at_once=False, starttls=b"default", greeting=None, stall=False,
                 close=False, authority=None, required=False, version=None, ciphers=None, host="127.0.0.1", port=0):
        self.protocol, self.at_once, self.starttls, self.stall, self.close_there = protocol, at_once, starttls, stall, close
        self.greeting = greeting or GREETING[protocol]
        self.visits = []
        self._tag = b"*"
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if ciphers or version:
            self._context.set_ciphers((ciphers or "DEFAULT") + ":@SECLEVEL=0")
        if version:
            self._context.minimum_version = self._context.maximum_version = version
        self._context.load_cert_chain(certificate.path, certificate.key_path)
        if authority:
            self._context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
            self._context.load_verify_locations(authority.path)
        self._context.sni_callback = self._note_name
        self._listener = socket.create_server((host, port), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            visit = Visit()
            self.visits.append(visit)
            threading.Thread(target=self._serve, args=(peer, visit), daemon=True).start()

    def _note_name(self, connection, name, context):
        self._asked = name

    def _serve(self, peer, visit):
        peer.settimeout(20)
        try:
            if self.at_once:
                peer = self._shake_hands(peer, visit)
            self._talk(peer, visit)
        except OSError as error:
            visit.handshake = visit.handshake or str(error)
        finally:
            peer.close()
            visit.ended.set()

    def _shake_hands(self, peer, visit):
        if self.close_there == "middle":
            peer.recv(10)  # of the ClientHello
        if self.close_there:
            raise OSError("closed before the handshake's end")
        if self.stall:
            while peer.recv(1000):
                pass
            raise OSError("hung up on")
        self._asked = None
        secure = shake_hands(self._context, peer)
        visit.handshake, visit.server_name, visit.resumed = "done", self._asked, secure.session_reused
        visit.client_certificate = secure.getpeercert()
        return secure

    def _talk(self, peer, visit):
        peer.sendall(self.greeting)
        pending = b""
        while True:
            while b"\n" not in pending:
                data = peer.recv(4096)
                if not data:
                    return
                pending += data
            line, pending = pending.split(b"\n", 1)
            visit.lines.append((visit.handshake == "done", line + b"\n"))
            words = line.strip().split(b" ")
            if words[-1].upper() in (b"STARTTLS", b"STLS"):
                reply, more = self.starttls if isinstance(self.starttls, tuple) else (self.starttls, b"")
                if reply == b"default":
                    reply = {"imap": words[0] + b" OK begin\r\n", "pop3": b"+OK\r\n", "smtp": b"220 begin\r\n"}[self.protocol]
                elif reply is None:
                    reply = {"imap": words[0] + b" BAD what\r\n", "pop3": b"-ERR what\r\n", "smtp": b"502 what\r\n"}[self.protocol]
                peer.sendall(reply + more)
                if reply.split(b" ")[-2:] and (b"OK" in reply or reply.startswith(b"220")):
                    peer = self._shake_hands(peer, visit)
                    pending = b""
                continue
            peer.sendall(self._reply(words, line))

    def _reply(self, words, line):
        if self.protocol == "imap":
            if line.rstrip().endswith(b"}"):
                self._tag = words[0] if len(words) > 2 and words[1] == b"LOGIN" else self._tag
                return b"+ go on\r\n"
            if len(words) == 1:
                return self._tag + b" OK backend knows you\r\n"
            return words[0] + b" OK done\r\n"
        if self.protocol == "pop3":
            return b"+OK\r\n"
        verb = words[0].upper()
        if verb == b"EHLO":
            offer = b"250-STARTTLS\r\n" if self.starttls is not None else b""
            return b"250-backend.test\r\n" + offer + b"250 AUTH PLAIN\r\n"
        return b"235 in\r\n" if verb == b"AUTH" else b"250 fine\r\n"
