"""An authentication service and mail servers for thousands of short sessions: asyncio, in a process of
their own. Everybody may log in; each line after the login is answered with the user's name and itself,
so that a client sees if it got what was meant for another.

Prints its ports as a line of JSON, and ends when its standard input does.

Usage: load_servers.py"""

import asyncio
import base64
import json
import random
import re
import sys

PROTOCOLS = ("imap", "pop3", "smtp")
# Most verdicts come at once; some take so long that the client is seen waiting for one.
SLOW_SHARE, SLOW_SECONDS = 0.1, 0.4


class Lines(asyncio.Protocol):
    """Splits what arrives into lines."""

    def connection_made(self, transport):
        self.transport, self.pending = transport, b""

    def data_received(self, data):
        *lines, self.pending = (self.pending + data).split(b"\r\n")
        for line in lines:
            self.line(line)

    def say(self, *lines):
        if not self.transport.is_closing():
            self.transport.write(b"".join(line + b"\r\n" for line in lines))


class Service(Lines):
    """HTTP, as `auth_http` asks it."""

    ports = {}

    def connection_made(self, transport):
        super().connection_made(transport)
        self.protocol, self.slow = None, random.random() < SLOW_SHARE

    def line(self, line):
        if found := re.match(rb"Auth-Protocol: (\w+)", line):
            self.protocol = found.group(1).decode()
        elif line.startswith(b"Auth-User: quick"):
            self.slow = False
        elif not line:
            asyncio.get_running_loop().call_later(SLOW_SECONDS if self.slow else 0, self.answer)

    def answer(self):
        self.say(b"HTTP/1.0 200 OK", b"Auth-Status: OK", b"Auth-Server: 127.0.0.1",
                 b"Auth-Port: %d" % self.ports[self.protocol], b"")
        self.transport.close()


class Backend(Lines):
    def connection_made(self, transport):
        super().connection_made(transport)
        self.user, self.before = None, []
        self.greet()

    def leave(self, *lines):
        self.say(*lines)
        self.transport.close()


class Imap(Backend):
    def greet(self):
        self.say(b"* OK backend ready")

    def line(self, line):
        if self.user:
            tag, *words = line.split(b" ")
            if words == [b"LOGOUT"]:
                self.leave(b"* BYE", tag + b" OK bye")
            else:
                self.say(b"%s OK %s %s" % (tag, self.user, b" ".join(words)))
            return
        self.before.append(line)  # the proxy sends literals: LOGIN {n}, the name {n}, the password
        if len(self.before) < 3:
            self.say(b"+ go on")
        else:
            self.user = self.before[1].split(b" ")[0]
            self.say(self.before[0].split(b" ")[0] + b" OK in")


class Pop3(Backend):
    def greet(self):
        self.say(b"+OK backend ready")

    def line(self, line):
        if self.user and line == b"QUIT":
            self.leave(b"+OK bye")
        elif self.user:
            self.say(b"+OK %s %s" % (self.user, line))
        else:
            self.before.append(line)
            if line.startswith(b"PASS"):
                self.user = self.before[-2].removeprefix(b"USER ")
            self.say(b"+OK")


class Smtp(Backend):
    def greet(self):
        self.say(b"220 backend.test ESMTP")

    def line(self, line):
        if line.startswith(b"EHLO"):
            self.say(b"250-backend.test", b"250 AUTH PLAIN")
        elif line.startswith(b"AUTH PLAIN "):
            self.user = base64.b64decode(line[11:]).split(b"\0")[1]
            self.say(b"235 in")
        elif line == b"QUIT":
            self.leave(b"221 bye")
        else:
            self.say(b"250 %s %s" % (self.user or b"nobody", line))


async def main():
    loop = asyncio.get_running_loop()

    async def serve(kind):
        server = await loop.create_server(kind, "127.0.0.1", 0, backlog=1024)
        return server, server.sockets[0].getsockname()[1]

    servers = {}
    for name, kind in zip(PROTOCOLS, (Imap, Pop3, Smtp)):
        servers[name], Service.ports[name] = await serve(kind)
    servers["service"], port = await serve(Service)
    print(json.dumps({"service": port, **Service.ports}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
