#!/usr/bin/python3
"""Clients that mean harm, or know no better, from thousands of addresses of the loopback network. None of them should
ever be noticed by anybody else. Ends with its standard input, and says then what it has done, as a line of JSON.

Usage: abuse.py SETTINGS        JSON: rate (visits a second), plain and implicit: ports by protocol, guarded: ports of a
                                server that knows nobody's password"""

import asyncio
import collections
import json
import os
import random
import socket
import struct
import sys

SLOW_SECONDS, SLOW_MOST = 20, 60  # a byte a second, so many at a time
LIMIT_SECONDS = 10

LOGINS = {"imap": b"a LOGIN bob wrong-%d\r\n", "pop3": b"USER bob\r\nPASS wrong-%d\r\n",
          "smtp": b"EHLO x\r\nAUTH PLAIN AGJvYgB3cm9uZw==\r\n"}
STARTTLS = {"imap": b"a STARTTLS\r\nb LOGIN eve eve\r\n", "pop3": b"STLS\r\nUSER eve\r\n", "smtp": b"EHLO x\r\nSTARTTLS\r\nMAIL FROM:<>\r\n"}


class Visit:
    def __init__(self, settings):
        self.settings = settings
        self.protocol = random.choice(("imap", "pop3", "smtp"))

    async def connect(self, kind="plain"):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.settings[kind][self.protocol],
                                                                 local_addr=(random_address(), 0))

    async def flood(self):
        await self.connect()

    async def garbage(self):
        await self.connect(random.choice(("plain", "implicit")))
        self.writer.write(os.urandom(random.randint(1, 8192)))
        await self.reader.read(1000)

    async def half_a_handshake(self):
        await self.connect("implicit")
        self.writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(random.randint(0, 300)))
        await asyncio.sleep(random.uniform(0, 3))

    async def http(self):
        await self.connect()
        self.writer.write(b"POST / HTTP/1.1\r\nHost: mail\r\nContent-Length: 9\r\n\r\na NOOP\r\n\r\n")
        await self.reader.read(1000)

    async def guess(self):
        await self.connect("guarded")
        await self.reader.readline()
        line = LOGINS[self.protocol]
        self.writer.write(line % random.getrandbits(30) if b"%" in line else line)
        await self.reader.read(1000)

    async def inject(self):
        await self.connect()
        await self.reader.readline()
        self.writer.write(STARTTLS[self.protocol])
        await self.reader.read(1000)

    async def endless_line(self):
        await self.connect()
        for _ in range(40):
            self.writer.write(b"A" * 4096)
            await self.writer.drain()
        await self.reader.read(1000)

    async def slow(self):
        await self.connect()
        for _ in range(SLOW_SECONDS):
            self.writer.write(b"N")
            await asyncio.sleep(1)

    async def reset(self):
        """In the middle of what it has asked for."""
        await self.connect()
        await self.reader.readline()
        self.writer.write({"imap": b"a LOGIN eve secret\r\n", "pop3": b"USER eve\r\nPASS secret\r\n",
                           "smtp": b"EHLO x\r\nAUTH PLAIN AGV2ZQBldmU=\r\n"}[self.protocol])
        await asyncio.sleep(random.uniform(0, 0.2))
        self.writer.write({"imap": b"b BULK 10000000\r\n"}.get(self.protocol, b"BULK 10000000\r\n"))
        await self.reader.read(10000)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def leave(self):
        writer = getattr(self, "writer", None)
        if writer:
            writer.transport.abort()


KINDS = ("flood", "flood", "flood", "garbage", "half_a_handshake", "http", "guess", "guess", "inject", "endless_line", "slow", "reset")


def random_address():
    return f"127.{random.randint(66, 99)}.{random.randint(0, 255)}.{random.randint(1, 254)}"


class Abuse:
    def __init__(self, settings):
        self.settings, self.counts, self.slow = settings, collections.Counter(), 0

    async def visit(self):
        kind = random.choice(KINDS)
        if kind == "slow" and self.slow >= SLOW_MOST:
            kind = "flood"
        self.slow += kind == "slow"
        visit = Visit(self.settings)
        try:
            async with asyncio.timeout(SLOW_SECONDS + 5 if kind == "slow" else LIMIT_SECONDS):
                await getattr(visit, kind)()
            self.counts[kind] += 1
        except (OSError, TimeoutError, ValueError) as error:  # turned away: as it should be
            self.counts[f"{kind}: {type(error).__name__}"] += 1
        finally:
            self.slow -= kind == "slow"
            visit.leave()

    async def run(self):
        loop = asyncio.get_running_loop()
        over = loop.run_in_executor(None, sys.stdin.read)
        visits = set()
        while not over.done():
            await asyncio.sleep(random.expovariate(self.settings["rate"]))
            visit = asyncio.create_task(self.visit())
            visits.add(visit)
            visit.add_done_callback(visits.discard)
        for visit in visits:
            visit.cancel()
        await asyncio.gather(*visits, return_exceptions=True)
        print(json.dumps(self.counts), flush=True)


if __name__ == "__main__":
    asyncio.run(Abuse(json.loads(sys.argv[1])).run())
