"""Gives the stream of a channel what there is to write."""

from __future__ import annotations

from collections.abc import Callable

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import ConnectionLost, StreamError
from darkswap_browser.protocols.channels.channel_stream import ChannelStream


class ChannelWriter:
    """`next_output` says what a stream carries next, `broken` is told of one that takes nothing more."""

    def __init__(
        self, tasks: Tasks, next_output: Callable[[ChannelStream], bytes], broken: Callable[[ChannelStream], None]
    ) -> None:
        self._tasks = tasks
        self._next_output = next_output
        self._broken = broken

    def pump(self, link: ChannelStream) -> None:
        """Hand to the stream what it takes at once; the rest is a task's."""
        if link.is_writing:
            return
        try:
            while data := self._next_output(link):
                link.writes += 1
                if link.prompt is None or not link.prompt.try_write(data):
                    link.is_writing = True
                    self._tasks.spawn(self._write(link, data), "channel write")
                    break
        except (StreamError, ConnectionLost):
            self._broken(link)

    async def _write(self, link: ChannelStream, data: bytes) -> None:
        try:
            while data:
                await link.stream.write(data)
                link.writes += 1
                data = self._next_output(link)
        except (StreamError, ConnectionLost):
            self._broken(link)
        finally:
            link.is_writing = False
