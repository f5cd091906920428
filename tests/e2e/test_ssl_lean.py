"""ssl_lean with clients of three TLS libraries. Each test plays the same to a server without it and to one with it: what
they hear, and what the mailbox server gets, has to be the same."""

import base64
import hashlib
import re

import pytest
from support.ports import free_port
from support.scripted_service import ScriptedService, ok
from support.talking_backend import FILLER, TalkingBackend
from support.tls_clients import LIBRARIES, SUITES, TlsClient

PROTOCOLS = ("imap", "pop3", "smtp")
MODES = ("off", "on")
KIB, MIB = 1 << 10, 1 << 20
PASSWORD = "Tr0ub4dor-and-3-horses"

each_library = pytest.mark.parametrize("library", LIBRARIES)
each_suite = pytest.mark.parametrize("suite", SUITES)


class Site:
    """Ports by (mode, protocol, "ssl" or "starttls"), a mailbox server behind them, and the files for it."""

    def __init__(self, server, folder, pki, directives):
        self.folder, self.backend = folder, TalkingBackend()
        self.service = ScriptedService(lambda request, number: ok(
            Auth_Server="127.0.0.1", Auth_Port=self.backend.ports[re.search(rb"Auth-Protocol: (\w+)", request)[1].decode()]))
        self.ports = {(mode, protocol, way): free_port() for mode in MODES for protocol in PROTOCOLS
                      for way in ("ssl", "starttls")}
        servers = [f"server {{ listen 127.0.0.1:{port}{' ssl' if way == 'ssl' else ''}; protocol {protocol}; "
                   f"starttls on; ssl_lean {mode}; }}" for (mode, protocol, way), port in self.ports.items()]
        self.proxy = server(
            f"auth_http 127.0.0.1:{self.service.port}/auth; server_name mail.test; proxy_smtp_auth on; xclient off; "
            f"ssl_certificate {pki.server.path}; ssl_certificate_key {pki.server.key_path}; {directives} "
            + "\n".join(servers), self.ports.values(), level="debug")

    def close(self):
        self.service.close()
        self.backend.close()

    def file(self, name, content):
        path = f"{self.folder}/{name}"
        with open(path, "wb") as out:
            out.write(content)
        return path

    def content(self, name):
        with open(f"{self.folder}/{name}", "rb") as file:
            return file.read()

    def open_mailbox(self, client, mode, protocol="imap", way="ssl"):
        """Connects, and logs in; returns the visit at the mailbox server, and what was agreed on."""
        user = f"bob-{mode}-{protocol}-{len(self.backend.visits)}"
        client.must(f"connect {self.ports[mode, protocol, way]}")
        if way == "ssl":
            agreed = client.must("secure", "TLSv1.")
        client.must("hear", GREETINGS[protocol])
        if way == "starttls":
            if protocol == "smtp":
                self._hello(client)
            client.say(*STARTTLS[protocol])
            agreed = client.must("secure", "TLSv1.")
        if protocol == "imap":
            client.say(f"a LOGIN {user} {PASSWORD}", "a OK")
        elif protocol == "pop3":
            client.say(f"USER {user}", "+OK")
            client.say(f"PASS {PASSWORD}", "+OK")
        else:
            self._hello(client)
            client.say("AUTH PLAIN " + base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode(), "235")
        return self.backend.visits[user], agreed

    def _hello(self, client):
        client.must("line EHLO client.test")
        while not client.must("hear", "250").startswith("250 "):
            pass

    def swap(self, client, up, down, piece, every):
        """Bulk both ways at once, which has to arrive as it was sent."""
        path = self.file("up", FILLER[-up:])
        client.must(f"line swap {up} {down}")
        client.must(f"exchange {path} {self.folder}/down {down} {piece} {every}", f"updates {(up - 1) // every if every else 0}")
        client.must("hear", hashlib.sha256(FILLER[-up:]).hexdigest())
        assert self.content("down") == FILLER[:down]


GREETINGS = {"imap": "* OK", "pop3": "+OK", "smtp": "220"}
LEAN = "SSL with client: nothing but keys is kept"
STARTTLS = {"imap": ("s STARTTLS", "s OK"), "pop3": ("STLS", "+OK"), "smtp": ("STARTTLS", "220")}


@pytest.fixture
def site(server, folder, pki):
    made = []

    def make(directives=""):
        made.append(Site(server, folder, pki, directives))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def in_both_modes(tls_clients, folder):
    """in_both_modes(site, library, play, settings): plays to both; what a client says has to be the same. `lean`: whether
    its sessions are, with ssl_lean."""
    def compare(here, library, play, lean=True, **settings):
        if library == "gnutls":
            settings["requests"] = 8  # it bears 8 updates of the server's keys a second
        said = []
        for mode in MODES:
            before = len(here.proxy.log_lines(LEAN))
            with TlsClient(tls_clients[library], folder, **settings) as client:
                play(client, mode)
                said.append(client.said)
            assert (len(here.proxy.log_lines(LEAN)) > before) == (lean and mode == "on")
        assert said[0] == said[1]
    return compare


@each_library
@each_suite
def test_keys_are_updated_under_load(site, in_both_modes, library, suite):
    here = site()

    def play(client, mode):
        _, agreed = here.open_mailbox(client, mode)
        assert agreed.startswith("TLSv1.3")
        client.say("first", "first")
        here.swap(client, 4 * MIB - 1, 4 * MIB - 1, piece=50_000, every=200_000)
        for request in ("yes", "no", "no", "yes", "yes"):
            client.must(f"update {request}")
        client.say("between", "between")
        here.swap(client, 1 * MIB, 10, piece=1000, every=100_000)
        here.swap(client, 10, 1 * MIB, piece=1, every=1)
        client.say("last", "last")
    in_both_modes(here, library, play, suite=suite)


@each_library
@pytest.mark.parametrize("way", ["ssl", "starttls"])
def test_every_protocol(site, in_both_modes, library, way):
    here = site()
    for protocol in PROTOCOLS:
        def play(client, mode):
            visit, _ = here.open_mailbox(client, mode, protocol, way)
            client.say("first", "first")
            here.swap(client, 300 * KIB, 300 * KIB, piece=16384, every=30_000)
            client.must("line keep")
            client.must("hear", "keeping")
            client.must("line the last words")
            client.must("bye")
            client.must(f"end {here.folder}/rest", "close_notify")
            assert visit.ended.wait(10) and visit.received == b"the last words\r\n"
        in_both_modes(here, library, play)


@each_library
def test_ends_in_either_direction(site, in_both_modes, library):
    here = site()

    def client_first(client, mode):
        visit, _ = here.open_mailbox(client, mode)
        client.must(f"line finish {MIB}")
        client.must("line more")
        client.must("update yes")
        client.must("bye")
        client.must(f"end {here.folder}/rest", "close_notify")
        assert here.content("rest") == FILLER[:MIB]
        assert visit.ended.wait(10) and visit.received == b"more\r\n"

    def backend_first(client, mode):
        visit, _ = here.open_mailbox(client, mode)
        client.must(f"line shut {MIB}")
        client.must(f"end {here.folder}/rest", "close_notify")
        assert here.content("rest") == FILLER[:MIB]
        client.must("line still here")
        client.must("bye")
        assert visit.ended.wait(10) and visit.received == b"still here\r\n"

    def backend_dies(client, mode):
        here.open_mailbox(client, mode)
        client.must("line reset")
        client.ask(f"end {here.folder}/rest")

    def client_goes(client, mode):
        visit, _ = here.open_mailbox(client, mode)
        client.say("keep", "keeping")
        client.must("line cut off")
        client.must("close")
        assert visit.ended.wait(10) and visit.received == b"cut off\r\n"
    for play in (client_first, backend_first, backend_dies, client_goes):
        in_both_modes(here, library, play)


@each_library
def test_sessions_are_resumed(site, in_both_modes, library):
    """Tickets of a session that has become lean are as good as others, and so is what they resume."""
    here = site()

    def play(client, mode):
        for kind in ("full", "resumed", "resumed"):
            _, agreed = here.open_mailbox(client, mode)
            assert agreed.endswith(kind)
            here.swap(client, 100 * KIB, 100 * KIB, piece=5000, every=30_000)
            client.must("bye")
            client.must(f"end {here.folder}/rest", "close_notify")
    in_both_modes(here, library, play)


@pytest.mark.parametrize("library", ["openssl", "gnutls"])
def test_client_certificates(site, in_both_modes, pki, library):
    here = site(f"ssl_verify_client on; ssl_client_certificate {pki.authority.path};")
    asked = []

    def play(client, mode):
        here.service.forget()
        here.open_mailbox(client, mode)
        here.swap(client, 100 * KIB, 100 * KIB, piece=5000, every=30_000)
        asked.append([line for request in here.service.requests() for line in request.splitlines()
                      if line.startswith(b"Auth-SSL")])
    in_both_modes(here, library, play, certificate=pki.client.path, key=pki.client.key_path)
    assert asked[0] == asked[1]
    assert b"Auth-SSL-Verify: SUCCESS" in asked[1] and any(b"CN=bob x" in line for line in asked[1])


@pytest.mark.parametrize("library, settings", [
    ("openssl", {"padding": 512}), ("openssl", {"padding": 16384}), ("gnutls", {"padding": 1000}),
    ("gnutls", {"padding": 16000}), ("openssl", {"fragment": 512}), ("openssl", {"fragment": 4096}),
    ("gnutls", {"fragment": 512}), ("gnutls", {"fragment": 4096}), ("nss", {"fragment": 512})])
def test_padding_and_small_records(site, in_both_modes, library, settings):
    here = site()

    def play(client, mode):
        here.open_mailbox(client, mode)
        here.swap(client, 300 * KIB, 300 * KIB, piece=7000, every=60_000)
        here.swap(client, 300, 300, piece=1, every=100)
    in_both_modes(here, library, play, **settings)


@each_library
def test_tiny_and_large_pieces(site, in_both_modes, library):
    here = site()

    def play(client, mode):
        here.open_mailbox(client, mode)
        here.swap(client, 4000, 1, piece=1, every=190)
        here.swap(client, 4 * MIB, 1, piece=4 * MIB, every=0)
        here.swap(client, 1, 4 * MIB, piece=1, every=0)
    in_both_modes(here, library, play)


@each_library
def test_what_is_sent_before_the_login_is_answered(site, in_both_modes, library):
    here = site()
    many = b"".join(b"line %d\r\n" % number for number in range(20_000))

    def play(client, mode):
        client.must(f"connect {here.ports[mode, 'imap', 'ssl']}")
        client.must("secure", "TLSv1.3")
        login = f"a LOGIN early-{mode} {PASSWORD}\r\nkeep\r\n".encode()
        path = here.file("up", login + many)
        client.must(f"exchange {path} {here.folder}/down 0 {MIB} 0", "updates")
        client.must("hear", "* OK")
        client.must("hear", "a OK")
        client.must("hear", "keeping")
        client.must("bye")
        client.must(f"end {here.folder}/rest", "close_notify")
        visit = here.backend.visits[f"early-{mode}"]
        assert visit.ended.wait(10) and visit.received == many
    in_both_modes(here, library, play, lean=False)  # not at once: there is more to read


@pytest.mark.parametrize("library, settings", [
    *((library, {"tls12": "yes"}) for library in LIBRARIES), ("openssl", {"suite": "ccm"}), ("gnutls", {"suite": "ccm"})])
def test_everything_else_stays_as_it_is(site, in_both_modes, library, settings):
    here = site("ssl_conf_command Ciphersuites TLS_AES_128_CCM_SHA256:TLS_AES_128_GCM_SHA256;")

    def play(client, mode):
        for _ in range(2):
            _, agreed = here.open_mailbox(client, mode)
            assert agreed.startswith("TLSv1.2" if "tls12" in settings else "TLSv1.3") and ("CCM" in agreed) == ("suite" in settings)
            here.swap(client, MIB, MIB, piece=16384, every=0)
            client.must("bye")
            client.must(f"end {here.folder}/rest", "close_notify")
    in_both_modes(here, library, play, lean=False, **settings)
