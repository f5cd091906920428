#!/usr/bin/python3 -B
"""Where the mail server's submission service sends its mail: an SMTP server that puts each message
into the recipient's Maildir, where Dovecot finds it.

Dovecot's submission service has to relay to SMTP, and Dovecot's own delivery speaks only LMTP. A
Postfix in between would need root, so the protocol is left to aiosmtpd, and the delivery to the
standard library. Called by run-demo: delivery.py PORT MAIL_FOLDER UID GID
"""

import asyncio
import mailbox
import os
import pathlib
import sys

from aiosmtpd.smtp import SMTP

from programs import stop_with_parent

SIZE_MAX = 50 << 20


class Delivery:
    def __init__(self, folder):
        self._folder = pathlib.Path(folder)

    def _maildir(self, address):
        return self._folder / address.lower() / "Maildir"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if "/" in address or not self._maildir(address).is_dir():
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        for address in envelope.rcpt_tos:
            mailbox.Maildir(self._maildir(address), create=False).add(envelope.content)
        return "250 2.0.0 Delivered"


async def serve(port, folder):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Delivery(folder), hostname="delivery.example.org", data_size_limit=SIZE_MAX,
                     enable_SMTPUTF8=True),
        "127.0.0.1", port)
    await server.serve_forever()


def main():
    port, folder, uid, gid = sys.argv[1:]
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
        stop_with_parent()  # which a change of user revokes
    os.umask(0o077)
    asyncio.run(serve(int(port), folder))


main()
