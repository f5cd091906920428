"""Where the mail server's submission service sends its mail: a small SMTP server that puts each
message into the recipient's Maildir, where Dovecot finds it.

Dovecot's submission service relays to a server that speaks SMTP, and Dovecot's own delivery speaks
LMTP only; a Postfix in between would have to be started by root. So this is the receiving half of
RFC 5321, for one well-behaved client on loopback. Called by run-demo:

    delivery.py PORT MAIL_FOLDER UID GID
"""

import asyncio
import mailbox
import os
import pathlib
import re
import sys

from programs import stop_with_parent

SIZE_MAX = 50 << 20
LINE_MAX = 1 << 20  # RFC 5321 section 4.5.3.1 asks for 1000 bytes; mail programs send more
RECIPIENTS_MAX = 100
ADDRESS = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>", re.IGNORECASE)


class TooLong(Exception):
    """The message has more than SIZE_MAX bytes."""


class Session:
    def __init__(self, reader, writer, folder):
        self._reader = reader
        self._writer = writer
        self._folder = folder
        self._sender = None
        self._maildirs = []

    async def run(self):
        await self._reply("220 delivery.example.org ESMTP")
        while line := await self._reader.readline():
            verb, _, argument = line.decode("utf-8", "replace").strip().partition(" ")
            answer = {"EHLO": self._ehlo, "HELO": self._helo, "MAIL": self._mail, "RCPT": self._rcpt,
                      "DATA": self._data, "RSET": self._rset, "NOOP": self._noop,
                      "QUIT": self._quit}.get(verb.upper(), self._unknown)
            await self._reply(await answer(argument))
            if verb.upper() == "QUIT":
                break

    async def _reply(self, text):
        self._writer.write(text.encode() + b"\r\n")
        await self._writer.drain()

    async def _ehlo(self, _):
        self._forget()
        return f"250-delivery.example.org\r\n250-SIZE {SIZE_MAX}\r\n250-8BITMIME\r\n" \
               "250-PIPELINING\r\n250 ENHANCEDSTATUSCODES"

    async def _helo(self, _):
        self._forget()
        return "250 delivery.example.org"

    async def _mail(self, argument):
        address = ADDRESS.match(argument)
        if not address:
            return "501 5.5.4 Syntax: MAIL FROM:<address>"
        self._forget()
        self._sender = address[1]
        return "250 2.1.0 OK"

    async def _rcpt(self, argument):
        address = ADDRESS.match(argument)
        if self._sender is None:
            return "503 5.5.1 MAIL first"
        if not address:
            return "501 5.5.4 Syntax: RCPT TO:<address>"
        if len(self._maildirs) == RECIPIENTS_MAX:
            return "452 4.5.3 Too many recipients"
        maildir = self._folder / address[1].lower() / "Maildir"
        if "/" in address[1] or not maildir.is_dir():
            return "550 5.1.1 No such user here"
        self._maildirs.append(maildir)
        return "250 2.1.5 OK"

    async def _data(self, _):
        if not self._maildirs:
            return "503 5.5.1 RCPT first"
        await self._reply("354 End with a dot on a line of its own")
        try:
            message = await self._message()
            for maildir in set(self._maildirs):
                mailbox.Maildir(maildir, create=False).add(message)
            return "250 2.0.0 Delivered"
        except TooLong:
            return "552 5.3.4 Message too big"
        finally:
            self._forget()

    async def _message(self):
        """With the line ends of a Maildir, and RFC 5321 section 4.4's trace of the sender."""
        lines = [f"Return-Path: <{self._sender}>\n".encode()]
        size = 0
        while (line := await self._reader.readline()) != b".\r\n":
            if not line.endswith(b"\n"):
                raise ConnectionError("the client went away within a message")
            size += len(line)
            if size <= SIZE_MAX:  # what is more than that is read and dropped
                lines.append(line.removeprefix(b".").replace(b"\r\n", b"\n"))  # section 4.5.2
        if size > SIZE_MAX:
            raise TooLong
        return b"".join(lines)

    async def _rset(self, _):
        self._forget()
        return "250 2.0.0 OK"

    async def _noop(self, _):
        return "250 2.0.0 OK"

    async def _quit(self, _):
        return "221 2.0.0 Bye"

    async def _unknown(self, _):
        return "502 5.5.2 Command not recognized"

    def _forget(self):
        self._sender = None
        self._maildirs = []


async def serve(port, folder):
    async def talk(reader, writer):
        try:
            await Session(reader, writer, folder).run()
        except (ConnectionError, ValueError) as error:  # ValueError: a line above LINE_MAX
            print(f"the connection ends: {error}", file=sys.stderr, flush=True)
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port, limit=LINE_MAX)
    await server.serve_forever()


def main():
    port, folder, uid, gid = sys.argv[1:]
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
        stop_with_parent()  # which a change of user revokes
    os.umask(0o077)
    asyncio.run(serve(int(port), pathlib.Path(folder)))


main()
