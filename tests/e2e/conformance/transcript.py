"""Transcripts as text: one line a line, control bytes visible, what differs by chance made equal."""

import base64
import ipaddress
import re

STAMP = re.compile(rb"<\d+\.\d+@([A-Za-z0-9.-]+)>")
CHALLENGE = re.compile(rb"^(\+ |334 )([A-Za-z0-9+/=]{16,})\r\n$")


def shown(data):
    """Bytes as printable text; a long run of one byte is shortened."""
    text = "".join({13: "\\r", 10: "\\n", 92: "\\\\"}.get(byte) or
                   (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in data)
    return re.sub(r"(.)\1{29,}", lambda run: f"{run.group(1)}*{len(run.group(0))}*", text)


def normal(line, address):
    """One line without session ids and without the address that this dialogue happens to have."""
    challenge = CHALLENGE.match(line)
    if challenge:
        try:
            decoded = base64.b64decode(challenge.group(2), validate=True)
        except ValueError:
            decoded = b""
        if STAMP.fullmatch(decoded):
            line = challenge.group(1) + b"base64(" + STAMP.sub(rb"<STAMP@\1>", decoded) + b")\r\n"
    packed = ipaddress.ip_address(address).packed
    return STAMP.sub(rb"<STAMP@\1>", line).replace(address.encode(), b"ADDRESS").replace(packed, b"ADDRESS")


def lines_of(data):
    return re.findall(rb"[^\n]*\n|[^\n]+$", data)


class Transcript:
    def __init__(self, address):
        self._address = address
        self._lines = []

    def add(self, who, data):
        for line in lines_of(data):
            self._lines.append(f"{who}: {shown(normal(line, self._address))}")

    def note(self, text):
        self._lines.append(f"-- {text}")

    def text(self):
        return "\n".join(self._lines) + "\n"
