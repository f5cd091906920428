"""One policy on every path (T31): what a peer may not be, and that a session which is resumed has been
looked at by the same rules."""

import ssl

import pytest
from support.backend_front import FAILED, PASSWORD, trusting
from support.certificates import Authority, Certificate

every_version = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
GOOD = b"a OK backend knows you\r\n"


@pytest.fixture
def front(front):
    return lambda port, directives, protocol="imap", **options: front(protocol, port, directives, **options)


@pytest.fixture
def backend(backend):
    return lambda *arguments, protocol="imap", at_once=True, **options: backend(protocol, *arguments, at_once=at_once, **options)


def heard_no_login(visit):
    return visit.ended.wait(10) and all(text not in visit.heard() for text in (b"bob", PASSWORD.encode(), b"AUTH", b"LOGIN"))


@pytest.mark.parametrize("protocol", list(FAILED))
def test_a_server_without_tls_where_tls_is_wanted(front, backend, pki, protocol):
    other = backend(pki.server, protocol=protocol, at_once=False)
    proxy = front(other.port, f"proxy_ssl on; {trusting(pki)}", protocol=protocol)
    assert proxy.log_in() == FAILED[protocol]
    proxy.logged(r"\[error\] .*SSL_do_handshake\(\) failed \(SSL: .*wrong version number.*\) while SSL handshaking to upstream")
    assert heard_no_login(other.visits[0])
    assert len(proxy.errors()) == 1


@pytest.mark.parametrize("protocol", list(FAILED))
def test_a_server_with_tls_where_none_is_wanted(front, backend, pki, protocol):
    other = backend(pki.server, protocol=protocol)
    proxy = front(other.port, "", protocol=protocol, timeout="500ms")
    assert proxy.log_in() == FAILED[protocol]
    proxy.logged(r"\[info\] .*upstream timed out \(110: Connection timed out\) while connecting to upstream")
    assert heard_no_login(other.visits[0])


@every_version
@pytest.mark.parametrize("at_once", [True, False])
def test_a_server_that_wants_our_certificate_and_gets_none(front, backend, pki, version, at_once):
    other = backend(pki.server, at_once=at_once, authority=pki.authority, required=True, version=version)
    proxy = front(other.port, f"proxy_ssl {'on' if at_once else 'starttls'}; {trusting(pki)}")
    assert proxy.log_in() == FAILED["imap"]
    proxy.logged(r"\[error\] .*SSL_\w+\(\) failed \(SSL: .*alert .* while .*upstream: 127.0.0.1:")
    assert PASSWORD.encode() not in other.visits[0].heard()
    assert len(proxy.errors()) == 1, proxy.errors()


@pytest.mark.parametrize("case", ["expired", "self-signed", "unknown"])
def test_a_server_that_does_not_like_our_certificate(front, backend, pki, case):
    ours = {"expired": pki.client_expired, "self-signed": pki.client_self_signed, "unknown": pki.client_unknown}[case]
    other = backend(pki.server, authority=pki.authority)
    proxy = front(other.port, f"proxy_ssl on; {trusting(pki)} proxy_ssl_certificate {ours.path}; "
                  f"proxy_ssl_certificate_key {ours.key_path};")
    assert proxy.log_in() == FAILED["imap"]
    proxy.logged(r"\[error\] .*SSL: .*alert.*upstream: 127.0.0.1:")
    assert len(proxy.errors()) == 1, proxy.errors()


@every_version
def test_a_session_serves_only_the_name_that_it_was_made_for(front, backend, pki, version):
    """The service says for each user whom to expect there."""
    names = ["mail.test", "mail.test", "elsewhere.test", "mail.test"]
    other = backend(pki.server, version=version)
    proxy = front(other.port, f"proxy_ssl on; {trusting(pki)}", each=lambda number: {"Auth_Server_Name": names[number]})
    assert [proxy.log_in() for _ in names] == [GOOD, GOOD, FAILED["imap"], GOOD]
    assert other.visits[3].ended.wait(10) and heard_no_login(other.visits[2])
    assert [visit.resumed for visit in other.visits] == [False, True, False, True]
    proxy.logged(r'upstream SSL certificate does not match "elsewhere.test"')


@every_version
def test_a_session_with_a_bad_server_is_never_resumed(front, backend, pki, version):
    other = backend(pki.wrong_name, version=version)
    proxy = front(other.port, f"proxy_ssl on; {trusting(pki)}")
    for _ in range(3):
        assert proxy.log_in() == FAILED["imap"]
        assert other.visits[-1].ended.wait(10)
    assert [visit.resumed for visit in other.visits] == [False] * 3
    assert len(proxy.errors()) == 3


@pytest.mark.parametrize("name, good", [
    ("127.0.0.1", True), ("127.0.0.2", False), ("localhost", True), ("sub.mail.test", False), ("MAIL.test", True),
    ("a.any.test", True), ("any.test", False), ("a.b.any.test", False)])
def test_names_are_compared_as_rfc_6125_says(front, backend, pki, name, good):
    certificate = pki.authority.issue("names.test", hosts=("mail.test", "localhost", "127.0.0.1", "*.any.test"))
    other = backend(certificate)
    proxy = front(other.port, f"proxy_ssl on; proxy_ssl_verify on; proxy_ssl_trusted_certificate {pki.authority.path}; "
                  f"proxy_ssl_name {name};")
    assert proxy.log_in() == (GOOD if good else FAILED["imap"])
    assert good or heard_no_login(other.visits[0])


def test_a_clients_certificate_is_no_servers(front, backend, pki):
    """RFC 5280 section 4.2.1.12: what it may be used for."""
    certificate = pki.authority.issue("client-as-server", hosts=("mail.test",), client=True)
    other = backend(certificate)
    proxy = front(other.port, f"proxy_ssl on; {trusting(pki)}")
    assert proxy.log_in() == FAILED["imap"]
    proxy.logged(r"upstream SSL certificate verify error: \(26:")
    assert heard_no_login(other.visits[0])


def test_a_certificate_that_may_issue_none_issues_none(front, backend, pki):
    """RFC 5280 section 4.2.1.9: a server's certificate is no authority's."""
    forged = Authority(pki.folder, own=pki.wrong_name).issue("forged.test", hosts=("mail.test",))
    other = backend(Certificate(pki.folder, "forged-chain", forged.certificate, forged.key, [pki.wrong_name]))
    proxy = front(other.port, f"proxy_ssl on; {trusting(pki)}")
    assert proxy.log_in() == FAILED["imap"]
    proxy.logged(r"upstream SSL certificate verify error: \((24|32|79):")
    assert heard_no_login(other.visits[0])


@pytest.mark.parametrize("depth, good", [(1, True), (0, False)])
def test_how_long_the_chain_may_be(front, backend, pki, depth, good):
    """Depth counts the authorities between: one with an intermediate that signed for the server."""
    between = pki.authority.authority_below("between")
    leaf = between.issue("below.test", hosts=("mail.test",))
    other = backend(Certificate(pki.folder, "below-chain", leaf.certificate, leaf.key, [between]))
    proxy = front(other.port, f"proxy_ssl on; proxy_ssl_verify_depth {depth}; {trusting(pki)}")
    assert proxy.log_in() == (GOOD if good else FAILED["imap"])
    if not good:
        proxy.logged(r"upstream SSL certificate verify error: \((20|22):")
        assert heard_no_login(other.visits[0])
