"""A DNS server on loopback (RFC 1035) with scripted answers, hostile ones included: no real server would
give a PTR record with a line break in it."""

import socket
import struct
import threading

A, PTR, AAAA = 1, 12, 28
NXDOMAIN, SERVFAIL = 3, 2


def name_bytes(name):
    """`name`: text, or a list of labels as bytes."""
    labels = name.encode().split(b".") if isinstance(name, str) else name
    return b"".join(bytes([len(label)]) + label for label in labels if label) + b"\0"


class ScriptedDns:
    """`answers` maps (name, type) to a list of record data, to an error code, or to None: no answer at all."""

    def __init__(self, answers):
        self.answers = answers
        self.questions = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _run(self):
        while True:
            query, client = self._socket.recvfrom(4096)
            if not query:
                return
            labels, position = [], 12
            while query[position]:
                labels.append(query[position + 1:position + 1 + query[position]].decode())
                position += 1 + query[position]
            kind = struct.unpack(">H", query[position + 1:position + 3])[0]
            name = ".".join(labels).lower()
            self.questions.append((name, kind))
            answer = self.answers.get((name, kind), [])
            if answer is None:
                continue
            records = [] if isinstance(answer, int) else answer
            flags = 0x8180 | (answer if isinstance(answer, int) else 0)
            reply = query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + query[12:position + 5]
            for data in records:
                reply += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 300, len(data)) + data
            self._socket.sendto(reply, client)
