"""Keeps clients in all phases of a session, and counts what none of them should ever see: asyncio, in a
process of its own.

Commands and answers are lines of JSON on standard input and output:
    {"do": "look"}                    how many sessions are in which phase now
    {"do": "kill", "victim": pid, "others": [pid, ...]}
                                      SIGABRT to a worker. Sessions of the others must survive; those of the
                                      victim, and whose connection began before it was dead, need not
    {"do": "stop"}                    lets all sessions end, and reports
The end of standard input is the end of everything.

Usage: load_client.py SETTINGS        JSON: sessions, source (its address), ports {protocol: {tls mode: port}}"""

import asyncio
import collections
import itertools
import json
import os
import random
import signal
import socket
import ssl
import sys

from load_connection import Connection
from load_dialogues import CONTINUES, DIALOGUES

LIMIT_SECONDS = 15  # for each reply: who waits longer was forgotten
MODES = ("plain", "plain", "plain", "starttls", "implicit")


class Lost(Exception):
    """What the client did not deserve."""


class Session:
    def __init__(self, load, number, protocol, mode, hurry=False):
        self.load, self.number, self.protocol, self.mode, self.hurry = load, number, protocol, mode, hurry
        self.dialogue = DIALOGUES[protocol]
        self.user = b"%s%d" % (b"quick" if hurry else b"user", number)
        self.connection = self.port = None
        self.phase, self.doomed, self.relayed, self.complete = "connect", load.dying, False, False

    async def run(self):
        try:
            await self.talk()
            self.complete = True
            self.load.counts["complete"] += 1
        except Lost as error:
            self.load.lost(self, str(error))
        except ConnectionRefusedError:
            self.load.lost(self, "refused")
        except TimeoutError:
            self.load.lost(self, f"no reply in {LIMIT_SECONDS} s")
        except ssl.SSLError as error:
            self.load.lost(self, f"TLS: {error.reason}")
        except OSError as error:
            self.load.lost(self, type(error).__name__)
        finally:
            self.phase = "over"
            if self.connection:
                self.connection.close()

    async def talk(self):
        port = self.load.ports[self.protocol][self.mode]
        self.connection = await Connection.open(port, self.load.source, LIMIT_SECONDS)
        self.port = self.connection.port
        if self.mode == "implicit":
            await self.shake_hands()
        self.phase = "greeting"
        await self.hear(self.dialogue.greeting)
        self.load.greeted[self.port] += 1
        await self.pause(0.6)
        if self.mode == "starttls":
            await self.dialogue.start_tls(self.says)
            await self.shake_hands()
        self.phase = "login"
        for line, wanted in self.dialogue.login_steps(self.user, self.number):
            await self.says(line, wanted)
            await self.pause(0.2)
        self.phase, self.relayed = "relay", True
        long = self.number % 6 == 0
        for _ in range(1 if self.hurry else 25 if long else random.randint(3, 8)):
            await self.says(*self.dialogue.echo(self.user, b"%x" % random.getrandbits(60)), whole=True)
            await self.pause(0.4)
        self.phase = "end"
        await self.says(*self.dialogue.goodbye)
        if await self.connection.rest():
            raise Lost("more after the goodbye")

    async def shake_hands(self):
        self.phase = "tls"
        await self.connection.start_tls(self.load.tls)

    async def pause(self, most):
        if not self.hurry:
            await asyncio.sleep(random.uniform(0, most))

    async def says(self, line, wanted, whole=False):
        self.connection.send(line)
        now = self.load.loop.time()
        await self.hear(wanted, whole)
        self.load.slowest[self.phase] = max(self.load.slowest[self.phase], self.load.loop.time() - now)
        if self.doomed and not self.load.dying and now > self.load.died:
            self.doomed = False  # it is alive, with another worker

    async def hear(self, wanted, whole=False):
        more = CONTINUES[self.protocol]
        while True:
            line = await self.connection.line()
            if not line.endswith(b"\n"):
                raise Lost(f"end of the connection after {line!r}")
            if line == wanted if whole else line.startswith(wanted):
                return
            if self.phase == "relay" or not more or not line.startswith(more):
                raise Lost(f"{line!r} instead of {wanted!r}")


class Load:
    def __init__(self, settings):
        self.loop = asyncio.get_running_loop()
        self.ports, self.source, self.size = settings["ports"], settings["source"], settings["sessions"]
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
        self.numbers = itertools.count(1)
        self.counts, self.unexpected, self.allowed = collections.Counter(), [], collections.Counter()
        self.greeted, self.slowest = collections.Counter(), collections.Counter()
        self.cut = 0  # relayed sessions that a kill ended
        self.sessions = set()
        self.stopping, self.dying, self.died = False, False, 0.0

    def make(self, **options):
        number = next(self.numbers)
        session = Session(self, number, ("imap", "pop3", "smtp")[number % 3], random.choice(MODES), **options)
        self.counts["begun"] += 1
        self.sessions.add(session)
        return session

    async def run_one(self, **options):
        session = self.make(**options)
        await session.run()
        self.sessions.discard(session)
        return session

    async def slot(self, index):
        await asyncio.sleep(index / self.size)  # not all at the same moment
        while not self.stopping:
            if not (await self.run_one()).complete:
                await asyncio.sleep(random.uniform(0, 0.2))

    def lost(self, session, what):
        what = f"{session.phase}: {what}"
        if session.doomed:
            self.allowed[what] += 1
            self.cut += session.relayed
        else:
            self.unexpected.append(f"{session.protocol} {session.mode} {session.port} {what}")

    def look(self):
        return {"now": len(self.sessions), "complete": self.counts["complete"],
                **collections.Counter(one.phase for one in self.sessions)}

    async def kill(self, victim, others):
        descriptor = os.pidfd_open(victim)
        safe = set().union(*(ports_of(pid, self.source) for pid in others))
        dead = asyncio.Event()
        self.loop.add_reader(descriptor, dead.set)
        began, self.dying = self.loop.time(), True
        for session in self.sessions:
            session.doomed = session.port not in safe
        doomed = sum(one.doomed for one in self.sessions)
        os.kill(victim, signal.SIGABRT)  # a sanitizer would report SIGSEGV
        async with asyncio.timeout(LIMIT_SECONDS):
            await dead.wait()
        self.loop.remove_reader(descriptor)
        os.close(descriptor)
        self.dying, self.died = False, self.loop.time()
        safe_count = sum(not one.doomed for one in self.sessions)
        await self.run_one(hurry=True)
        return {"doomed": doomed, "safe": safe_count, "dead_after": self.died - began,
                "served_after": self.loop.time() - began}

    async def stop(self):
        self.stopping = True
        await asyncio.gather(*self.slots)
        return {**self.counts, "cut": self.cut, "unexpected": self.unexpected[:50],
                "unexpected_count": len(self.unexpected), "allowed": self.allowed, "greeted": self.greeted,
                "slowest": self.slowest}

    async def obey(self, command):
        if command["do"] == "look":
            return self.look()
        if command["do"] == "kill":
            return await self.kill(command["victim"], command["others"])
        return await self.stop()

    async def run(self):
        self.slots = [asyncio.create_task(self.slot(index)) for index in range(self.size)]
        reader = asyncio.StreamReader()
        await self.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            print(json.dumps(await self.obey(json.loads(line))), flush=True)


def ports_of(pid, client):
    """The ports of all that is connected from the client's address to a process."""
    inodes = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                link = os.readlink(f"/proc/{pid}/fd/{name}")
            except FileNotFoundError:
                continue
            if link.startswith("socket:["):
                inodes.add(link[8:-1])
    except FileNotFoundError:
        return set()
    wanted = socket.inet_aton(client)[::-1].hex().upper() + ":"
    with open("/proc/net/tcp") as table:
        rows = (line.split() for line in table)
        return {int(row[2].split(":")[1], 16) for row in rows if row[9] in inodes and row[2].startswith(wanted)}


if __name__ == "__main__":
    async def main():
        await Load(json.loads(sys.argv[1])).run()
    asyncio.run(main())
