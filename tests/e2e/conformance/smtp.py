"""SMTP before login, and how the proxy logs in to an SMTP server."""

from support.scripted_backend import CLOSE, HANG
from support.scripted_service import Answer, ok, refusal

from .model import EOF, REPLY, RESET, SHUT, SILENCE, Dialogue as D, Replies, named

INVALID = "S: 500 5.5.1 Invalid command"
ARGUMENT = "S: 501 5.5.4 Invalid argument"
SEQUENCE = "S: 503 5.5.1 Bad sequence of commands"
REQUIRED = "S: 530 5.7.1 Authentication required"
OKAY = "S: 250 2.0.0 OK"
IN = "S: 235 2.0.0 OK"
INTERNAL = "S: 451 4.3.2 Internal server error"
HASH = "0123456789abcdef0123456789abcdef"
CRAM = "Ym9iIDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm"
PLAIN = "AGJvYgBzM2NyZXQ="
BOB, SECRET = "Ym9i", "czNjcmV0"
ASKED = ("H: Auth-Method: plain", "H: Auth-User: bob", "H: Auth-Pass: s3cret", "H: Auth-Protocol: smtp", "H: Client-Host: [UNAVAILABLE]", IN)
AUTH = "AUTH PLAIN " + PLAIN
FROM, TO = "MAIL FROM:<a@b.c>", "RCPT TO:<d@e.f>"

COMMANDS = [
    D("greeting", [], "S: 220 mail.test ESMTP ready"),
    D("ehlo", ["EHLO client"], "S: 250-mail.test\\r\\n\nS: 250 AUTH PLAIN LOGIN"),
    D("ehlo_all", ["EHLO client"], "S: 250 AUTH PLAIN LOGIN CRAM-MD5 EXTERNAL", "smtp_all"),
    D("ehlo_own_words", ["EHLO client"], "S: 250-SIZE 10485760\\r\\n\nS: 250-ENHANCEDSTATUSCODES\\r\\n\nS: 250-8BITMIME\\r\\n\nS: 250-DSN\\r\\n\nS: 250 AUTH", "smtp_words"),
    D("ehlo_none_only", ["EHLO client"], "S: 250 mail.test\\r\\n", "smtp_only_none"),
    D("ehlo_none_and_plain", ["EHLO client"], "S: 250-PIPELINING\\r\\n\nS: 250 AUTH PLAIN\\r\\n", "smtp_none"),
    D("ehlo_lower_case", ["ehlo client"], "S: 250-mail.test"),
    D("ehlo_twice", ["EHLO one", "EHLO two", AUTH], ("S: 250-mail.test", "B: EHLO two"), "smtp_xclient"),
    D("ehlo_without_argument", ["EHLO", "NOOP"], ARGUMENT),
    D("ehlo_two_arguments", ["EHLO a b", "NOOP"], ARGUMENT),
    D("ehlo_8bit", ["EHLO cl\xefent", AUTH], ("S: 250-mail.test", "B: EHLO cl\\xefent"), "smtp_xclient"),
    D("helo", ["HELO client"], "S: 250 mail.test\\r\\n"),
    D("helo_without_argument", ["HELO", "NOOP"], ARGUMENT),
    D("helo_two_arguments", ["HELO a b", "NOOP"], ARGUMENT),
    D("helo_literal", ["HELO [127.0.0.1]"], "S: 250 mail.test"),
    D("noop", ["NOOP"], OKAY),
    D("noop_with_arguments", ["NOOP a b c"], OKAY),
    D("noop_11_arguments", ["NOOP 1 2 3 4 5 6 7 8 9 0 1"], OKAY),
    D("noop_12_arguments", ["NOOP 1 2 3 4 5 6 7 8 9 0 1 2"], INVALID),
    D("rset", ["RSET"], OKAY),
    D("quit", ["QUIT"], "S: 221 2.0.0 Bye", ends="closed"),
    D("quit_lower_case", ["quit now"], "S: 221 2.0.0 Bye", ends="closed"),
    D("starttls_off", ["STARTTLS", "NOOP"], INVALID),
    D("vrfy_expn_help", ["VRFY bob", "EXPN all", "HELP", "HELP me", "NOOP"], INVALID),
    D("data", ["DATA", "NOOP"], INVALID),
    D("bdat", ["BDAT 5 LAST", "NOOP"], INVALID),
    D("unknown", ["XYZZ", "NOOP"], INVALID),
    D("verb_of_3", ["NOO", "NOOP"], INVALID),
    D("verb_of_5", ["NOOPS", "NOOP"], INVALID),
    D("starttls_prefix", ["STARTTL", "STARTTLSX", "NOOP"], INVALID),
    D("http", ["GET / HTTP/1.0", "Host: mail.test", ""], INVALID),
    D("leading_space", [" NOOP", "NOOP"], INVALID),
    D("trailing_space", ["NOOP   "], OKAY),
    D("tab_is_no_separator", ["NOOP\tx"], INVALID),
    D("empty_line", ["", "NOOP"], INVALID),
    D("bare_lf", [b"NOOP\n", REPLY], OKAY),
    D("cr_without_lf", [b"NOOP\rx\r\n", REPLY, "NOOP"], INVALID),
    D("nul_in_verb", ["NO\0P", "NOOP"], INVALID),
    D("max_errors_default", ["A", "B", "C", "D", "E"], INVALID, ends="closed"),
    D("max_errors_four_are_fine", ["A", "B", "C", "D", "NOOP"], OKAY),
    D("max_errors_2", ["DATA", "DATA"], INVALID, "smtp_errors", ends="closed"),
    D("max_errors_refused_do_not_count", ["VRFY x", "HELO", "MAIL FROM:<>", "RCPT TO:<>", "AUTH FOO", "STARTTLS", "NOOP"], OKAY, "smtp_errors"),
    D("max_errors_pipelined", [b"DATA\r\nDATA\r\nNOOP\r\n", Replies(2)], INVALID, "smtp_errors", ends="closed", hides=OKAY),
    D("mail_needs_auth", ["EHLO client", FROM, "NOOP"], (REQUIRED, OKAY)),
    D("rcpt_without_mail", [TO, "NOOP"], SEQUENCE),
    D("mail_without_argument_needs_auth", ["MAIL", "NOOP"], REQUIRED),
    D("mail_rcpt_data_pipelined_need_auth", [b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nNOOP\r\n", SILENCE], REQUIRED),
    D("two_in_a_packet", [b"EHLO x\r\nNOOP\r\n", Replies(2)], ("S: 250-mail.test", OKAY)),
    D("many_in_a_packet", [b"NOOP\r\n" * 60, Replies(60)], OKAY),
    D("more_than_the_buffer_in_a_packet", [b"NOOP\r\n" * 60 + b"QUIT\r\n"], OKAY, "smtp_buffer", ends="closed"),
    D("split_anywhere", [b"E", b"HLO", b" cli", b"ent\r", b"\nNO", b"OP\r\n", Replies(2)], OKAY),
    D("line_at_the_buffer", ["NOOP " + "x" * 121], OKAY, "smtp_buffer"),
    D("line_past_the_buffer", [b"NOOP " + b"x" * 124], INVALID, "smtp_buffer", ends="closed"),
    D("line_without_end", [b"x" * 5000], INVALID, ends="closed"),
    D("before_the_greeting", [b"NOOP\r\n", Replies(2)], OKAY, greeting=False),
    D("greeting_delay", [], "S: 220 mail.test ESMTP ready", "smtp_delay"),
    D("greeting_delay_longer_than_the_timeout", [], "S: 220 mail.test ESMTP ready", "smtp_long_delay"),
    D("greeting_delay_early_talker", [b"EHLO spam\r\n"], "S: 503 5.5.0 Improper use of SMTP command pipelining", "smtp_delay", greeting=False, ends="closed"),
    D("greeting_delay_early_quit", [SHUT], "closed by the proxy", "smtp_delay", greeting=False, ends="closed"),
]

MECHANISMS = [
    D("auth_without_mechanism", ["AUTH", "NOOP"], ARGUMENT),
    D("plain", ["EHLO client", "AUTH PLAIN", PLAIN], ("S: 334 \\r\\n", *ASKED)),
    D("plain_initial_response", ["EHLO client", AUTH], ASKED),
    D("plain_without_helo", [AUTH], ASKED),
    D("plain_lower_case", ["auth plain " + PLAIN], ASKED),
    D("plain_cancel", ["AUTH PLAIN", "*", "NOOP"], (INVALID, OKAY)),
    D("plain_empty", ["AUTH PLAIN", "", "NOOP"], INVALID),
    D("plain_empty_initial_response", ["AUTH PLAIN =", "NOOP"], INVALID),
    D("plain_bad_base64", ["AUTH PLAIN ()()", "NOOP"], INVALID),
    D("plain_no_nul", ["AUTH PLAIN Ym9i", "NOOP"], INVALID),
    D("plain_one_nul", ["AUTH PLAIN AGJvYg==", "NOOP"], INVALID),
    D("plain_two_initial_responses", ["AUTH PLAIN a b", "NOOP"], INVALID),
    D("plain_empty_user_and_password", ["AUTH PLAIN AABw", "NOOP"], "H: Auth-User: \\r"),
    D("plain_crlf_in_user", ["AUTH PLAIN AGINCmMAcHc="], "H: Auth-User: b%0D%0Ac"),
    D("plain_nul_in_password", ["AUTH PLAIN AGJvYgBhAGI="], "H: Auth-Pass: a%00b"),
    D("login", ["AUTH LOGIN", BOB, SECRET], ("S: 334 VXNlcm5hbWU6", "S: 334 UGFzc3dvcmQ6", *ASKED)),
    D("login_initial_response", ["AUTH LOGIN " + BOB, SECRET], ASKED),
    D("login_empty", ["AUTH LOGIN", "", ""], "H: Auth-User: \\r\\n\nH: Auth-Pass: \\r\\n"),
    D("login_cancel_at_user", ["AUTH LOGIN", "*", "NOOP"], INVALID),
    D("login_cancel_at_password", ["AUTH LOGIN", BOB, "*", "NOOP"], INVALID),
    D("login_bad_base64", ["AUTH LOGIN", "=!", "%", "NOOP"], INVALID),
    D("cram", ["AUTH CRAM-MD5", CRAM], ("S: 334 base64(<STAMP@mail.test>)", "H: Auth-Method: cram-md5", "H: Auth-Salt: <STAMP@mail.test>", IN), "smtp_all", service=[ok(Auth_Pass="real")]),
    D("cram_needs_no_password", ["AUTH CRAM-MD5", CRAM], IN, "smtp_all"),
    D("cram_initial_response", ["AUTH CRAM-MD5 " + CRAM, "NOOP"], INVALID, "smtp_all"),
    D("cram_short_hash", ["AUTH CRAM-MD5", "Ym9iIDAxMjM=", "NOOP"], INVALID, "smtp_all"),
    D("cram_not_enabled", ["AUTH CRAM-MD5", "NOOP"], INVALID),
    D("external", ["AUTH EXTERNAL", BOB], ("S: 334 VXNlcm5hbWU6", "H: Auth-Method: external", IN), "smtp_all"),
    D("external_initial_response", ["AUTH EXTERNAL " + BOB], ("H: Auth-Method: external", IN), "smtp_all"),
    D("external_not_enabled", ["AUTH EXTERNAL", "NOOP"], INVALID),
    D("external_not_enabled_initial_response", ["AUTH EXTERNAL " + BOB], "H: Auth-Method: external"),
    D("external_after_failed_plain", [AUTH, "AUTH EXTERNAL " + BOB], ("S: 535 5.7.0 nope", "H: Auth-Method: external"), "smtp_all", service=[refusal("nope", Auth_Wait=1), ok()]),
    D("unknown_mechanism", ["AUTH NTLM", "NOOP"], INVALID),
    D("apop_is_for_pop3", ["AUTH APOP", "NOOP"], INVALID, "smtp_all"),
    D("plain_when_not_offered", [AUTH], ASKED, "smtp_only_none"),
    D("leftovers_reach_the_backend", [("EHLO c\r\n" + AUTH + "\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n").encode(), Replies(5)],
      (IN, "B: MAIL FROM:<a@b>", "B: RCPT TO:<c@d>", "B: DATA", "S: 354 backend go ahead")),
]

NONE = [
    D("none", ["HELO client", FROM, TO, "DATA", b"Subject: x\r\n\r\nhello\r\n"], (OKAY, "H: Auth-Method: none", "H: Auth-User: \\r\\n\nH: Auth-Pass: \\r\\n", "H: Auth-SMTP-Helo: client",
      "H: Auth-SMTP-From: MAIL FROM:<a@b.c>", "H: Auth-SMTP-To: RCPT TO:<d@e.f>", "B: MAIL FROM:<a@b.c>", "S: 250 backend RCPT TO:<d@e.f>", "B: DATA"), "smtp_none"),
    D("none_without_helo", [FROM, TO], ("H: Auth-SMTP-Helo: \\r\\n", "B: HELO mail.test"), "smtp_none"),
    D("none_ehlo", ["EHLO client", FROM, TO], "B: EHLO mail.test", "smtp_none"),
    D("none_text_as_typed", ["EHLO c", "mail from:<s@x>  SIZE=9  ", "rcpt   to:<t@y> NOTIFY=NEVER "],
      ("H: Auth-SMTP-From: mail from:<s@x>  SIZE=9\\r", "B: mail from:<s@x>  SIZE=9\\r", "B: rcpt   to:<t@y> NOTIFY=NEVER\\r"), "smtp_none"),
    D("none_any_syntax", ["MAIL nonsense", "RCPT more nonsense"], "H: Auth-SMTP-To: RCPT more nonsense", "smtp_none"),
    D("none_8bit", ["MAIL FROM:<\xe4@b>", "RCPT TO:<\xf6@d>"], "H: Auth-SMTP-From: MAIL FROM:<\\xe4@b>", "smtp_none"),
    D("none_nul", ["MAIL FROM:<a\0@b>", "RCPT TO:<c@d>"], "H: Auth-SMTP-From: MAIL FROM:<a\\x00@b>", "smtp_none"),
    D("none_nul_in_helo", ["HELO cl\0ent", FROM, TO], "H: Auth-SMTP-Helo: cl\\x00ent", "smtp_none"),
    D("none_mail_twice", ["EHLO c", FROM, FROM, "NOOP"], SEQUENCE, "smtp_none"),
    D("none_mail_after_rset", [FROM, "RSET", "MAIL FROM:<z@z>", TO], "B: MAIL FROM:<z@z>", "smtp_none"),
    D("none_mail_after_helo", [FROM, "HELO again", "MAIL FROM:<z@z>", TO], "B: MAIL FROM:<z@z>", "smtp_none"),
    D("none_rcpt_after_rset", [FROM, "RSET", TO, "NOOP"], SEQUENCE, "smtp_none"),
    D("none_mail_without_argument", ["MAIL", "NOOP"], ARGUMENT, "smtp_none"),
    D("none_rcpt_without_argument", [FROM, "RCPT", TO], (ARGUMENT, "S: 250 backend RCPT"), "smtp_none"),
    D("none_rcpt_first", [TO, "NOOP"], SEQUENCE, "smtp_none"),
    D("none_data_first", [FROM, "DATA", "NOOP"], INVALID, "smtp_none"),
    D("none_backend_refuses_mail", [FROM, TO], INTERNAL, "smtp_none", backend=[b"220 x\r\n", b"250 x\r\n", b"550 5.1.0 no\r\n"], ends="closed"),
    D("none_backend_refuses_rcpt", [FROM, TO, "RSET"], "S: 550 5.1.1 unknown", "smtp_none", backend=[b"220 x\r\n", b"250 x\r\n", b"250 x\r\n", b"550 5.1.1 unknown\r\n"]),
    D("none_service_refuses", [FROM, TO], "S: 535 5.7.0 no relay", "smtp_none", service=[refusal("no relay")], ends="closed"),
    D("none_service_refuses_with_wait", [FROM, TO, "RCPT TO:<other@e.f>"], ("S: 450 4.2.0 busy", "H: Auth-Login-Attempt: 2", "S: 250 backend RCPT TO:<other@e.f>"), "smtp_none",
      service=[refusal("busy", Auth_Error_Code="450 4.2.0", Auth_Wait=1), ok()]),
    D("none_and_auth", ["EHLO c", FROM, AUTH, FROM], (IN, "S: 250 backend MAIL FROM:<a@b.c>"), "smtp_none"),
    D("none_after_failed_auth", [AUTH, FROM, TO], ("S: 535 5.7.0 nope", "H: Auth-Method: none"), "smtp_none", service=[refusal("nope", Auth_Wait=1), ok()]),
    D("none_bad_base64_then_mail", ["AUTH PLAIN !!!", FROM, TO], (INVALID, "H: Auth-User: \\r\\n\nH: Auth-Pass: \\r\\n"), "smtp_none"),
    D("none_pipelined", [b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n", Replies(5)], ("B: RCPT TO:<c@d>", "B: RCPT TO:<e@f>", "B: DATA", "S: 354"), "smtp_none"),
    D("none_with_xclient", ["EHLO c", FROM, TO], ("B: XCLIENT ADDR=ADDRESS NAME=[UNAVAILABLE]\\r", "B: EHLO c", "B: MAIL FROM"), "smtp_none_xclient"),
    D("none_with_xclient_without_helo", [FROM, TO], "NAME=[UNAVAILABLE]\\r\\n\nB: MAIL FROM", "smtp_none_xclient"),
    D("none_does_not_authenticate", [FROM, TO], "B: MAIL FROM:<a@b.c>", "smtp_none_auth", hides="B: AUTH"),
    D("none_rset_keeps_helo", ["HELO client", "RSET", FROM, TO], "H: Auth-SMTP-Helo: client", "smtp_none"),
]

GREET, HELLO, XC = b"220 b\r\n", b"250-b\r\n250 X\r\n", b"220 b\r\n"


def backend(name, replies, shows, talk=("EHLO c", AUTH), server="smtp", ends="closed", **more):
    return D(name, list(talk), shows, server, backend=replies, ends=ends, **more)


BACKEND = [
    backend("login_to_backend_ehlo", None, ("B: EHLO mail.test", "-- still open"), ends="open", hides="B: XCLIENT"),
    backend("login_to_backend_helo", None, "B: HELO mail.test", ["HELO c", AUTH], ends="open"),
    backend("login_to_backend_without_helo", None, "B: HELO mail.test", [AUTH], ends="open"),
    backend("login_to_backend_ehlo_then_helo", None, "B: EHLO mail.test", ["EHLO c", "HELO d", AUTH], ends="open"),
    backend("xclient", None, "B: EHLO mail.test\\r\\n\nB: XCLIENT ADDR=ADDRESS LOGIN=bob NAME=[UNAVAILABLE]\\r\\n\nB: EHLO c\\r\\n", server="smtp_xclient", ends="open"),
    backend("xclient_helo", None, "NAME=[UNAVAILABLE]\\r\\n\nB: HELO c\\r\\n", ["HELO c", AUTH], server="smtp_xclient", ends="open"),
    backend("xclient_ehlo_then_helo", None, "B: EHLO d\\r\\n", ["EHLO c", "HELO d", AUTH], server="smtp_xclient", ends="open"),
    backend("xclient_without_helo", None, "B: EHLO mail.test\\r\\n\nB: XCLIENT", [AUTH], server="smtp_xclient", ends="open"),
    backend("xclient_250", [GREET, HELLO, b"250 fine\r\n", HELLO], IN, server="smtp_xclient", ends="open"),
    backend("xclient_refused", [GREET, HELLO, b"550 no\r\n"], INTERNAL, server="smtp_xclient"),
    backend("xclient_second_hello_refused", [GREET, HELLO, XC, b"550 no\r\n"], INTERNAL, server="smtp_xclient"),
    backend("xclient_odd_login", None, "LOGIN=b ob+= NAME", server="smtp_xclient", service=[ok(Auth_User="b ob+=")], ends="open"),
    backend("xclient_8bit_login", None, "LOGIN=b\\xf6b", server="smtp_xclient", service=[ok(Auth_User="b\xf6b")], ends="open"),
    backend("xclient_empty_login", None, "XCLIENT ADDR=ADDRESS NAME", ["EHLO c", "AUTH PLAIN AABw"], server="smtp_xclient", ends="open"),
    backend("proxy_auth", None, "B: AUTH PLAIN AGJvYgBzM2NyZXQ=", server="smtp_auth", ends="open"),
    backend("proxy_auth_other_user", None, "B: AUTH PLAIN AGFsaWNlAHJlYWw=", server="smtp_auth", service=[ok(Auth_User="alice", Auth_Pass="real")], ends="open"),
    backend("proxy_auth_refused", [GREET, HELLO, b"535 no\r\n"], INTERNAL, server="smtp_auth"),
    backend("proxy_auth_cram_without_password", None, INTERNAL, ["AUTH CRAM-MD5", CRAM], server="smtp_auth"),
    backend("proxy_auth_cram", None, "B: AUTH PLAIN AGJvYgByZWFs", ["AUTH CRAM-MD5", CRAM], server="smtp_auth", service=[ok(Auth_Pass="real")], ends="open"),
    backend("proxy_auth_and_xclient", None, "B: XCLIENT ADDR=ADDRESS NAME=[UNAVAILABLE]\\r\\n\nB: EHLO c\\r\\n\nB: AUTH PLAIN", server="smtp_auth_xclient", ends="open"),
    backend("proxy_auth_and_xclient_without_helo", None, "NAME=[UNAVAILABLE]\\r\\n\nB: AUTH PLAIN", [AUTH], server="smtp_auth_xclient", ends="open"),
    backend("backend_down", None, INTERNAL, service=[ok(Auth_Port="9")]),
    backend("backend_refuses_greeting", [b"554 no\r\n"], INTERNAL),
    backend("backend_refuses_ehlo", [GREET, b"502 what\r\n"], INTERNAL),
    backend("backend_closes_at_once", [CLOSE], INTERNAL),
    backend("backend_closes_after_greeting", [(GREET, CLOSE)], INTERNAL),
    backend("backend_says_nothing", [HANG], INTERNAL, server="smtp_hurry"),
    backend("backend_long_greeting", [b"220-one\r\n220-two\r\n220 three\r\n", HELLO], IN, ends="open"),
    backend("backend_greeting_in_pieces", [(b"220-one\r\n", b"220 tw", b"o\r\n"), (b"250-b\r\n", b"250 X\r\n")], IN, ends="open"),
    backend("backend_line_too_long", [b"220 " + b"x" * 5000], INTERNAL),
    backend("pass_greeting", [b"554 5.3.2 go away\r\n"], "S: 554 5.3.2 go away", server="smtp_pass"),
    backend("pass_ehlo", [GREET, b"421-one\r\n421 two\r\n"], "S: 421-one\\r\\n\nS: 421 two", server="smtp_pass"),
    backend("pass_mail_in_none", [GREET, HELLO, XC, HELLO, b"550 5.1.0 no\r\n"], "S: 550 5.1.0 no", ["EHLO c", FROM, TO], server="smtp_none_pass"),
    backend("relay", None, ("S: 250 backend MAIL FROM:<a@b.c>", "S: 354 backend", "S: 221 backend bye"), ["EHLO c", AUTH, FROM, TO, "DATA", "QUIT"]),
    backend("relay_odd_data", None, "B: \\x00\\xff\\rx\\n\nB: .\\n\nB: .\\r\\n", ["EHLO c", AUTH, "DATA", b"\0\xff\rx\n.\n.\r\n", Replies(3)], ends="open"),
    backend("relay_starttls_goes_to_the_backend", None, "B: STARTTLS", [AUTH, "STARTTLS"], ends="open"),
]

SERVICE = [
    D("refused", [AUTH], "S: 535 5.7.0 Invalid login or password", service=[refusal()], ends="closed"),
    D("refused_with_code", [AUTH], "S: 451 4.3.0 temp", service=[refusal("temp", Auth_Error_Code="451 4.3.0")], ends="closed"),
    D("refused_with_wait", [AUTH, "NOOP", AUTH], ("S: 535 5.7.0 later", OKAY, "H: Auth-Login-Attempt: 2", IN), service=[refusal("later", Auth_Wait=1), ok()]),
    D("refused_with_code_and_wait", [AUTH, AUTH], ("S: 454 4.7.0 later", IN), service=[refusal("later", Auth_Error_Code="454 4.7.0", Auth_Wait=1), ok()]),
    D("refused_empty_text", [AUTH], IN, service=[ok(Auth_Status="")]),
    D("refused_twice", [AUTH, AUTH], ("S: 454 4.7.0 one", "S: 535 5.7.0 two"), service=[refusal("one", Auth_Error_Code="454 4.7.0", Auth_Wait=1), refusal("two")], ends="closed"),
    D("wait_then_ok", [AUTH], ("-- request 2", IN), service=[Answer.of(Auth_Status="WAIT", Auth_Wait=1), ok()]),
    D("answer_without_port", [AUTH], INTERNAL, service=[ok(Auth_Port=None)], ends="closed"),
    D("answer_malformed", [AUTH], INTERNAL, service=[Answer(b"HTTP/1.0 200 OK\r\n: x\r\n\r\n")], ends="closed"),
    D("answer_empty", [AUTH], INTERNAL, service=[Answer()], ends="closed"),
    D("answer_never_comes", [AUTH], INTERNAL, "smtp_hurry", service=[Answer(ending="hang")], ends="closed"),
    D("service_down", [AUTH], INTERNAL, "smtp_down", ends="closed"),
    D("silent_client_times_out", [EOF], "S: 220", "smtp_hurry", ends="closed"),
    D("client_vanishes_in_sasl", ["AUTH LOGIN", RESET], "S: 334"),
    D("client_shuts", [SHUT], "S: 220", ends="closed"),
]

DIALOGUES = named("smtp", COMMANDS + MECHANISMS + NONE + BACKEND + SERVICE)
