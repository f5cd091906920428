"""What a dialogue is. The lists are in imap.py, pop3.py and smtp.py."""

from dataclasses import dataclass, field
from typing import Any

# Steps of a client, beside plain text and bytes:
#   "A NOOP"     sends the line with CRLF in one packet, then waits for one whole reply
#   b"A NO"      sends exactly these bytes in one packet and waits for nothing; ADDRESS in them becomes
#                the address of the dialogue
#   a function   is given that address and returns such bytes
REPLY = "<reply>"      # waits for one whole reply
SILENCE = "<silence>"  # makes sure that nothing comes
SHUT = "<shut>"        # the client will say no more, but still listens
RESET = "<reset>"      # the client vanishes
EOF = "<eof>"          # waits until the proxy hangs up


@dataclass(frozen=True)
class Replies:
    """Waits for so many whole replies."""
    count: int


@dataclass(frozen=True)
class Tls:
    """The client does a TLS handshake; what came of it is written down."""
    certificate: str | None = None  # the name of one of the Pki's
    version: str = "1.3"            # the highest that it offers
    alpn: tuple = ()
    server_name: str = "mail.test"


@dataclass(frozen=True)
class Dialogue:
    name: str
    talk: list                 # what the client does, after it has read the greeting
    shows: Any                 # text (or several) that NGINX's transcript must hold: the name is true
    server: str = ""           # which server of servers.py; the protocol's plain one if empty
    service: list = field(default_factory=list)  # Answers, one a request; the last one repeats
    backend: list | None = None  # replies of the backend; None: its login script
    ends: str = "open"         # "closed" if the proxy hangs up by itself; "any": NGINX does by chance
    greeting: bool = True      # the client waits for the greeting first
    hides: Any = ()            # text that must not be in NGINX's transcript
    tls: Tls | None = None     # the client begins with TLS
    via: str = ""              # the address that really connects, for one with a PROXY header
    protocol: str = ""         # filled in by `dialogues`

    def __str__(self):
        return f"{self.protocol}-{self.name}"


def named(protocol, dialogues):
    """The list with its protocol filled in; no name may appear twice."""
    seen = set()
    result = []
    for one in dialogues:
        assert one.name not in seen, f"two dialogues are called {one.name}"
        seen.add(one.name)
        values = {**one.__dict__, "protocol": protocol, "server": one.server or protocol}
        result.append(Dialogue(**values))
    return result
