"""TLS with clients, at once and after STARTTLS, with and without certificates. Each list holds for all
three protocols, in their own words."""

from dataclasses import dataclass

from support.scripted_service import refusal

from .model import EOF, REPLY, SILENCE, Dialogue as D, Replies, Tls, named

HASH = "0123456789abcdef0123456789abcdef"
PLAIN = "AGJvYgBzM2NyZXQ="


@dataclass(frozen=True)
class Words:
    """What one protocol says."""
    protocol: str
    greeting: str
    starttls: str
    starttls_ok: str
    capabilities: str
    offers: str             # STARTTLS, in the list of capabilities
    authentication: str     # what the list offers under TLS, or where STARTTLS is optional
    withholds: str          # what it never holds where STARTTLS is a must
    invalid: str
    noop: str
    noop_ok: str
    login: tuple            # the lines of a login as bob with s3cret
    logged_in: str
    external: str           # claims to be bob
    refused_in_clear: tuple  # lines
    certificate_error: str
    no_certificate: str
    bad_line: str


IMAP = Words(
    "imap", "S: * OK IMAP4 ready", "s STARTTLS", "S: s OK completed", "c CAPABILITY", "PLAIN STARTTLS",
    "AUTH=PLAIN", "AUTH=", "S: a BAD invalid command", "n NOOP", "S: n OK completed", ("a LOGIN bob s3cret",),
    "S: a OK backend knows you", "a AUTHENTICATE EXTERNAL Ym9i",
    ("a LOGIN bob s3cret", "a AUTHENTICATE PLAIN", f"a AUTHENTICATE PLAIN {PLAIN}", "a AUTHENTICATE LOGIN",
     "a AUTHENTICATE LOGIN Ym9i", "a AUTHENTICATE CRAM-MD5", "a AUTHENTICATE EXTERNAL", "a AUTHENTICATE EXTERNAL Ym9i"),
    "S: * BYE SSL certificate error", "S: * BYE No required SSL certificate", "a WHAT")
POP3 = Words(
    "pop3", "S: +OK POP3 ready", "STLS", "S: +OK", "CAPA", "S: STLS", "S: SASL PLAIN LOGIN", "SASL",
    "S: -ERR invalid command", "NOOP", "S: +OK", ("USER bob", "PASS s3cret"), "S: +OK backend knows you",
    "AUTH EXTERNAL Ym9i",
    ("USER bob", "PASS s3cret", f"APOP bob {HASH}", "AUTH", "AUTH PLAIN", f"AUTH PLAIN {PLAIN}", "AUTH LOGIN",
     "AUTH LOGIN Ym9i", "AUTH CRAM-MD5", "AUTH EXTERNAL", "AUTH EXTERNAL Ym9i"),
    "S: -ERR SSL certificate error", "S: -ERR No required SSL certificate", "WHAT")
SMTP = Words(
    "smtp", "S: 220 mail.test ESMTP ready", "STARTTLS", "S: 220 2.0.0 Start TLS", "EHLO client", "S: 250 STARTTLS",
    "AUTH PLAIN LOGIN", "AUTH ", "S: 500 5.5.1 Invalid command", "NOOP", "S: 250 2.0.0 OK", (f"AUTH PLAIN {PLAIN}",),
    "S: 235 2.0.0 OK", "AUTH EXTERNAL Ym9i",
    ("AUTH", "AUTH PLAIN", f"AUTH PLAIN {PLAIN}", "AUTH LOGIN", "AUTH LOGIN Ym9i", "AUTH CRAM-MD5", "AUTH EXTERNAL",
     "AUTH EXTERNAL Ym9i"),
    "S: 421 4.7.1 SSL certificate error", "S: 421 4.7.1 No required SSL certificate", "WHAT")


def starttls(words):
    """`starttls on` and `starttls only`."""
    on, only, ssl = (f"{words.protocol}_{kind}" for kind in ("starttls", "starttls_only", "ssl"))
    p, start = words.protocol, [words.starttls, Tls()]
    crowd = f"{words.starttls}\r\n".encode() + b"".join(f"{words.noop}\r\n".encode() for _ in range(3))
    return [
        D("tls_offered", [words.capabilities], (words.offers, words.authentication), on),
        D("tls_required", [words.capabilities], words.offers.replace("PLAIN STARTTLS", "STARTTLS LOGINDISABLED"), only, hides=words.withholds),
        D("tls_starttls", [*start, words.noop], (words.starttls_ok, "-- TLSv1.3", words.noop_ok), on),
        D("tls_starttls_1_2", [words.starttls, Tls(version="1.2"), words.noop], "-- TLSv1.2", on),
        D("tls_no_greeting_after_starttls", [*start, SILENCE, words.noop], words.noop_ok, on),
        D("tls_capabilities_after_starttls", [*start, words.capabilities], words.authentication, on, hides=words.offers),
        D("tls_capabilities_after_required", [*start, words.capabilities], words.authentication, only, hides=words.offers),
        D("tls_login_after_starttls", [*start, *words.login],
          (words.logged_in, "H: Auth-User: bob", "H: Auth-SSL: on", "H: Auth-SSL-Protocol: TLSv1.3",
           "H: Auth-SSL-Cipher: TLS_AES_256_GCM_SHA384"), on, hides="Auth-SSL-Verify"),
        D("tls_login_after_required", [*start, *words.login], (words.logged_in, "H: Auth-SSL: on"), only),
        D("tls_login_in_clear", [*words.login], words.logged_in, on, hides="Auth-SSL"),
        D("tls_starttls_twice", [*start, words.starttls, words.noop], words.invalid.replace(" a ", " s "), on),
        D("tls_starttls_argument", [words.starttls + " now", Tls(), words.noop], words.noop_ok, on),
        D("tls_starttls_lower_case", [words.starttls.lower(), Tls(), words.noop], words.noop_ok, on),
        D("tls_starttls_under_tls", [words.starttls, words.noop], words.invalid.replace(" a ", " s "), ssl, tls=Tls()),
        D("tls_pipelined_behind_starttls", [crowd, REPLY, Tls(), SILENCE, words.noop], words.noop_ok, on,
          hides=f"{words.noop_ok}\\r\\n\n{words.noop_ok}"),
        D("tls_plain_text_after_starttls", [words.starttls, f"{words.noop}\r\n".encode(), EOF], words.starttls_ok, on,
          ends="closed"),
        D("tls_refused_then_retried", [*start, *words.login, *words.login], "H: Auth-Login-Attempt: 2", on,
          service=[refusal("nope", Auth_Wait=1), refusal("nope", Auth_Wait=1)]),
        *(D(f"tls_required_for_{line.lower().replace(' ', '_').replace('=', '')}", [line, words.noop], words.invalid,
            f"{p}_starttls_only_all", hides="H: Auth") for line in words.refused_in_clear),
    ]


def implicit(words):
    """`listen ... ssl`."""
    ssl = f"{words.protocol}_ssl"
    offered = {"imap": "imap", "pop3": "pop3", "smtp": "smtp"}[words.protocol]
    foreign = {"imap": "pop3", "pop3": "smtp", "smtp": "imap"}[words.protocol]
    return [
        D("tls_greeting", [words.noop], (words.greeting, words.noop_ok), ssl, tls=Tls()),
        D("tls_greeting_1_2", [words.noop], ("-- TLSv1.2", words.noop_ok), ssl, tls=Tls(version="1.2")),
        D("tls_capabilities", [words.capabilities], words.authentication, ssl, tls=Tls(), hides=words.offers),
        D("tls_login", [*words.login], (words.logged_in, "H: Auth-SSL: on", "H: Auth-SSL-Protocol: TLSv1.2"), ssl,
          tls=Tls(version="1.2")),
        D("tls_login_then_relay", [*words.login, words.noop], "relayed" if words.protocol != "smtp" else "S: 250 backend", ssl,
          tls=Tls()),
        D("tls_plain_text", [f"{words.noop}\r\n".encode(), EOF], "-- closed by the proxy", ssl, ends="closed",
          greeting=False, hides=words.greeting),
        D("tls_old_version", [], "-- no TLS", ssl, tls=Tls(version="1.1"), ends="any"),
        D("tls_alpn", [words.noop], (f"-- TLSv1.3 ALPN {offered}", words.noop_ok), ssl, tls=Tls(alpn=("x", offered))),
        D("tls_alpn_foreign", [], "-- no TLS: [SSL] tlsv1 alert no application protocol", ssl, tls=Tls(alpn=("h2", foreign)),
          ends="any"),
        D("tls_server_name", [words.noop], words.noop_ok, ssl, tls=Tls(server_name="elsewhere.test")),
        D("tls_pipelined", [f"{words.noop}\r\n{words.noop}\r\n".encode(), Replies(2)], f"{words.noop_ok}\\r\\n\n{words.noop_ok}",
          ssl, tls=Tls()),
        D("tls_max_errors", [words.bad_line] * 5, words.invalid.replace(" a ", " a "), ssl, tls=Tls(), ends="closed"),
    ]


def certificates(words):
    """`ssl_verify_client` and what the service is told."""
    verify = {mode: f"{words.protocol}_verify_{mode}" for mode in ("on", "optional", "optional_no_ca")}
    bad, missing, error, none = "-- closed by the proxy", "-- closed by the proxy", words.certificate_error, words.no_certificate
    login = [*words.login]
    good = ("H: Auth-SSL-Verify: SUCCESS", "H: Auth-SSL-Subject: CN=bob x,O=A\\\\, B,C=US",
            "H: Auth-SSL-Issuer: CN=Test CA", "H: Auth-SSL-Serial: ", "H: Auth-SSL-Fingerprint: ")

    def case(name, mode, certificate, talk, shows, **more):
        return D(f"tls_verify_{name}_{mode}", talk, shows, verify[mode], tls=Tls(certificate=certificate), greeting=False,
                 **more)

    rows = []
    for mode in ("on", "optional", "optional_no_ca"):
        rows.append(case("good", mode, "client", [REPLY, *login], good))
        for name in ("expired",) if mode == "optional_no_ca" else ("expired", "revoked"):
            rows.append(case(name, mode, f"client_{name}", [EOF], (error, bad), ends="closed"))
        for name in ("unknown", "self_signed"):
            if mode == "optional_no_ca":
                rows.append(case(name, mode, f"client_{name}", [REPLY, *login], "H: Auth-SSL-Verify: FAILED:"))
            else:
                rows.append(case(name, mode, f"client_{name}", [EOF], (error, bad), ends="closed"))
        if mode == "on":
            rows.append(case("missing", mode, None, [EOF], (none, missing), ends="closed"))
        else:
            rows.append(case("missing", mode, None, [REPLY, *login], "H: Auth-SSL-Verify: NONE", hides="Auth-SSL-Subject"))
    start = [words.starttls, Tls(certificate="client")]
    return [
        *rows,
        D("tls_verify_good_1_2", login, good, verify["on"], tls=Tls(certificate="client", version="1.2")),
        D("tls_verify_utf8", login, "H: Auth-SSL-Subject: CN=bob,O=B\\\\C3\\\\BCcher", verify["on"], tls=Tls(certificate="client_utf8")),
        D("tls_pass_client_cert", login, "H: Auth-SSL-Cert: -----BEGIN%20CERTIFICATE-----%0A",
          f"{words.protocol}_pass_cert", tls=Tls(certificate="client")),
        D("tls_pass_no_client_cert", login, "H: Auth-SSL-Verify: NONE", f"{words.protocol}_pass_cert", tls=Tls(),
          hides="Auth-SSL-Cert"),
        D("tls_external", [words.external], ("H: Auth-Method: external", "H: Auth-User: bob", "H: Auth-SSL-Verify: SUCCESS"),
          f"{words.protocol}_pass_cert", tls=Tls(certificate="client"),
          service=[refusal("nope", Auth_Wait=1)]),
        D("tls_starttls_certificate", [*start, *login], good, f"{words.protocol}_starttls_verify"),
        D("tls_starttls_without_certificate", [words.starttls, Tls(), EOF], none, f"{words.protocol}_starttls_verify", ends="closed"),
        D("tls_starttls_bad_certificate", [words.starttls, Tls(certificate="client_expired"), EOF], error,
          f"{words.protocol}_starttls_verify", ends="closed"),
        D("tls_verify_does_not_matter_in_clear", login, words.logged_in, f"{words.protocol}_starttls_verify", hides="Auth-SSL"),
    ]


def of(words, *more):
    return named(words.protocol, [*starttls(words), *implicit(words), *certificates(words), *more])


START = Tls()
DIALOGUES = [
    *of(IMAP,
        D("tls_errors_before_starttls", ["a WHAT"] * 4 + ["s STARTTLS", START, "n NOOP"], "S: n OK completed", "imap_starttls"),
        D("tls_cram_md5_challenge", ["s STARTTLS", START, "a AUTHENTICATE CRAM-MD5", "*"], "S: + base64(<STAMP@mail.test>)", "imap_starttls_all")),
    *of(POP3,
        D("tls_user_forgotten", ["USER bob", "STLS", "NOOP"], "S: -ERR invalid command", "pop3_starttls"),
        D("tls_apop_stamp_outlives_starttls", ["STLS", START, f"APOP bob {HASH}"], "H: Auth-Salt: <STAMP@mail.test>", "pop3_starttls_all", ends="closed"),
        D("tls_capa_in_state_user", ["USER bob", "CAPA"], "S: SASL PLAIN LOGIN", "pop3_starttls", hides="S: STLS")),
    *of(SMTP,
        D("tls_ehlo_forgotten", ["EHLO early", "STARTTLS", START, f"AUTH PLAIN {PLAIN}"], "S: 235 2.0.0 OK", "smtp_starttls_xclient", hides="early\\r\\n\nB:"),
        D("tls_mail_forgotten", ["MAIL FROM:<a@b.c>", "STARTTLS", START, "RCPT TO:<d@e.f>"], "S: 503 5.5.1", "smtp_starttls_none"),
        D("tls_helo_in_the_request", ["EHLO early", "STARTTLS", START, "MAIL FROM:<a@b.c>", "RCPT TO:<d@e.f>"], "H: Auth-SMTP-Helo: \\r\\n", "smtp_starttls_none"),
        D("tls_mail_with_required_tls", ["MAIL FROM:<a@b.c>"], "S: 250 2.0.0 OK", "smtp_starttls_only_none")),
]
