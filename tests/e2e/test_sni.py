"""Several servers on one port: the name that a client asks for picks one (Server Name Indication)."""

import ssl

import pytest
from support.ports import connect, free_port
from support.scripted_service import ScriptedService, header, refusal


def names_of(certificate):
    return {value for _, value in certificate.get("subjectAltName", ())}


class Hosts:
    """Three servers on a port with TLS, and on one with STARTTLS; each has its own service."""

    def __init__(self, server, pki):
        issue = pki.authority.issue
        self.pki = pki
        self.certificates = {"a": issue("a.test"), "b": issue("b.test", hosts=("b.test", "mx.b.test")),
                             "c": issue("*.c.test")}
        self.services = {name: ScriptedService(lambda request, number, name=name: refusal(f"{name} says no"))
                         for name in "abc"}
        self.ssl, self.starttls = free_port(), free_port()
        blocks = []
        for name, names in (("a", "a.test"), ("b", "b.test mx.b.test"), ("c", "any.c.test *.c.test")):
            certificate = self.certificates[name]
            for listen, more in ((f"{self.ssl} ssl", ""), (f"{self.starttls}", "starttls on;")):
                default = " default_server" if name == "b" else ""
                blocks.append(f"server {{ listen 127.0.0.1:{listen}{default}; {more} protocol smtp; server_name {names}; "
                              f"ssl_certificate {certificate.path}; ssl_certificate_key {certificate.key_path}; "
                              f"auth_http 127.0.0.1:{self.services[name].port}/auth; "
                              f"smtp_capabilities X-{name.upper()}; }}")
        self.proxy = server("\n".join(blocks), [self.ssl, self.starttls])

    def close(self):
        for service in self.services.values():
            service.close()

    def visit(self, name, starttls=False):
        """(whose certificate, the greeting's name, the capability, who answers a login)"""
        context = ssl.create_default_context(cafile=self.pki.authority.path)
        context.check_hostname = False
        plain = connect(self.starttls if starttls else self.ssl)
        if starttls:
            lines = plain.makefile("rb")
            lines.readline()
            plain.sendall(b"STARTTLS\r\n")
            lines.readline()
        with context.wrap_socket(plain, server_hostname=name) as client:
            stream = client.makefile("rb")
            greeting = b"" if starttls else stream.readline()
            client.sendall(b"EHLO x\r\n")
            reply = [stream.readline() for _ in range(3)]
            client.sendall(b"AUTH PLAIN AGJvYgB4\r\n")
            answer = stream.readline()
            found = names_of(client.getpeercert())
        who = next(key for key, one in self.certificates.items() if found == names_of_file(one))
        greeted = greeting.decode().split(" ")[1] if greeting else reply[0].decode()[4:].strip()
        return who, greeted, reply[1].strip().decode()[4:], answer.decode().split(" ")[2]


def names_of_file(certificate):
    from cryptography import x509
    names = certificate.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(names.get_values_for_type(x509.DNSName))


@pytest.fixture
def hosts(server, pki):
    made = Hosts(server, pki)
    yield made
    made.close()


@pytest.mark.parametrize("starttls", [False, True], ids=["ssl", "starttls"])
@pytest.mark.parametrize("name, expected", [
    ("a.test", "a"), ("A.Test", "a"), ("b.test", "b"), ("mx.b.test", "b"), ("any.c.test", "c"), ("deep.er.c.test", "c"),
    ("c.test", "b"), ("unknown.test", "b"), (None, "b"), ("x.a.test", "b")])
def test_the_name_picks_certificate_settings_and_service(hosts, name, expected, starttls):
    called = {"a": "a.test", "b": "b.test", "c": "any.c.test"}[expected]
    assert hosts.visit(name, starttls) == (expected, called, f"X-{expected.upper()}", expected)


def test_before_tls_the_default_server_speaks(hosts):
    with connect(hosts.starttls) as plain:
        assert plain.recv(100) == b"220 b.test ESMTP ready\r\n"


def test_access_rules_are_those_of_the_server_asked_for(server, pki):
    port = free_port()
    pair = f"ssl_certificate {pki.server.path}; ssl_certificate_key {pki.server.key_path};"
    server(f"auth_http 127.0.0.1:1; {pair} "
           f"server {{ listen 127.0.0.1:{port} ssl; protocol imap; server_name open.test; }} "
           f"server {{ listen 127.0.0.1:{port} ssl; protocol imap; server_name closed.test; deny all; }}", [port])
    said = {}
    for name in ("open.test", "closed.test"):
        context = ssl._create_unverified_context()
        with context.wrap_socket(connect(port), server_hostname=name) as client:
            said[name] = client.recv(100)
    assert said == {"open.test": b"* OK IMAP4 ready\r\n", "closed.test": b"* BYE access denied\r\n"}


def test_protocol_versions_are_those_of_the_server_asked_for(server, pki):
    port = free_port()
    pair = f"ssl_certificate {pki.server.path}; ssl_certificate_key {pki.server.key_path};"
    server(f"auth_http 127.0.0.1:1; {pair} "
           f"server {{ listen 127.0.0.1:{port} ssl; protocol imap; server_name old.test; ssl_protocols TLSv1.2; }} "
           f"server {{ listen 127.0.0.1:{port} ssl; protocol imap; server_name new.test; ssl_protocols TLSv1.3; }}", [port])
    for name, version in (("old.test", "TLSv1.2"), ("new.test", "TLSv1.3")):
        with ssl._create_unverified_context().wrap_socket(connect(port), server_hostname=name) as client:
            assert client.version() == version
    context = ssl._create_unverified_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        context.wrap_socket(connect(port), server_hostname="new.test")


def test_the_service_is_told_of_each_login_once(hosts):
    hosts.visit("a.test")
    requests = hosts.services["a"].requests()
    assert len(requests) == 1 and header(requests[0], "Auth-SSL") == "on"
    assert hosts.services["b"].requests() == [] and hosts.services["c"].requests() == []
