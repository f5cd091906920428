"""What a peer may do to TLS 1.3 after the handshake, right or wrong. Each case sends its records through a
tls_records.Peer; a line "ping" follows it, to see whether anybody still listens.

What a server is to answer stands beside each: an alert (RFC 8446 section 6); OPEN, which is that "ping" is answered;
CLOSED, that the end is, with close_notify; or SILENT, that it has gone without a word."""

import copy
import random
import socket
import struct

from .tls_records import ALERT, CHANGE_CIPHER_SPEC, CLOSE_NOTIFY, DATA, HANDSHAKE, KEY_UPDATE

LINE = b"before\r\n"
FULL = 16384  # bytes of content, at most
CLIENT_HELLO, TICKET, FINISHED, CERTIFICATE_REQUEST = 1, 4, 20, 13

OPEN, CLOSED, SILENT, ANY = "open", "closed", "silent", "any"
UNEXPECTED, BAD_MAC, OVERFLOW, ILLEGAL, DECODE, VERSION = 10, 20, 22, 47, 50, 70

CASES = {}  # name: function of a peer
ANSWERS = {}  # name: answer


def case(answer):
    def add(function):
        CASES[function.__name__], ANSWERS[function.__name__] = function, answer
        return function
    return add


def cases(name, answer, arguments=None):
    """A case for each argument. Without them, `answer` has the answer for each."""
    answers = {argument: answer for argument in arguments} if arguments else answer

    def add(function):
        for argument, its_answer in answers.items():
            CASES[f"{name}_{argument}"] = lambda peer, argument=argument: function(peer, argument)
            ANSWERS[f"{name}_{argument}"] = its_answer
        return function
    return add


def message(kind, body):
    return bytes((kind,)) + len(body).to_bytes(3, "big") + body


def header(kind, version, size):
    return struct.pack("!BHH", kind, version, size)


def flipped(record, position):
    record = bytearray(record)
    record[position] ^= 1
    return bytes(record)


# Right


@case(OPEN)
def nothing_wrong(peer):
    peer.send(peer.data(LINE))


@case(OPEN)
def each_byte_alone(peer):
    for byte in peer.data(LINE) + peer.key_update() + peer.data(LINE):
        peer.send(bytes((byte,)))


@case(OPEN)
def full_records(peer):
    peer.send(peer.data(b"x" * FULL), peer.data(b"y" * (FULL - 2) + b"\r\n"))


@cases("padding", OPEN, [1, 255, FULL - len(LINE)])
def _(peer, size):
    peer.send(peer.record(DATA, LINE, padding=size))


@case(OPEN)
def padded_to_the_most(peer):
    peer.send(peer.record(DATA, b"", padding=FULL), peer.record(HANDSHAKE, KEY_UPDATE + b"\0", padding=FULL - 5))
    peer.writes.update()


@cases("key_update", OPEN, [0, 1])
def _(peer, request):
    peer.send(peer.data(LINE), peer.key_update(request), peer.data(LINE))


@case(OPEN)
def key_updates_and_data_in_turns(peer):
    for number in range(80):
        peer.send(peer.key_update(number % 2), peer.data(b"%d\r\n" % number))


@case(OPEN)
def key_update_in_pieces(peer):
    peer.send(*(peer.record(HANDSHAKE, bytes((byte,))) for byte in KEY_UPDATE + b"\1"))
    peer.writes.update()
    peer.send(peer.data(LINE))


@cases("user_canceled", OPEN, [1, 2])
def _(peer, level):
    peer.send(peer.record(ALERT, bytes((level, 90))), peer.data(LINE))


@case(OPEN)
def some_empty_data(peer):
    peer.send(*(peer.data(b"") for _ in range(32)), peer.data(LINE), *(peer.data(b"") for _ in range(32)))


# Ends


@cases("close_notify", CLOSED, ["warning", "fatal", "strange"])
def _(peer, level):
    peer.send(peer.data(LINE), peer.record(ALERT, bytes(({"warning": 1, "fatal": 2, "strange": 7}[level], 0))))


@case(CLOSED)
def data_after_close_notify(peer):
    peer.send(peer.record(ALERT, CLOSE_NOTIFY), peer.data(LINE))


@case(CLOSED)
def forgery_after_close_notify(peer):
    peer.send(peer.record(ALERT, CLOSE_NOTIFY), flipped(peer.data(LINE), 7))


@cases("end", CLOSED, ["at_once", "after_data", "in_a_header", "in_a_record"])
def _(peer, where):
    record = peer.data(LINE)
    peer.send({"at_once": b"", "after_data": record, "in_a_header": record[:3], "in_a_record": record[:-1]}[where])
    peer.sock.shutdown(socket.SHUT_WR)


@case(SILENT)
def end_in_a_message(peer):
    peer.send(peer.data(LINE), peer.record(HANDSHAKE, KEY_UPDATE))
    peer.sock.shutdown(socket.SHUT_WR)


# Records that are wrong


@cases("kind", UNEXPECTED, [0, 1, 19, CHANGE_CIPHER_SPEC, 24, 25, 128, 255])
def _(peer, kind):
    peer.send(peer.data(LINE), peer.record(kind, b"\1"))


@cases("outer_kind", UNEXPECTED, [0, 19, CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, 24, 128, 255])
def _(peer, kind):
    size = len(LINE) + 17
    peer.send(peer.record(DATA, LINE, header=header(kind, 0x0303, size)))


@cases("version", {0x0000: VERSION, 0x0002: VERSION, 0x0200: VERSION, 0x0300: DECODE, 0x0301: DECODE, 0x0304: DECODE,
                   0x03ff: DECODE, 0x0403: VERSION, 0x7f1c: VERSION, 0xffff: VERSION})
def _(peer, version):
    peer.send(peer.data(LINE), peer.record(DATA, LINE, header=header(DATA, version, len(LINE) + 17)))


@cases("size", BAD_MAC, [0, 1, 15, 16, 17])
def _(peer, size):
    peer.send(peer.data(LINE), header(DATA, 0x0303, size) + bytes(size))


@cases("sealed_size", OVERFLOW, [FULL + 257, FULL + 2048, 65535])
def _(peer, size):
    peer.send(peer.data(LINE), header(DATA, 0x0303, size) + bytes(min(size, FULL)))


@cases("content_size", OVERFLOW, [FULL + 1, FULL + 100, FULL + 239])
def _(peer, size):
    peer.send(peer.data(LINE), peer.data(b"x" * size))


@cases("padded_size", OPEN, [FULL + 1, FULL + 239])
def _(peer, size):
    peer.send(peer.data(LINE), peer.record(DATA, LINE, padding=size - len(LINE)), peer.data(LINE))


@cases("flipped", {0: UNEXPECTED, 1: VERSION, 2: DECODE, **{position: BAD_MAC for position in (3, 4, 5, 6, 12, 13, 14, 28, 29)}})
def _(peer, position):
    peer.send(peer.data(LINE), flipped(peer.data(LINE), position), bytes(256))


@case(UNEXPECTED)
def nothing_but_padding(peer):
    peer.send(peer.data(LINE), peer.record(None, bytes(40)))


@case(BAD_MAC)
def empty_text(peer):
    peer.send(peer.data(LINE), peer.record(None, b""))


@case(BAD_MAC)
def a_record_twice(peer):
    record = peer.data(LINE)
    peer.send(record, record)


@case(BAD_MAC)
def a_record_left_out(peer):
    peer.data(LINE)
    peer.send(peer.data(LINE))


@case(BAD_MAC)
def records_in_the_wrong_order(peer):
    first, second = peer.data(b"1\r\n"), peer.data(b"2\r\n")
    peer.send(second, first)


@case(BAD_MAC)
def keys_updated_without_a_word(peer):
    peer.writes.update()
    peer.send(peer.data(LINE))


@case(BAD_MAC)
def keys_not_updated(peer):
    peer.send(peer.record(HANDSHAKE, KEY_UPDATE + b"\0"), peer.data(LINE))


@case(BAD_MAC)
def keys_of_the_other_direction(peer):
    peer.writes = copy.copy(peer.reads)
    peer.send(peer.data(LINE))


@case(UNEXPECTED)
def too_much_empty_data(peer):
    peer.send(peer.data(LINE), *(peer.data(b"") for _ in range(33)))


@cases("empty", UNEXPECTED, [ALERT, HANDSHAKE, CHANGE_CIPHER_SPEC])
def _(peer, kind):
    peer.send(peer.data(LINE), peer.record(kind, b""))


@cases("plain", {"change_cipher_spec": UNEXPECTED, "change_cipher_specs": UNEXPECTED, "alert": UNEXPECTED,
                 "strange_change_cipher_spec": UNEXPECTED, "close_notify": UNEXPECTED, "handshake": UNEXPECTED,
                 "data": BAD_MAC, "http": VERSION, "smtp": VERSION, "ssl2": VERSION, "nothing_but_zeros": VERSION})
def _(peer, what):
    spec = header(CHANGE_CIPHER_SPEC, 0x0303, 1)
    peer.send(peer.data(LINE), {
        "change_cipher_spec": spec + b"\1", "change_cipher_specs": (spec + b"\1") * 40,
        "strange_change_cipher_spec": spec + b"\2", "alert": header(ALERT, 0x0303, 2) + bytes((2, 40)),
        "close_notify": header(ALERT, 0x0303, 2) + CLOSE_NOTIFY,
        "handshake": header(HANDSHAKE, 0x0303, 5) + KEY_UPDATE + b"\0",
        "data": header(DATA, 0x0303, 30) + b"a plain text of thirty bytes\r\n", "http": b"GET / HTTP/1.0\r\n\r\n",
        "smtp": b"QUIT\r\n", "ssl2": bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0"),
        "nothing_but_zeros": bytes(40)}[what])


# Alerts


@cases("alert", SILENT, [1, 10, 20, 40, 46, 49, 80, 86, 91, 100, 109, 120, 255])
def _(peer, description):
    peer.send(peer.data(LINE), peer.record(ALERT, bytes((2, description))))


@cases("warning", SILENT, [1, 10, 40, 46, 49, 80, 91, 100, 255])
def _(peer, description):
    peer.send(peer.data(LINE), peer.record(ALERT, bytes((1, description))))


@cases("alert_of_level", SILENT, [0, 3, 255])
def _(peer, level):
    peer.send(peer.data(LINE), peer.record(ALERT, bytes((level, 40))))


@cases("alert_of_size", UNEXPECTED, [1, 3, 4, 100])
def _(peer, size):
    peer.send(peer.data(LINE), peer.record(ALERT, (CLOSE_NOTIFY * size)[:size]))


@case(UNEXPECTED)
def alert_in_pieces(peer):
    peer.send(peer.record(ALERT, CLOSE_NOTIFY[:1]), peer.record(ALERT, CLOSE_NOTIFY[1:]))


@cases("user_canceled_times", {4: OPEN, 5: UNEXPECTED, 40: UNEXPECTED})
def _(peer, times):
    peer.send(*(peer.record(ALERT, bytes((1, 90))) for _ in range(times)))


@case(OPEN)
def user_canceled_and_data_in_turns(peer):
    for _ in range(20):
        peer.send(peer.record(ALERT, bytes((1, 90))), peer.data(LINE))


# Messages


@cases("message", UNEXPECTED, [0, CLIENT_HELLO, 2, 3, TICKET, 5, 8, 11, CERTIFICATE_REQUEST, 15, FINISHED, 23, 25, 67, 254, 255])
def _(peer, kind):
    peer.send(peer.data(LINE), peer.record(HANDSHAKE, message(kind, bytes(40))))


@cases("empty_message", {0: UNEXPECTED, CLIENT_HELLO: UNEXPECTED, TICKET: UNEXPECTED, FINISHED: UNEXPECTED, 24: DECODE})
def _(peer, kind):
    peer.send(peer.record(HANDSHAKE, message(kind, b"")))


@cases("ticket_times", UNEXPECTED, [1, 10])
def _(peer, times):
    ticket = struct.pack("!IIB", 300, 0, 1) + b"\0" + struct.pack("!H", 100) + bytes(100) + b"\0\0"
    peer.send(*(peer.record(HANDSHAKE, message(TICKET, ticket)) for _ in range(times)), peer.data(LINE))


@cases("key_update_with", ILLEGAL, [2, 3, 128, 255])
def _(peer, request):
    peer.send(peer.data(LINE), peer.key_update(request))


@cases("key_update_of_size", ILLEGAL, [2, 3, 255, 65536, 0xffffff])
def _(peer, size):
    peer.send(peer.data(LINE), peer.record(HANDSHAKE, bytes((24,)) + size.to_bytes(3, "big") + b"\0\0"))


@cases("key_update_times", {32: OPEN, 33: OPEN, 200: OPEN})
def _(peer, times):
    peer.send(*(peer.key_update(number % 2) for number in range(times)))


@case(OPEN)
def key_updates_with_data_between(peer):
    for _ in range(3):
        peer.send(*(peer.key_update() for _ in range(32)), peer.data(LINE))


@case(UNEXPECTED)
def two_key_updates_in_a_record(peer):
    peer.send(peer.record(HANDSHAKE, (KEY_UPDATE + b"\0") * 2))


@case(UNEXPECTED)
def key_update_and_a_part_of_the_next(peer):
    peer.send(peer.record(HANDSHAKE, KEY_UPDATE + b"\0" + KEY_UPDATE[:1]))


@cases("data_in_a_message_after", UNEXPECTED, [1, 2, 3, 4])
def _(peer, size):
    peer.send(peer.record(HANDSHAKE, KEY_UPDATE[:size]), peer.data(LINE))


@cases("empty_data_in_a_message_after", UNEXPECTED, [1, 4])
def _(peer, size):
    peer.send(peer.record(HANDSHAKE, KEY_UPDATE[:size]), peer.data(b""), peer.record(HANDSHAKE, (KEY_UPDATE + b"\0")[size:]))


@cases("close_notify_in_a_message_after", {1: UNEXPECTED, 3: UNEXPECTED, 4: SILENT})
def _(peer, size):
    peer.send(peer.record(HANDSHAKE, KEY_UPDATE[:size]), peer.record(ALERT, CLOSE_NOTIFY))


@case(BAD_MAC)
def key_update_and_data_of_the_old_key(peer):
    last = peer.data(LINE)
    peer.send(peer.key_update(), last)


# Whatever comes to mind


@cases("any", ANY, range(30))
def _(peer, seed):
    """Records of all kinds, mostly right."""
    chance = random.Random(seed)
    records = []
    for number in range(chance.randint(3, 30)):
        choice = chance.random()
        if choice < 0.45:
            records.append(peer.record(DATA, b"%d\r\n" % number * chance.choice((1, 1, 50, 2000)), padding=chance.choice((0, 0, 9))))
        elif choice < 0.65:
            records.append(peer.key_update(chance.choice((0, 1))))
        elif choice < 0.75:
            records.append(peer.data(b""))
        elif choice < 0.85:
            records.append(peer.record(ALERT, bytes((chance.choice((1, 2)), 90))))
        elif choice < 0.97:
            pieces = KEY_UPDATE + b"\0"
            cut = chance.randint(1, 4)
            records += [peer.record(HANDSHAKE, pieces[:cut]), peer.record(HANDSHAKE, pieces[cut:])]
            peer.writes.update()
        else:
            records.append(flipped(peer.data(LINE), chance.randint(5, 20)))
    peer.send(*records)
