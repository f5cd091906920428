"""Where Postern is to differ from NGINX, why, and what exactly it does instead.

A dialogue that is not named here must have the same transcript from both. One that is named here must
have NGINX's transcript with these changes made, each of them at exactly the place that it names, or
the whole transcript that is given: the test still fails if Postern does a third thing.

WANTED has fewer than fifteen reasons. OLDER is apart: there Postern does as the NGINX of today, and the
one that it is compared with is older."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    reason: str
    changes: tuple = ()       # (what NGINX's transcript says, what Postern's says instead)
    whole: str | None = None  # or the whole transcript, where little is the same

    def apply(self, text):
        if self.whole is not None:
            return self.whole
        for old, new in self.changes:
            assert text.count(old) == 1, f"NGINX's transcript has {text.count(old)} times: {old!r}\n{text}"
            text = text.replace(old, new)
        return text


def lines(*texts):
    """A transcript; a text that begins with a letter and a colon gets its CRLF."""
    return "".join(text + ("\n" if text.startswith("--") else "\\r\\n\n") for text in texts)


def request(protocol, method, user, password, attempt=1, number=None):
    """What the service is asked, as lines of a transcript."""
    return (f"-- request {number or attempt} to the service", "H: GET /auth HTTP/1.0", "H: Host: 127.0.0.1",
            f"H: Auth-Method: {method}", f"H: Auth-User: {user}", f"H: Auth-Pass: {password}",
            f"H: Auth-Protocol: {protocol}", f"H: Auth-Login-Attempt: {attempt}", "H: Client-IP: ADDRESS",
            *(("H: Client-Host: [UNAVAILABLE]",) if protocol == "smtp" else ()), "H: ")


IMAP, POP3, SMTP = "S: * OK IMAP4 ready", "S: +OK POP3 ready", "S: 220 mail.test ESMTP ready"
IMAP_BAD, POP3_BAD, SMTP_BAD = "S: a BAD invalid command", "S: -ERR invalid command", "S: 500 5.5.1 Invalid command"
BACKEND, OPEN, CLOSED, SILENCE = "-- connection 1 to the backend", "-- still open", "-- closed by the proxy", "-- silence"
RELAYED = ("S: * ECHO b NOOP", "S: b OK relayed")
STALE = (("Auth-Method: external\\r\\n\nH: Auth-User: bob\\r\\n\nH: Auth-Pass: s3cret",
          "Auth-Method: external\\r\\n\nH: Auth-User: bob\\r\\n\nH: Auth-Pass: "),)
HEADER = "PROXY TCP4 192.0.2.7 198.51.100.1 35646 143"
BOB_REQUEST = request("imap", "plain", "bob", "s3cret")
BOB_LOGIN = ("B: a LOGIN {3}", "B: bob {6}", "B: s3cret")

UNTAGGED = "a backend may send any number of untagged responses at any time (RFC 9051 section 7)"
INJECTION = "CR, LF or NUL would be a second line for a backend or the service"
SYNTAX = "IMAP's tags, quoted strings and literals are what RFC 9051 sections 2.2.1, 4.3 and 9 say"
EXTERNAL = "a mechanism that is not enabled is refused in all its forms"
LEFTOVER = "what is sent to the service is of this attempt, and all of it"
PIPELINE = "pipelined commands need not fit the buffer, and none is lost (RFC 9051 5.5, 2449 6.6, 2920 3.2)"
TAGGED = "the completion of a command carries its tag, and no other (RFC 9051 section 2.2.1)"
LINE_128 = "tokens and long passwords do not fit into 128 bytes"
LONG_ANSWER = "the service may answer with more than 1024 bytes"
RELAY = "what follows the backend's OK belongs to the session"
EMPTY = "an empty Auth-Status is no success"
FORGET = "nothing of before STARTTLS is remembered, EHLO neither (RFC 3207 section 4.2)"
MUST_TLS = "where TLS is a must, mail without a login needs it too"
PROXY = "a PROXY header may come in pieces, has to be true, and what is behind it is looked at"

WANTED = {
    # IMAP
    "imap-empty_tag": Difference(SYNTAX,
        (("S:  OK completed", "S: * BAD invalid command"),)),
    "imap-batch_larger_than_the_buffer": Difference(PIPELINE, whole=lines(
        IMAP, *(f"C: tag{n} NOOP" for n in range(30)), "C: z LOGOUT",
        *(f"S: tag{n} OK completed" for n in range(30)), "S: * BYE", "S: z OK completed", CLOSED)),
    "imap-login_unterminated_quote": Difference(SYNTAX, whole=lines(
        IMAP, 'C: a LOGIN bob "s3cret', IMAP_BAD, "C: b NOOP", "S: b OK completed", OPEN)),
    "imap-login_unterminated_quote_then_login": Difference(SYNTAX, whole=lines(
        IMAP, 'C: a LOGIN bob "s3cret', IMAP_BAD, "C: b LOGIN bob s3cret", "S: b NO nope", OPEN, *BOB_REQUEST)),
    "imap-login_literal_zero": Difference(SYNTAX,
        (("H: Auth-Pass: %0D", "H: Auth-Pass: "), ("B: bob {1}", "B: bob {0}"), ("B: \\r\\r\\n", "B: \\r\\n"))),
    "imap-login_literal_zero_non_synchronizing": Difference(SYNTAX,
        (("H: Auth-Pass: %0D", "H: Auth-Pass: "), ("B: bob {1}", "B: bob {0}"), ("B: \\r\\r\\n", "B: \\r\\n"))),
    "imap-login_literal_empty_number": Difference(SYNTAX, whole=lines(
        IMAP, "C: a LOGIN bob {}", IMAP_BAD, "C: x", "S: * BAD invalid command", SILENCE, OPEN)),
    "imap-login_literal_then_text": Difference(SYNTAX, whole=lines(
        IMAP, "C: a LOGIN {3+}", "C: bobx s3cret", IMAP_BAD, "C: b NOOP", "S: b OK completed", OPEN)),
    "imap-login_literal_with_crlf": Difference(INJECTION, whole=lines(
        IMAP, "C: a LOGIN bob {8+}", "C: s3", "C: cret", IMAP_BAD, OPEN)),
    "imap-login_literal_user_with_crlf": Difference(INJECTION, whole=lines(
        IMAP, "C: a LOGIN {5+}", "C: b", "C: ob s3cret", IMAP_BAD, OPEN)),
    "imap-login_literal_with_nul": Difference(INJECTION, whole=lines(
        IMAP, "C: a LOGIN {3+}", "C: b\\x00b s3cret", IMAP_BAD, OPEN)),
    "imap-login_nul_in_password": Difference(INJECTION, whole=lines(
        IMAP, "C: a LOGIN bob s3\\x00cret", IMAP_BAD, OPEN)),
    "imap-plain_crlf_in_user": Difference(INJECTION, whole=lines(
        IMAP, "C: a AUTHENTICATE PLAIN AGINCmMAcHc=", IMAP_BAD, OPEN)),
    "imap-plain_nul_in_password": Difference(INJECTION, whole=lines(
        IMAP, "C: a AUTHENTICATE PLAIN AGJvYgBhAGI=", IMAP_BAD, OPEN)),
    "imap-login_mechanism_bad_user": Difference(TAGGED, (("S: BAD invalid", "S: a BAD invalid"),)),
    "imap-login_mechanism_cancel_at_user": Difference(TAGGED, (("S: BAD invalid", "S: a BAD invalid"),)),
    "imap-external_not_enabled_initial_response": Difference(EXTERNAL, whole=lines(
        IMAP, "C: a AUTHENTICATE EXTERNAL Ym9i", IMAP_BAD, OPEN)),
    "imap-external_after_failed_plain": Difference(LEFTOVER, STALE),
    "imap-refused_then_bad_line": Difference(TAGGED,
        (("S: +\\rBAD", "S: * BAD"),)),
    "imap-answer_of_4096_bytes": Difference(LONG_ANSWER, whole=lines(
        IMAP, "C: a LOGIN bob s3cret", "S: a OK backend knows you", OPEN, *BOB_REQUEST, BACKEND, *BOB_LOGIN)),
    "imap-backend_untagged_lines_before_ok": Difference(UNTAGGED, (
        ("S: * BAD internal server error\\r\\n\n-- closed by the proxy", "S: * A\\r\\n\nS: * B\\r\\n\nS: * C\\r\\n\nS: a OK in\\r\\n\n-- still open"),)),
    "imap-backend_untagged_before_plus": Difference(UNTAGGED, (
        ("S: * BAD internal server error\\r\\n\n-- closed by the proxy", "S: a OK in\\r\\n\n-- still open"),
        ("B: a LOGIN {3}\\r\\n\n", lines(*BOB_LOGIN)))),
    "imap-backend_half_a_line_after_ok": Difference(RELAY, (
        ("S: * BAD internal server error\\r\\n\n-- closed by the proxy", "S: a OK in\\r\\n\nS: * 3 EX\n-- still open"),)),
    # POP3
    "pop3-pipelined_100": Difference(PIPELINE, whole=lines(
        POP3, *["C: NOOP"] * 100, "C: QUIT", *["S: +OK"] * 101, CLOSED)),
    "pop3-line_of_129": Difference(LINE_128, (
        ("S: -ERR invalid command\\r\\n\n-- closed by the proxy", "S: +OK\\r\\n\n-- still open"),)),
    "pop3-long_password": Difference(LINE_128, whole=lines(
        POP3, "C: USER bob", "S: +OK", "C: PASS p*200*", "S: +OK backend knows you", OPEN,
        *request("pop3", "plain", "bob", "p*200*"), BACKEND, "B: USER bob", "B: PASS p*200*")),
    "pop3-plain_response_over_128": Difference(LINE_128, (("-- closed by the proxy", OPEN),)),
    "pop3-user_nul": Difference(INJECTION, whole=lines(
        POP3, "C: USER b\\x00b", POP3_BAD, "C: PASS x", POP3_BAD, OPEN)),
    "pop3-plain_crlf_in_user": Difference(INJECTION, whole=lines(
        POP3, "C: AUTH PLAIN AGINCmMAcHc=", POP3_BAD, OPEN)),
    "pop3-plain_nul_in_password": Difference(INJECTION, whole=lines(
        POP3, "C: AUTH PLAIN AGJvYgBhAGI=", POP3_BAD, OPEN)),
    "pop3-external_not_enabled_initial_response": Difference(EXTERNAL, whole=lines(
        POP3, "C: AUTH EXTERNAL Ym9i", POP3_BAD, OPEN)),
    "pop3-apop_wait_then_ok": Difference(LEFTOVER,
        (("H: Auth-Pass: \\r\\n", "H: Auth-Pass: 0123456789abcdef0123456789abcdef\\r\\n"),)),
    # SMTP
    "smtp-more_than_the_buffer_in_a_packet": Difference(PIPELINE, whole=lines(
        SMTP, *["C: NOOP"] * 60, "C: QUIT", *["S: 250 2.0.0 OK"] * 60, "S: 221 2.0.0 Bye", CLOSED)),
    "smtp-mail_rcpt_data_pipelined_need_auth": Difference(PIPELINE,
        (("S: 530 5.7.1 Authentication required\\r\\n\n",
          lines("S: 530 5.7.1 Authentication required", "S: 503 5.5.1 Bad sequence of commands", "S: 250 2.0.0 OK")),)),
    "smtp-plain_crlf_in_user": Difference(INJECTION, whole=lines(
        SMTP, "C: AUTH PLAIN AGINCmMAcHc=", SMTP_BAD, OPEN)),
    "smtp-plain_nul_in_password": Difference(INJECTION, whole=lines(
        SMTP, "C: AUTH PLAIN AGJvYgBhAGI=", SMTP_BAD, OPEN)),
    "smtp-external_not_enabled_initial_response": Difference(EXTERNAL, whole=lines(
        SMTP, "C: AUTH EXTERNAL Ym9i", SMTP_BAD, OPEN)),
    "smtp-external_after_failed_plain": Difference(LEFTOVER, STALE),
    "smtp-none_after_failed_auth": Difference(LEFTOVER, (
        ("H: Auth-Method: none\\r\\n\nH: Auth-User: bob\\r\\n\nH: Auth-Pass: s3cret\\r\\n",
         "H: Auth-Method: none\\r\\n\nH: Auth-User: \\r\\n\nH: Auth-Pass: \\r\\n"),)),
    "smtp-none_nul": Difference(INJECTION, whole=lines(
        SMTP, "C: MAIL FROM:<a\\x00@b>", "S: 501 5.5.4 Invalid argument", "C: RCPT TO:<c@d>", "S: 503 5.5.1 Bad sequence of commands", OPEN)),
    "smtp-none_nul_in_helo": Difference(INJECTION, (
        ("C: HELO cl\\x00ent\\r\\n\nS: 250 mail.test\\r\\n\n", "C: HELO cl\\x00ent\\r\\n\nS: 501 5.5.4 Invalid argument\\r\\n\n"),
        ("H: Auth-SMTP-Helo: cl\\x00ent", "H: Auth-SMTP-Helo: "))),
    "smtp-tls_helo_in_the_request": Difference(FORGET,
        (("B: EHLO mail.test", "B: HELO mail.test"),)),
    "smtp-tls_mail_with_required_tls": Difference(MUST_TLS, (
        ("S: 250 2.0.0 OK", "S: 530 5.7.0 Must issue a STARTTLS command first"),)),
    "smtp-refused_empty_text": Difference(EMPTY, whole=lines(
        SMTP, "C: AUTH PLAIN AGJvYgBzM2NyZXQ=", "S: 535 5.7.0 ", CLOSED, *request("smtp", "plain", "bob", "s3cret"))),
    # The PROXY protocol, in the words of each protocol
    **{f"{protocol}-proxied_{name}": Difference(PROXY, whole=transcript)
       for protocol, greeting, noop, noop_ok, invalid in (
           ("imap", IMAP, "C: n NOOP", "S: n OK completed", "S: PROXY BAD invalid command"),
           ("pop3", POP3, "C: NOOP", "S: +OK", "S: -ERR invalid command"),
           ("smtp", SMTP, "C: NOOP", "S: 250 2.0.0 OK", "S: 500 5.5.1 Invalid command"))
       for name, transcript in (
           ("in_two_segments", "C: PROXY TCP4 192.0.2.7\n" + lines("C:  198.51.100.1 35646 143", greeting, SILENCE, OPEN)),
           ("address_of_dots", lines("C: PROXY TCP4 ...... ...... 35646 143", SILENCE)),
           ("command_behind", lines("C: " + HEADER, noop, greeting, noop_ok, SILENCE, OPEN)),
           ("two_headers", lines("C: " + HEADER, "C: PROXY UNKNOWN", greeting, invalid, SILENCE, OPEN)))
       if protocol != "smtp" or name in ("in_two_segments", "address_of_dots")},
}

OLDER = {
    "imap-login_literal_overflow": Difference("a length that no number can hold is a syntax error, as in NGINX since 1.31", whole=lines(
        IMAP, "C: a LOGIN bob {99999999999999999999}", IMAP_BAD, "C: b NOOP", "S: b OK completed", SILENCE, OPEN)),
    "imap-backend_untagged_before_ok": Difference("one untagged line before the tagged one is fine, as in NGINX since 1.31", (
        ("S: * BAD internal server error\\r\\n\n-- closed by the proxy", "S: * CAPABILITY IMAP4rev1\\r\\n\nS: a OK in\\r\\n\n-- still open"),)),
    "pop3-external_with_stamp": Difference("only APOP and CRAM-MD5 have a salt, as in NGINX since 1.31",
        (("H: Auth-Salt: <STAMP@mail.test>\\r\\n\n", ""),)),
    "pop3-tls_external": Difference("only APOP and CRAM-MD5 have a salt, as in NGINX since 1.31",
        (("H: Auth-Salt: <STAMP@mail.test>\\r\\n\n", ""),)),
    "smtp-xclient_odd_login": Difference("XCLIENT's values are xtext (RFC 3461 section 4), as in NGINX since 1.29",
        (("LOGIN=b ob+= NAME", "LOGIN=b+20ob+2B+3D NAME"),)),
    "smtp-xclient_8bit_login": Difference("XCLIENT's values are xtext (RFC 3461 section 4), as in NGINX since 1.29",
        (("LOGIN=b\\xf6b", "LOGIN=b+F6b"),)),
}

DIFFERENCES = WANTED | OLDER
