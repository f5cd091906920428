"""A connection that is read by lines, for asyncio: with TLS begun at any time, and less work than streams."""

import asyncio


class Connection(asyncio.Protocol):
    def __init__(self, limit_seconds):
        self._loop, self._limit = asyncio.get_running_loop(), limit_seconds
        self._pending, self._over, self._error, self._waiter = b"", False, None, None

    @classmethod
    async def open(cls, port, source, limit_seconds):
        async with asyncio.timeout(limit_seconds):
            connection = cls(limit_seconds)
            await connection._loop.create_connection(lambda: connection, "127.0.0.1", port, local_addr=(source, 0))
            connection.port = connection._transport.get_extra_info("sockname")[1]
            return connection

    async def start_tls(self, context):
        async with asyncio.timeout(self._limit):
            transport = self._transport
            self._transport = await self._loop.start_tls(transport, self, context)
            if self._error:
                raise self._error

    def send(self, line):
        self._transport.write(line + b"\r\n")

    async def line(self):
        """The next line; what is there of it if the connection ended."""
        while b"\n" not in self._pending and not self._over:
            await self._more()
        if self._error and b"\n" not in self._pending:
            raise self._error
        line, ending, self._pending = self._pending.partition(b"\n")
        return line + ending

    async def rest(self):
        """All until the end."""
        while not self._over:
            await self._more()
        return self._pending

    def close(self):
        self._transport.abort()

    async def _more(self):
        self._waiter = self._loop.create_future()
        try:
            async with asyncio.timeout(self._limit):
                await self._waiter
        finally:
            self._waiter = None

    def _wake(self):
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._pending += data
        self._wake()

    def eof_received(self):
        self._over = True
        self._wake()

    def connection_lost(self, error):
        self._over, self._error = True, self._error or error
        self._wake()
