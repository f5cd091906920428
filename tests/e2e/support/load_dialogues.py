"""How a client of the load talks, one class a protocol: greeting, TLS, login in steps, echo, goodbye.
`says` is the session's: it sends lines, and returns the reply once it begins as it should."""

import base64

PASSWORD = b"Tr0ub4dor-and-3-horses"


def plain(user):
    return base64.b64encode(b"\0%s\0%s" % (user, PASSWORD))


class Imap:
    greeting = b"* OK"

    async def start_tls(self, says):
        await says(b"s STARTTLS", b"s OK")

    def login_steps(self, user, number):
        if number % 2:
            return ((b"c CAPABILITY", b"c OK"), (b"a LOGIN %s %s" % (user, PASSWORD), b"a OK"))
        return ((b"a AUTHENTICATE PLAIN", b"+ "), (plain(user), b"a OK"))

    def echo(self, user, token):
        return b"t%s X-ECHO %s" % (token, token), b"t%s OK %s X-ECHO %s\r\n" % (token, user, token)

    goodbye = (b"z LOGOUT", b"z OK")


class Pop3:
    greeting = b"+OK"

    async def start_tls(self, says):
        await says(b"STLS", b"+OK")

    def login_steps(self, user, number):
        if number % 2:
            return ((b"USER " + user, b"+OK"), (b"PASS " + PASSWORD, b"+OK"))
        return ((b"AUTH PLAIN", b"+ "), (plain(user), b"+OK"))

    def echo(self, user, token):
        return b"ECHO " + token, b"+OK %s ECHO %s\r\n" % (user, token)

    goodbye = (b"QUIT", b"+OK")


class Smtp:
    greeting = b"220 "

    async def start_tls(self, says):
        await says(b"EHLO client.test", b"250 ")
        await says(b"STARTTLS", b"220 ")

    def login_steps(self, user, number):
        hello = (b"EHLO client.test", b"250 ")
        if number % 2:
            return (hello, (b"AUTH LOGIN", b"334 "), (base64.b64encode(user), b"334 "),
                    (base64.b64encode(PASSWORD), b"235 "))
        return hello, (b"AUTH PLAIN " + plain(user), b"235 ")

    def echo(self, user, token):
        return b"ECHO " + token, b"250 %s ECHO %s\r\n" % (user, token)

    goodbye = (b"QUIT", b"221 ")


DIALOGUES = {"imap": Imap(), "pop3": Pop3(), "smtp": Smtp()}
CONTINUES = {"imap": b"* ", "pop3": None, "smtp": b"250-"}  # lines that more must follow
