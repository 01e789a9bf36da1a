"""A hop of TCP on loopback that holds every byte for a while, as a relay far away does."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress


class DelayedHop:
    """Ports that lead to other ports later. Runs in a thread of its own until `close`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def through(self, address: str) -> str:
        """The multiaddr `address`, which has a /tcp/PORT of this machine, behind a delayed port."""
        parts = address.split("/")
        at = parts.index("tcp") + 1
        opening = asyncio.run_coroutine_threadsafe(self._listen(int(parts[at])), self._loop)
        parts[at] = str(opening.result(10))
        return "/".join(parts)

    def close(self) -> None:
        """Drop every connection."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    async def _listen(self, port: int) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # Either side may be gone: then this connection is over, and nothing else.
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while data := await reader.read(65536):
            loop.call_later(self._seconds, writer.write, data)
        loop.call_later(self._seconds, writer.close)
