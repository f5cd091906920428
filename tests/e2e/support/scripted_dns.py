"""A DNS server on loopback (RFC 1035) with scripted answers, hostile ones included: no real server would
give a PTR record with a line break in it."""

import socket
import struct
import threading
from collections.abc import Callable
from typing import NamedTuple

A, PTR, AAAA = 1, 12, 28
NXDOMAIN, SERVFAIL, REFUSED = 3, 2, 5


def name_bytes(name):
    """`name`: text, or a list of labels as bytes."""
    labels = name.encode().split(b".") if isinstance(name, str) else name
    return b"".join(bytes([len(label)]) + label for label in labels if label) + b"\0"


def at_once(*packets):
    return [(0, packet) for packet in packets]


class Spoilt(NamedTuple):
    """`spoil` makes of the right UDP reply what is sent instead of it: [(seconds after the question, packet)]."""
    records: list
    spoil: Callable


class ScriptedDns:
    """`answers` maps (name, type) to a list of record data, to an error code, to None (no answer at all), or to
    Spoilt. What is longer than 512 bytes has to be asked for by TCP (RFC 1035 section 4.2.1)."""

    def __init__(self, answers, ttl=300):
        self.answers = answers
        self.ttl = ttl
        self.questions = []      # (name, type), each time
        self.tcp_questions = []
        while True:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.bind(("127.0.0.1", 0))
            self.port = self._socket.getsockname()[1]
            try:
                self._listener = socket.create_server(("127.0.0.1", self.port))
                break
            except OSError:  # only for UDP the port was free
                self._socket.close()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._run, self._accept)]
        for thread in self._threads:
            thread.start()

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._threads[0].join()
        self._socket.close()
        self._listener.close()

    def count(self, name, kind):
        return self.questions.count((name, kind))

    def _run(self):
        while True:
            query, client = self._socket.recvfrom(4096)
            if not query:
                return
            reply, spoil = self._reply(query, self.questions)
            if reply and len(reply) > 512:
                end = query.index(b"\0", 12) + 5
                reply = query[:2] + struct.pack(">HHHHH", 0x8380, 1, 0, 0, 0) + query[12:end]
            for delay, packet in spoil(reply) if reply else ():
                if delay:
                    threading.Timer(delay, self._send_late, [packet, client]).start()
                else:
                    self._socket.sendto(packet, client)

    def _send_late(self, packet, client):
        try:
            self._socket.sendto(packet, client)
        except OSError:  # who asked, or this server, is gone
            pass

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(10)
                try:
                    stream = peer.makefile("rb")
                    size = struct.unpack(">H", stream.read(2))[0]
                    reply, _ = self._reply(stream.read(size), self.tcp_questions)
                    for byte in struct.pack(">H", len(reply)) + reply:  # in as many pieces as there can be
                        peer.sendall(bytes([byte]))
                except (OSError, struct.error):
                    pass

    def _reply(self, query, questions):
        labels, position = [], 12
        while query[position]:
            labels.append(query[position + 1:position + 1 + query[position]].decode())
            position += 1 + query[position]
        kind = struct.unpack(">H", query[position + 1:position + 3])[0]
        name = ".".join(labels).lower()
        questions.append((name, kind))
        answer = self.answers.get((name, kind), [])
        if answer is None:
            return None, at_once
        spoil = at_once
        if isinstance(answer, Spoilt):
            answer, spoil = answer
        records = [] if isinstance(answer, int) else answer
        flags = 0x8180 | (answer if isinstance(answer, int) else 0)
        reply = query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + query[12:position + 5]
        for data in records:
            reply += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, self.ttl, len(data)) + data
        return reply, spoil
