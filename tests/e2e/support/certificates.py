"""Certificates for tests, made at the start of a run: an authority, what it has issued, and what it
has revoked. Everything is a file below the folder, named `path`."""

import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# ffdhe2048 of RFC 7919 appendix A.1, as "openssl dhparam" would print it.
DH_PARAMETERS = """-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""

NAMES = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
         "C": NameOID.COUNTRY_NAME, "E": NameOID.EMAIL_ADDRESS}
DAY = datetime.timedelta(days=1)


def name_of(parts):
    return x509.Name([x509.NameAttribute(NAMES[kind], text) for kind, text in parts])


class Certificate:
    """A certificate and its key: `path` (PEM with its chain), `key_path`, `pem`, `certificate`."""

    def __init__(self, folder, name, certificate, key, chain=()):
        self.certificate, self.key = certificate, key
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.path = os.path.join(folder, f"{name}.pem")
        self.key_path = os.path.join(folder, f"{name}.key")
        with open(self.path, "w") as out:
            out.write(self.pem + "".join(one.pem for one in chain))
        with open(self.key_path, "wb") as out:
            out.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                        serialization.NoEncryption()))
        os.chmod(self.key_path, 0o600)

    def encrypted_key(self, phrase):
        """The path of the key as a file that wants this pass phrase."""
        path = self.key_path + ".encrypted"
        with open(path, "wb") as out:
            out.write(self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                             serialization.BestAvailableEncryption(phrase.encode())))
        return path

    @property
    def fingerprint(self):
        return self.certificate.fingerprint(hashes.SHA1()).hex()


class Authority:
    """Issues certificates. `path` is the file to trust."""

    def __init__(self, folder, name="authority", parts=(("CN", "Test CA"),), own=None):
        """own: a Certificate with which it signs; else it makes one for itself."""
        self.folder = folder
        self._serial = 0x1000
        if own is None:
            self._key, self._name = ec.generate_private_key(ec.SECP256R1()), name_of(parts)
            own = Certificate(folder, name, self._sign(self._name, self._key.public_key(), authority=True), self._key)
        self._key, self._name = own.key, own.certificate.subject
        self.path, self.pem = own.path, own.pem

    def authority_below(self, name):
        """Another one, which this one has signed for."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name_of((("CN", name),)), key.public_key(), authority=True)
        return Authority(self.folder, own=Certificate(self.folder, name, certificate, key))

    def issue(self, name, parts=None, hosts=(), emails=(), rsa_key=False, client=False, starts=-DAY, ends=90 * DAY,
              self_signed=False):
        """hosts: names and addresses it is for (name itself, unless it is a client's)."""
        key = rsa.generate_private_key(65537, 2048) if rsa_key else ec.generate_private_key(ec.SECP256R1())
        subject = name_of(parts or (("CN", name),))
        hosts = hosts or (() if client else (name,))
        certificate = self._sign(subject, key.public_key(), hosts, emails, client=client, starts=starts, ends=ends,
                                 key=key if self_signed else None)
        return Certificate(self.folder, name.replace("*", "any"), certificate, key)

    def revocations(self, *revoked):
        """The path of a list that names these."""
        now = datetime.datetime.utcnow()
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        builder = builder.last_update(now - DAY).next_update(now + 30 * DAY)
        for one in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
                .revocation_date(now - DAY).build())
        path = os.path.join(self.folder, f"revoked{len(revoked)}.crl")
        with open(path, "wb") as out:
            out.write(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path

    def _sign(self, subject, public_key, hosts=(), emails=(), authority=False, client=False, starts=-DAY,
              ends=3650 * DAY, key=None):
        now = datetime.datetime.utcnow()
        self._serial += 0xabc1
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject if key else self._name)
                   .public_key(public_key).serial_number(self._serial)
                   .not_valid_before(now + starts).not_valid_after(now + ends)
                   .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                       (key or self._key).public_key()), critical=False))
        if not authority:
            use = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
            builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        names = [_general_name(host) for host in hosts] + [x509.RFC822Name(email) for email in emails]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(key or self._key, hashes.SHA256())


def _general_name(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


class Pki:
    """What most tests need."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = Authority(folder)
        self.stranger = Authority(folder, "stranger", (("CN", "Nobody Knows This CA"),))
        issue = self.authority.issue
        here = ("mail.test", "localhost", "127.0.0.1")
        self.server = issue("mail.test", hosts=here)
        self.server_rsa = issue("rsa.mail.test", parts=(("CN", "mail.test"),), hosts=here, rsa_key=True)
        self.expired = issue("expired.test", hosts=here, starts=-30 * DAY, ends=-DAY)
        self.not_yet = issue("not-yet.test", hosts=here, starts=DAY)
        self.wrong_name = issue("elsewhere.test")
        self.self_signed = issue("self-signed.test", hosts=here, self_signed=True)
        self.unknown = self.stranger.issue("unknown.test", hosts=here)
        self.revoked = issue("revoked.test", hosts=here)
        self.client = issue("client", parts=(("C", "US"), ("O", "A, B"), ("CN", "bob x")), emails=("bob@mail.test",),
                            client=True)
        self.client_utf8 = issue("client-utf8", parts=(("O", "Bücher \"&\" Söhne"), ("CN", "bob")), client=True)
        self.client_expired = issue("client-expired", client=True, starts=-30 * DAY, ends=-DAY)
        self.client_revoked = issue("client-revoked", client=True)
        self.client_self_signed = issue("client-self-signed", client=True, self_signed=True)
        self.client_unknown = self.stranger.issue("client-unknown", client=True)
        self.crl = self.authority.revocations(self.revoked, self.client_revoked)
        self.dhparam = os.path.join(folder, "dh.pem")
        with open(self.dhparam, "w") as out:
            out.write(DH_PARAMETERS)
