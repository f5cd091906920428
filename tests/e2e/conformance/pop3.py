"""POP3 before login, and how the proxy logs in to a POP3 server."""

from support.scripted_backend import CLOSE, HANG
from support.scripted_service import Answer, ok, refusal

from .model import EOF, REPLY, RESET, SHUT, Dialogue as D, Replies, named

ERR = "S: -ERR invalid command"
INTERNAL = "S: -ERR internal server error"
HASH = "0123456789abcdef0123456789abcdef"
CRAM = "Ym9iIDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm"
PLAIN = "AGJvYgBzM2NyZXQ="
BOB, SECRET = "Ym9i", "czNjcmV0"
LOGGED_IN = "S: +OK backend knows you"
ASKED = ("H: Auth-Method: plain", "H: Auth-User: bob", "H: Auth-Pass: s3cret", "H: Auth-Protocol: pop3", LOGGED_IN)
LOGIN = ["USER bob", "PASS s3cret"]

COMMANDS = [
    D("greeting", [], "S: +OK POP3 ready\\r\\n"),
    D("greeting_with_stamp_for_apop", [], "S: +OK POP3 ready <STAMP@mail.test>", "pop3_apop"),
    D("greeting_with_stamp_for_cram", [], "S: +OK POP3 ready <STAMP@mail.test>", "pop3_cram"),
    D("greeting_external", [], "S: +OK POP3 ready\\r\\n", "pop3_external"),
    D("capa", ["CAPA"], "S: TOP\\r\\n\nS: USER\\r\\n\nS: UIDL\\r\\n\nS: SASL PLAIN LOGIN\\r\\n\nS: ."),
    D("capa_all", ["CAPA"], "S: SASL PLAIN LOGIN CRAM-MD5 EXTERNAL", "pop3_all"),
    D("capa_apop_only", ["CAPA"], "S: SASL\\r\\n", "pop3_apop"),
    D("capa_cram_only", ["CAPA"], "S: SASL CRAM-MD5\\r\\n", "pop3_cram"),
    D("capa_own_words", ["CAPA"], "S: LAST\\r\\n\nS: TOP\\r\\n\nS: USER\\r\\n\nS: PIPELINING\\r\\n\nS: UIDL", "pop3_words"),
    D("capa_with_argument", ["CAPA x"], "S: +OK Capability list follows"),
    D("capa_lower_case", ["capa"], "S: +OK Capability list follows"),
    D("capa_after_user", ["USER bob", "CAPA", "PASS s3cret"], ("S: SASL PLAIN LOGIN", LOGGED_IN)),
    D("noop", ["NOOP"], "S: +OK\\r\\n"),
    D("noop_with_argument", ["NOOP x y"], "S: +OK\\r\\n"),
    D("noop_too_many_arguments", ["NOOP 1 2 3 4"], ERR),
    D("noop_after_user", ["USER bob", "NOOP", "PASS s3cret"], ASKED),
    D("quit", ["QUIT"], "S: +OK\\r\\n", ends="closed"),
    D("quit_after_user", ["USER bob", "QUIT"], "S: +OK\\r\\n", ends="closed"),
    D("quit_with_argument", ["QUIT now"], "S: +OK\\r\\n", ends="closed"),
    D("stls_off", ["STLS", "NOOP"], ERR),
    D("commands_after_login_only", ["STAT", "LIST", "RETR 1", "NOOP"], ERR),
    D("unknown", ["XYZZ", "NOOP"], ERR),
    D("verb_of_3", ["NOO", "NOOP"], ERR),
    D("verb_of_5", ["NOOPS", "NOOP"], ERR),
    D("verb_with_digit", ["NO0P", "NOOP"], ERR),
    D("leading_space", [" NOOP", "NOOP"], ERR),
    D("trailing_space", ["NOOP  "], "S: +OK\\r\\n"),
    D("tab_is_no_separator", ["NOOP\tx"], ERR),
    D("empty_line", ["", "NOOP"], ERR),
    D("bare_lf", [b"NOOP\n", REPLY], "S: +OK\\r\\n"),
    D("cr_without_lf", [b"NOOP\rx\r\n", REPLY, "NOOP"], ERR),
    D("nul_in_verb", ["NO\0P", "NOOP"], ERR),
    D("8bit_verb", ["N\xd6\xd6P", "NOOP"], ERR),
    D("max_errors_default", ["A", "B", "C", "D", "E"], ERR, ends="closed"),
    D("max_errors_four_are_fine", ["A", "B", "C", "D", "NOOP"], "S: +OK\\r\\n"),
    D("max_errors_2", ["STAT", "STAT"], ERR, "pop3_errors", ends="closed"),
    D("max_errors_refused_do_not_count", ["PASS x", "STLS", "AUTH FOO", "USER", "NOOP"], "S: +OK\\r\\n", "pop3_errors"),
    D("max_errors_pipelined", [b"STAT\r\nSTAT\r\nNOOP\r\n", Replies(2)], ERR, "pop3_errors", ends="closed", hides="S: +OK\\r"),
]

USER_PASS = [
    D("user_pass", [*LOGIN, "STAT", "QUIT"], (*ASKED, "B: USER bob\\r\\n\nB: PASS s3cret\\r\\n\nB: STAT", "S: +OK relayed STAT"), ends="closed"),
    D("user_pass_lower_case", ["user bob", "pass s3cret"], ASKED),
    D("user_without_name", ["USER", "PASS x", "NOOP"], ERR),
    D("user_space_only", ["USER  ", "NOOP"], ERR),
    D("user_with_spaces", ["USER bob smith", "PASS s3cret"], ("H: Auth-User: bob%20smith", "B: USER bob smith")),
    D("user_trailing_space", ["USER bob ", "PASS s3cret"], "H: Auth-User: bob%20\\r"),
    D("user_leading_spaces", ["USER   bob", "PASS s3cret"], ASKED),
    D("user_twice", ["USER bob", "USER bob", "PASS s3cret", "NOOP"], ERR),
    D("user_8bit", ["USER b\xf6b", "PASS p\xe4ss"], ("H: Auth-User: b\\xf6b", "B: USER b\\xf6b")),
    D("user_percent", ["USER b%6f", "PASS %+="], ("H: Auth-User: b%256f", "H: Auth-Pass: %25+=")),
    D("user_nul", ["USER b\0b", "PASS x"], "H: Auth-User: b%00b"),
    D("pass_without_user", ["PASS s3cret", "NOOP"], ERR),
    D("pass_without_argument", ["USER bob", "PASS", "PASS s3cret", "NOOP"], ERR),
    D("pass_with_spaces", ["USER bob", "PASS a b c "], ("H: Auth-Pass: a%20b%20c%20\\r", "B: PASS a b c \\r")),
    D("pass_leading_spaces", ["USER bob", "PASS   x"], "H: Auth-Pass: x\\r"),
    D("pass_many_words", ["USER bob", "PASS a b c d e f g"], "H: Auth-Pass: a%20b%20c%20d%20e%20f%20g\\r"),
    D("stls_after_user", ["USER bob", "STLS", "PASS s3cret", "NOOP"], ERR),
    D("auth_after_user", ["USER bob", "AUTH PLAIN", "NOOP"], ERR),
    D("apop_after_user", ["USER bob", f"APOP bob {HASH}", "NOOP"], ERR, "pop3_all"),
    D("unknown_after_user", ["USER bob", "STAT", "PASS s3cret", "NOOP"], ERR),
    D("user_when_not_offered", LOGIN, ASKED, "pop3_apop"),
    D("pipelined_login", [b"USER bob\r\nPASS s3cret\r\nSTAT\r\nLIST\r\n", Replies(4)], (LOGGED_IN, "B: STAT", "B: LIST", "S: +OK relayed LIST")),
    D("pipelined_half_leftover", [b"USER bob\r\nPASS s3cret\r\nST", Replies(2), b"AT\r\n", REPLY], "B: STAT\\r\\n"),
    D("pipelined_before_greeting", [b"NOOP\r\nQUIT\r\n", Replies(3)], "S: +OK POP3", greeting=False, ends="closed"),
    D("pipelined_after_quit", [b"QUIT\r\nNOOP\r\n", REPLY], "S: +OK\\r", ends="closed"),
    D("pipelined_10", [b"NOOP\r\n" * 10, Replies(10)], "S: +OK\\r"),
    D("pipelined_100", [b"NOOP\r\n" * 100 + b"QUIT\r\n"], "S: +OK\\r", ends="closed"),
    D("split_anywhere", [b"US", b"ER", b" ", b"bob\r", b"\nPA", b"SS s3", b"cret", b"\r\n", Replies(2)], ASKED),
    D("line_of_127", ["NOOP " + "x" * 120], "S: +OK\\r"),
    D("line_of_128", ["NOOP " + "x" * 121], "S: +OK\\r"),
    D("line_of_129", [b"NOOP " + b"x" * 122 + b"\r\n"], ERR, ends="closed"),
    D("long_password", ["USER bob", b"PASS " + b"p" * 200 + b"\r\n"], ERR, ends="closed"),
    D("line_without_end", [b"x" * 5000], ERR, ends="closed"),
]

MECHANISMS = [
    D("auth_list", ["AUTH"], "S: +OK methods supported:\\r\\n\nS: PLAIN\\r\\n\nS: LOGIN\\r\\n\nS: ."),
    D("auth_list_all", ["AUTH"], "S: CRAM-MD5\\r\\n\nS: EXTERNAL\\r\\n\nS: .", "pop3_all"),
    D("auth_list_apop", ["AUTH"], "S: +OK methods supported:\\r\\n\nS: .\\r\\n", "pop3_apop"),
    D("apop", [f"APOP bob {HASH}"], ("H: Auth-Method: apop", "H: Auth-Salt: <STAMP@mail.test>", f"H: Auth-Pass: {HASH}", "B: PASS real"), "pop3_apop", service=[ok(Auth_Pass="real")]),
    D("apop_needs_password", [f"APOP bob {HASH}"], INTERNAL, "pop3_apop", ends="closed"),
    D("apop_not_enabled", [f"APOP bob {HASH}", "NOOP"], ERR),
    D("apop_no_arguments", ["APOP", "NOOP"], ERR, "pop3_apop"),
    D("apop_one_argument", ["APOP bob", "NOOP"], ERR, "pop3_apop"),
    D("apop_three_arguments", ["APOP bob x y", "NOOP"], ERR, "pop3_apop"),
    D("apop_odd_digest", ["APOP bob x%"], "H: Auth-Pass: x%25", "pop3_apop", service=[ok(Auth_Pass="real")]),
    D("plain", ["AUTH PLAIN", PLAIN], ("S: + \\r\\n", *ASKED)),
    D("plain_initial_response", ["AUTH PLAIN " + PLAIN], ASKED),
    D("plain_lower_case", ["auth plain " + PLAIN], ASKED),
    D("plain_cancel", ["AUTH PLAIN", "*", "NOOP"], ERR),
    D("plain_bad_base64", ["AUTH PLAIN !!", "NOOP"], ERR),
    D("plain_empty", ["AUTH PLAIN", "", "NOOP"], ERR),
    D("plain_empty_initial_response", ["AUTH PLAIN =", "NOOP"], ERR),
    D("plain_one_nul", ["AUTH PLAIN AGJvYg==", "NOOP"], ERR),
    D("plain_two_initial_responses", ["AUTH PLAIN a b", "NOOP"], ERR),
    D("plain_crlf_in_user", ["AUTH PLAIN AGINCmMAcHc="], "H: Auth-User: b%0D%0Ac"),
    D("plain_nul_in_password", ["AUTH PLAIN AGJvYgBhAGI="], "H: Auth-Pass: a%00b"),
    D("plain_response_over_128", ["AUTH PLAIN", b"A" * 200 + b"\r\n"], ERR, ends="closed"),
    D("plain_when_not_offered", ["AUTH PLAIN " + PLAIN], ASKED, "pop3_apop"),
    D("login", ["AUTH LOGIN", BOB, SECRET], ("S: + VXNlcm5hbWU6", "S: + UGFzc3dvcmQ6", *ASKED)),
    D("login_initial_response", ["AUTH LOGIN " + BOB, SECRET], ASKED),
    D("login_cancel", ["AUTH LOGIN", "*", "NOOP"], ERR),
    D("login_cancel_at_password", ["AUTH LOGIN", BOB, "*", "NOOP"], ERR),
    D("login_empty", ["AUTH LOGIN", "", ""], "H: Auth-User: \\r\\n\nH: Auth-Pass: \\r\\n"),
    D("login_bad_base64", ["AUTH LOGIN ?", "NOOP"], ERR),
    D("cram", ["AUTH CRAM-MD5", CRAM], ("S: + base64(<STAMP@mail.test>)", "H: Auth-Method: cram-md5", "H: Auth-Salt", "B: PASS real"), "pop3_cram", service=[ok(Auth_Pass="real")]),
    D("cram_needs_password", ["AUTH CRAM-MD5", CRAM], INTERNAL, "pop3_all", ends="closed"),
    D("cram_initial_response", ["AUTH CRAM-MD5 " + CRAM, "NOOP"], ERR, "pop3_cram"),
    D("cram_short_hash", ["AUTH CRAM-MD5", "Ym9iIDAxMjM=", "NOOP"], ERR, "pop3_cram"),
    D("cram_not_enabled", ["AUTH CRAM-MD5", "NOOP"], ERR),
    D("external", ["AUTH EXTERNAL", BOB], ("S: + VXNlcm5hbWU6", "H: Auth-Method: external"), "pop3_external", service=[ok(Auth_Pass="real")]),
    D("external_initial_response", ["AUTH EXTERNAL " + BOB], "H: Auth-Method: external", "pop3_external", service=[ok(Auth_Pass="real")]),
    D("external_with_stamp", ["AUTH EXTERNAL " + BOB], "H: Auth-Method: external", "pop3_all", service=[ok(Auth_Pass="real")]),
    D("external_not_enabled", ["AUTH EXTERNAL", "NOOP"], ERR),
    D("external_not_enabled_initial_response", ["AUTH EXTERNAL " + BOB], "H: Auth-Method: external", service=[ok(Auth_Pass="real")]),
    D("unknown_mechanism", ["AUTH GSSAPI", "NOOP"], ERR),
    D("unknown_mechanism_initial_response", ["AUTH XOAUTH2 abcd", "NOOP"], ERR),
]

READY, USER, IN = b"+OK ready\r\n", b"+OK user\r\n", b"+OK in\r\n"


def backend(name, replies, shows, talk=tuple(LOGIN), server="pop3", ends="closed", **more):
    return D(name, list(talk), shows, server, backend=replies, ends=ends, **more)


OUTCOMES = [
    D("refused", LOGIN, "S: -ERR Invalid login or password", service=[refusal()], ends="closed"),
    D("refused_with_wait", [*LOGIN, "NOOP", *LOGIN], ("S: -ERR later", "S: +OK\\r", "H: Auth-Login-Attempt: 2", LOGGED_IN), service=[refusal("later", Auth_Wait=1), ok()]),
    D("refused_with_wait_forgets_user", [*LOGIN, "PASS s3cret", "NOOP"], ("S: -ERR later", ERR), service=[refusal("later", Auth_Wait=1), ok()]),
    D("refused_empty_text", LOGIN, "S: -ERR \\r\\n", service=[ok(Auth_Status="")], ends="closed"),
    D("refused_error_code_is_for_smtp", LOGIN, "S: -ERR nope", service=[refusal("nope", Auth_Error_Code="451")], ends="closed"),
    D("apop_refused_then_user", [f"APOP bob {HASH}", *LOGIN], ("S: -ERR later", "H: Auth-Method: plain"), "pop3_all", service=[refusal("later", Auth_Wait=1), ok()]),
    D("wait_then_ok", LOGIN, ("-- request 2", LOGGED_IN), service=[Answer.of(Auth_Status="WAIT", Auth_Wait=1), ok()]),
    D("apop_wait_then_ok", [f"APOP bob {HASH}"], "-- request 2", "pop3_apop", service=[Answer.of(Auth_Status="WAIT", Auth_Wait=1), ok(Auth_Pass="real")]),
    D("other_user_and_password", LOGIN, "B: USER alice\\r\\n\nB: PASS secret2", service=[ok(Auth_User="alice", Auth_Pass="secret2")]),
    D("answer_without_server", LOGIN, INTERNAL, service=[ok(Auth_Server=None)], ends="closed"),
    D("answer_malformed", LOGIN, INTERNAL, service=[Answer(b"HTTP/1.0 200 OK\r\n@@@\r\n\r\n")], ends="closed"),
    D("answer_cut_off", LOGIN, INTERNAL, service=[Answer(b"HTTP/1.0 200")], ends="closed"),
    D("answer_never_comes", LOGIN, INTERNAL, "pop3_hurry", service=[Answer(ending="hang")], ends="closed"),
    D("service_down", LOGIN, INTERNAL, "pop3_down", ends="closed"),
    backend("backend_down", None, INTERNAL, service=[ok(Auth_Port="9")]),
    backend("backend_refuses_greeting", [b"-ERR busy\r\n"], INTERNAL),
    backend("backend_refuses_user", [READY, b"-ERR who\r\n"], INTERNAL),
    backend("backend_refuses_password", [READY, USER, b"-ERR wrong\r\n"], INTERNAL, hides="S: -ERR wrong"),
    backend("backend_closes_at_once", [CLOSE], INTERNAL),
    backend("backend_closes_after_user", [READY, (USER, CLOSE)], INTERNAL),
    backend("backend_says_nothing", [HANG], INTERNAL, server="pop3_hurry"),
    backend("backend_lower_case", [b"+ok ready\r\n"], INTERNAL),
    backend("backend_reply_in_pieces", [(b"+", b"OK ready\r", b"\n"), (b"+OK", b"\r\n"), (b"+OK in", b"\r\n")], "S: +OK in", ends="open"),
    backend("backend_too_long", [b"+OK " + b"x" * 5000], INTERNAL),
    backend("pass_refused_greeting", [b"-ERR busy\r\n"], "S: -ERR busy", server="pop3_pass"),
    backend("pass_refused_user", [READY, b"-ERR who\r\n"], "S: -ERR who", server="pop3_pass"),
    backend("pass_refused_password", [READY, USER, b"-ERR [AUTH] wrong\r\n"], "S: -ERR [AUTH] wrong", server="pop3_pass"),
    backend("relay_stls_goes_to_the_backend", None, "B: STLS", [*LOGIN, "STLS"], ends="open"),
    backend("relay_long_line", None, "B: x*5000*", [*LOGIN, b"x" * 5000 + b"\r\n", REPLY], ends="open"),
    D("silent_client_times_out", [EOF], "S: +OK POP3", "pop3_hurry", ends="closed"),
    D("client_vanishes_after_user", ["USER bob", RESET], "S: +OK"),
    D("client_shuts", [SHUT], "S: +OK", ends="closed"),
]

DIALOGUES = named("pop3", COMMANDS + USER_PASS + MECHANISMS + OUTCOMES)
