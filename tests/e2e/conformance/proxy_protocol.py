"""The PROXY protocol: what a proxy in front says of the client, and what a backend is told. Each list
holds for all three protocols, in their own words."""

import ipaddress
import struct

from support.scripted_backend import LOGIN_SCRIPT
from support.scripted_service import refusal

from .model import EOF, REPLY, SILENCE, Dialogue as D, Tls, named
from .tls import IMAP, POP3, SMTP

BALANCER = "127.79.0.1"  # servers.py: who may say who really calls
LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 35646 143\r\n"
REAL = b"PROXY TCP4 ADDRESS 198.51.100.1 35646 143\r\n"
TOLD = ("H: Proxy-Protocol-Addr: 192.0.2.7\\r\\n\nH: Proxy-Protocol-Port: 35646\\r\\n\n"
        "H: Proxy-Protocol-Server-Addr: 198.51.100.1\\r\\n\nH: Proxy-Protocol-Server-Port: 143\\r\\n")
TOLD_REAL = TOLD.replace("192.0.2.7", "ADDRESS")


def v2(block=b"", command=0x21, family=0x11, size=None):
    """A header of version 2."""
    return (b"\r\n\r\n\0\r\nQUIT\n" + bytes((command, family)) +
            struct.pack("!H", len(block) if size is None else size) + block)


def addresses(source, destination="198.51.100.1", source_port=35646, destination_port=143):
    return (ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed +
            struct.pack("!HH", source_port, destination_port))


def real_v2(address):
    """The header that a balancer sends of this dialogue's client."""
    return v2(addresses(address))


TCP4, TCP6 = addresses("192.0.2.7"), addresses("2001:db8::7", "2001:db8::1")


def accepted(words):
    """What is a header, and what follows from it."""
    server = f"{words.protocol}_proxied"
    login = [REPLY, *words.login]
    here = {"server": server, "greeting": False}

    def passed(name, header):
        return D(f"proxied_{name}", [header, REPLY, words.noop], (words.greeting, words.noop_ok), **here)

    return [
        passed("v1", LINE),
        passed("v1_tcp6", b"PROXY TCP6 2001:db8::7 2001:db8::1 35646 143\r\n"),
        passed("v1_unknown", b"PROXY UNKNOWN\r\n"),
        passed("v1_unknown_with_more", b"PROXY UNKNOWN ffff:: ffff:: 1 2\r\n"),
        passed("v1_port_0", b"PROXY TCP4 192.0.2.7 198.51.100.1 0 0\r\n"),
        passed("v1_port_65535", b"PROXY TCP4 192.0.2.7 198.51.100.1 65535 65535\r\n"),
        passed("v2", v2(TCP4)),
        passed("v2_tcp6", v2(TCP6, family=0x21)),
        passed("v2_local", v2(command=0x20, family=0)),
        passed("v2_local_with_addresses", v2(TCP4, command=0x20)),
        passed("v2_unspecified", v2(family=0)),
        passed("v2_datagram", v2(TCP4, family=0x12)),
        passed("v2_unix", v2(b"/x".ljust(56, b"\0"), family=0x31)),
        passed("v2_tlv", v2(TCP4 + b"\x04\0\x02xx")),
        D("proxied_v1_login", [LINE, *login], (words.logged_in, "H: Client-IP: ADDRESS", TOLD), **here),
        D("proxied_v1_tcp6_login", [b"PROXY TCP6 2001:DB8:0:0::7 2001:db8::1 1 65535\r\n", *login],
          (words.logged_in, "H: Client-IP: ADDRESS", "H: Proxy-Protocol-Addr: 2001:DB8:0:0::7",
           "H: Proxy-Protocol-Server-Port: 65535"), **here),
        D("proxied_v1_unknown_login", [b"PROXY UNKNOWN\r\n", *login], (words.logged_in, "H: Client-IP: ADDRESS"),
          hides="Proxy-Protocol", **here),
        D("proxied_v2_login", [v2(TCP4), *login], (words.logged_in, "H: Client-IP: ADDRESS", TOLD), **here),
        D("proxied_v2_tcp6_login", [v2(TCP6, family=0x21), *login],
          (words.logged_in, "H: Proxy-Protocol-Addr: 2001:db8::7", "H: Proxy-Protocol-Server-Addr: 2001:db8::1"), **here),
        D("proxied_v2_local_login", [v2(TCP4, command=0x20), *login], words.logged_in, hides="Proxy-Protocol", **here),
        D("proxied_v1_trusted", [REAL, *login], (words.logged_in, "H: Client-IP: ADDRESS", TOLD_REAL), via=BALANCER, **here),
        D("proxied_v2_trusted", [real_v2, *login], (words.logged_in, "H: Client-IP: ADDRESS", TOLD_REAL), via=BALANCER, **here),
        D("proxied_trusted_host", [REAL, *login], (words.logged_in, "H: Client-IP: ADDRESS"), via="127.80.0.1", **here),
        D("proxied_attempts", [LINE, *login, *words.login], ("H: Auth-Login-Attempt: 2", TOLD), service=[refusal("nope", Auth_Wait=1)], **here),
    ]


def refused(words):
    """What is none: the connection ends, and nothing is said."""
    server = f"{words.protocol}_proxied"
    broken = {
        "nothing_but_a_command": f"{words.noop}\r\n".encode(),
        "other_word": b"HELLO TCP4 192.0.2.7 198.51.100.1 35646 143\r\n",
        "lower_case": b"proxy TCP4 192.0.2.7 198.51.100.1 35646 143\r\n",
        "tcp5": b"PROXY TCP5 192.0.2.7 198.51.100.1 35646 143\r\n",
        "no_family": b"PROXY \r\n1234567\r\n",
        "bad_port": b"PROXY TCP4 192.0.2.7 198.51.100.1 x 143\r\n",
        "port_65536": b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 143\r\n",
        "port_missing": b"PROXY TCP4 192.0.2.7 198.51.100.1 35646\r\n",
        "address_of_letters": b"PROXY TCP4 example.test 198.51.100.1 35646 143\r\n",
        "line_feed_alone": b"PROXY TCP4 192.0.2.7 198.51.100.1 35646 143\n",
        "version_1_in_version_2": v2(TCP4, command=0x11),
        "version_3": v2(TCP4, command=0x31),
        "addresses_cut_off": v2(TCP4[:8]),
        "addresses_6_cut_off": v2(TCP4, family=0x21),
    }
    return [D(f"proxied_broken_{name}", [header, EOF], "-- closed by the proxy", server, ends="closed",
              greeting=False, hides="S: ") for name, header in broken.items()]


def apart(words):
    """Where Postern is to do better than NGINX."""
    here = {"server": f"{words.protocol}_proxied", "ends": "any", "greeting": False}
    noop = f"{words.noop}\r\n".encode()
    return [
        D("proxied_in_two_segments", [LINE[:20], LINE[20:], SILENCE], "-- the proxy has hung up", hides="S: ", **here),
        D("proxied_address_of_dots", [b"PROXY TCP4 ...... ...... 35646 143\r\n", SILENCE], words.greeting, **here),
        # NGINX looks at these only when more arrives, but with SMTP
        D("proxied_command_behind", [LINE + noop, REPLY, SILENCE], words.greeting, **here),
        D("proxied_two_headers", [LINE + b"PROXY UNKNOWN\r\n", REPLY, SILENCE], words.greeting, **here),
    ]


def under_tls(words):
    """The header comes before TLS."""
    server = f"{words.protocol}_proxied_ssl"
    here = {"server": server, "greeting": False}
    return [
        D("proxied_ssl", [LINE, Tls(), REPLY, *words.login], ("-- TLSv1.3", words.greeting, words.logged_in, TOLD, "H: Auth-SSL: on"), **here),
        D("proxied_ssl_v2", [v2(TCP4), Tls(version="1.2"), REPLY, *words.login], ("-- TLSv1.2", words.logged_in, TOLD), **here),
        D("proxied_ssl_trusted", [REAL, Tls(), REPLY, *words.login], (words.logged_in, TOLD_REAL), via=BALANCER, **here),
        D("proxied_ssl_broken", [b"PROXY nonsense\r\n", EOF], "-- closed by the proxy", server, ends="closed", greeting=False),
        D("proxied_starttls", [LINE, REPLY, words.starttls, Tls(), *words.login], (words.starttls_ok, words.logged_in, TOLD, "H: Auth-SSL: on"),
          f"{words.protocol}_proxied", greeting=False),
    ]


def told(words):
    """`proxy_protocol on`: what the backend is told before all else."""
    p = words.protocol
    script = [b"", *LOGIN_SCRIPT[p]]
    return [
        D("tells_backend", [*words.login], (words.logged_in, "B: PROXY TCP4 ADDRESS 127.0.0.1 PORT LISTEN\\r\\n"), f"{p}_tells", backend=script),
        D("tells_backend_untrusted", [LINE, REPLY, *words.login], (words.logged_in, "B: PROXY TCP4 ADDRESS 127.0.0.1 PORT LISTEN\\r\\n"),
          f"{p}_proxied_tells", backend=script, greeting=False),
        D("tells_backend_trusted", [REAL, REPLY, *words.login], (words.logged_in, "B: PROXY TCP4 ADDRESS 127.0.0.1 35646 LISTEN\\r\\n"),
          f"{p}_proxied_tells", backend=script, greeting=False, via=BALANCER),
        D("tells_backend_after_ssl", [LINE, Tls(), REPLY, *words.login], (words.logged_in, "B: PROXY TCP4 ADDRESS 127.0.0.1 PORT LISTEN\\r\\n"),
          f"{p}_proxied_ssl_tells", backend=script, greeting=False),
        D("tells_backend_that_hangs_up", [*words.login], "B: PROXY TCP4 ADDRESS", f"{p}_tells", backend=[b"", "close"], ends="closed"),
    ]


DIALOGUES = [dialogue for words in (IMAP, POP3, SMTP) for dialogue in named(words.protocol, [
    *accepted(words), *refused(words), *apart(words), *under_tls(words), *told(words)])]
DIALOGUES += named("smtp", [
    D("proxied_xclient", [REAL, REPLY, "EHLO client", *SMTP.login], ("B: XCLIENT ADDR=ADDRESS LOGIN=bob NAME=[UNAVAILABLE]", SMTP.logged_in),
      "smtp_proxied_xclient", greeting=False, via=BALANCER),
    D("proxied_xclient_untrusted", [LINE, REPLY, "EHLO client", *SMTP.login],
      ("B: XCLIENT ADDR=ADDRESS LOGIN=bob NAME=[UNAVAILABLE]", SMTP.logged_in), "smtp_proxied_xclient", greeting=False),
])
