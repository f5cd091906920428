"""Sessions that are logged in and talk all the time, each line with the mark of its session: whatever else happens
to the proxy, they must not notice."""

import asyncio
import itertools
import ssl
import threading

from .load_connection import Connection
from .load_dialogues import CONTINUES, DIALOGUES
from .ports import wait_until

KINDS = (("imap", "plain"), ("pop3", "plain"), ("smtp", "plain"), ("imap", "implicit"), ("pop3", "starttls"))


class LiveSessions:
    """`ports`: {protocol: {"plain", "starttls" or "implicit": port}}; the mailbox servers are LoadServers'. A thread
    runs them until `stop`. `pause`: seconds between a session's lines."""

    def __init__(self, ports, count=10, pause=0.005, limit_seconds=10, source="127.0.0.1"):
        self._ports, self._pause, self._limit, self._source = ports, pause, limit_seconds, source
        self.exchanged = [0] * count  # lines of each
        self.slowest = 0.0            # answer, in seconds
        self.errors = []
        self._stopping = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(count,), daemon=True)
        self._thread.start()
        try:
            wait_until(lambda: self.errors or all(self.exchanged), "all sessions are logged in", 30)
            assert not self.errors, self.errors
        except BaseException:
            self._end()
            raise

    def check(self):
        """Each of them goes on: none has seen anything that it should not, and each gets answers from now on."""
        before = list(self.exchanged)
        wait_until(lambda: self.errors or all(now >= then + 2 for now, then in zip(self.exchanged, before)),
                   "all sessions go on", 15)
        assert not self.errors, self.errors

    def stop(self):
        """Says goodbye in all of them; returns how many lines each has exchanged."""
        self._end()
        assert not self.errors, self.errors
        return self.exchanged

    def _end(self):
        self._stopping = True
        self._thread.join(30)
        assert not self._thread.is_alive(), "sessions do not end"

    def _run(self, count):
        asyncio.set_event_loop(self._loop)
        kinds = itertools.cycle((protocol, mode) for protocol, mode in KINDS if mode in self._ports.get(protocol, ()))
        self._loop.run_until_complete(asyncio.gather(*(self._guard(index, *next(kinds)) for index in range(count))))
        self._loop.close()

    async def _guard(self, index, protocol, mode):
        try:
            await self._talk(index, protocol, mode)
        except Exception as error:
            self.errors.append(f"session {index}, {protocol} {mode}, after {self.exchanged[index]} lines: {error!r}")

    async def _talk(self, index, protocol, mode):
        user, dialogue, more = b"live%d" % index, DIALOGUES[protocol], CONTINUES[protocol]
        connection = await Connection.open(self._ports[protocol][mode], self._source, self._limit)
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE

        async def says(line, wanted, whole=False):
            if line is not None:
                connection.send(line)
            while (heard := await connection.line()).startswith(more or b"\0") and not heard.startswith(wanted):
                pass
            assert heard == wanted if whole else heard.startswith(wanted), (heard, wanted)

        try:
            if mode == "implicit":
                await connection.start_tls(tls)
            await says(None, dialogue.greeting)
            if mode == "starttls":
                await dialogue.start_tls(says)
                await connection.start_tls(tls)
            for line, wanted in dialogue.login_steps(user, index):
                await says(line, wanted)
            while not self._stopping:
                mark = b"mark-%d-%d" % (index, self.exchanged[index])
                began = self._loop.time()
                await says(*dialogue.echo(user, mark), whole=True)
                self.slowest = max(self.slowest, self._loop.time() - began)
                self.exchanged[index] += 1
                await asyncio.sleep(self._pause)
            await says(*dialogue.goodbye)
            rest = await connection.rest()
            assert not rest, rest
        finally:
            connection.close()
