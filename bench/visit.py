"""One client that logs in, to see that a peer works before it is measured, and what TLS it speaks."""

import base64
import socket
import ssl

USER, PASSWORD = "bob", "secret"
PLAIN = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
# What the client says before it may say STARTTLS, that command, what logs in, and what to ask then; each answer
# ends with a line that begins so.
DIALOGUES = {
    "imap": ("* OK", [], ("s STARTTLS", "s OK"), [], [(f"a LOGIN {USER} {PASSWORD}", "a OK")], ("n NOOP", "n OK")),
    "pop3": ("+OK", [], ("STLS", "+OK"), [], [(f"USER {USER}", "+OK"), (f"PASS {PASSWORD}", "+OK")], ("NOOP", "+OK")),
    "smtp": ("220 ", [("EHLO client.test", "250 ")], ("STARTTLS", "220 "), [("EHLO client.test", "250 ")],
             [(f"AUTH PLAIN {PLAIN}", "235 ")], ("NOOP", "250 ")),
}


def anybody():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def log_in(port, protocol, tls="none"):
    """An open session: (socket, its lines)."""
    greeting, before, command, after, login, _ = DIALOGUES[protocol]
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    try:
        if tls == "implicit":
            client = anybody().wrap_socket(client)
        lines = client.makefile("rb")
        _expect(lines, greeting)
        if tls == "starttls":
            for line in [*before, command]:
                _say(client, lines, *line)
            client = anybody().wrap_socket(client)
            lines = client.makefile("rb")
        for line in [*(after if tls == "starttls" else before), *login]:
            _say(client, lines, *line)
        return client, lines
    except BaseException:
        client.close()
        raise


def ask(session, protocol):
    """One round trip."""
    _say(*session, *DIALOGUES[protocol][-1])


def visit(port, protocol, tls="none"):
    """Logs in and asks for one answer. Returns the version and the cipher of TLS, "" without."""
    client, lines = log_in(port, protocol, tls)
    with client, lines:
        ask((client, lines), protocol)
        return "" if tls == "none" else f"{client.version()} {client.cipher()[0]}"


def _say(client, lines, text, wanted):
    client.sendall(text.encode() + b"\r\n")
    _expect(lines, wanted)


def _expect(lines, wanted):
    seen = []
    while line := lines.readline():
        if line.startswith(wanted.encode()):
            return
        seen.append(line)
        # Some answers have more lines, which go on in these ways.
        if not line.startswith((b"* ", b"250-", b"220-")):
            break
    raise ConnectionError(f"expected {wanted!r}, got {seen}")
