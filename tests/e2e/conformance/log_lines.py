"""What a proxy's log says of each dialogue, as text that can be compared: without what differs by chance,
and without the differences that we want."""

import re

LINE = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(\w+)\] \d+#\d+: \*(\d+) (.*)")
CONNECTED = re.compile(r"client (\S+):\d+ connected to ")

# Lines that NGINX has not: there it is silent.
OURS_ALONE = re.compile(r"upstream closed connection before login was complete|"
                        r"auth http server \S+ closed connection before its answer was complete|"
                        r"client sent \d+ bytes of plain text behind STARTTLS|"
                        r"client login failed at upstream|"
                        r"invalid PROXY protocol version 2 header")
# And lines that we have not: who ended a relayed session, and how, is in its last line.
THEIRS_ALONE = re.compile(r"(recv|send)\(\) failed \(\d+: [\w ]+\) while proxying and ")

# (what is replaced, with what, why)
EQUAL = [
    (r"(client \S+):\d+ connected to \S+", r"\1 connected", "ports differ by chance"),
    (r", server: \S+?(?=,|$)", ", server", "ports differ by chance"),
    (r"(, upstream: [^ ,]+):\d+", r"\1", "ports differ by chance"),
    (r"(, server), upstream: [^ ,]+", r"\1", "the older NGINX names the upstream only where there is a login name"),
    (r", bytes from/to client:.*", "", "how much went each way and who ended it is ours"),
    (r"(client sent too long command).*", r"\1", "the text may be a password; the older one cuts the rest off"),
    (r"(upstream sent too long response line).*", r"\1", "the text is cut, not what follows it"),
    (r"(recv\(\) failed.* while in auth state.*), login: .*", r"\1", "a name that was refused is forgotten"),
    (r"(broken header: ).*", r"\1", "the older NGINX prints all that came, line breaks and all"),
    (r'(, login: )"(?:[^"]|"(?=[^,]))*"', r"\1", "names are escaped here"),
    (r'(client login failed: |upstream sent \w+ \w+ \w*\s*\w*: ?|upstream sent invalid response: )".*?"(?= while|,|$)', r"\1",
     "texts are escaped here, and cut"),
    (r'(client was rejected before greeting: )".*?"(?= while)', r"\1", "texts are escaped here"),
    (r"(base64 encoding in AUTH LOGIN.*|invalid CRAM-MD5 hash.*), login: ", r"\1", "here a name counts when it is claimed"),
    (r"(recv|connect)\(\) (to \S+ )?failed \(111: Connection refused\) while (connecting to|reading response from) upstream",
     "refused", "NGINX meets it in the first read"),
    (r"(recv|connect)\(\) (to \S+ )?failed \(111: Connection refused\) while in http auth state", "refused",
     "NGINX meets it in the first read"),
    (r"auth http server \S+: (recv\(\) failed)", r"\1", "which one is ours"),
    (r"auth http server \S+ ", "auth http server ", "ports differ by chance"),
]


def by_client(text):
    """{address of the client that connected: its lines}"""
    address_of = {}
    result = {}
    # What a peer has sent may hold a line break.
    for found in LINE.finditer(re.sub(r"\n(?!\d{4}/\d\d/\d\d )", " ", text)):
        level, number, message = found.groups()
        if connected := CONNECTED.match(message):
            address_of[number] = connected[1]
        address = address_of.get(number)
        if address and not OURS_ALONE.match(message) and not THEIRS_ALONE.match(message):
            result.setdefault(address, []).append(f"[{level}] {equal(message, address)}")
    return result


def equal(message, address):
    for pattern, replacement, _ in EQUAL:
        message = re.sub(pattern, replacement, message)
    return message.replace(address, "ADDRESS")
