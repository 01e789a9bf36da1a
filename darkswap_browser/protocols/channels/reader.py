"""Reads the stream of a channel, while its inbox has room and no other stream is being opened."""

from __future__ import annotations

import asyncio
from typing import Protocol

from darkswap_browser.errors import ConnectionLost, StreamError
from darkswap_browser.protocols.channels.channel_stream import ChannelStream
from darkswap_browser.protocols.channels.machine import ChannelMachine


class ReadChannel(Protocol):
    machine: ChannelMachine
    link: ChannelStream | None

    def arrived(self, link: ChannelStream, data: bytes) -> None: ...

    def detach_stream(self, link: ChannelStream) -> None: ...


class ChannelReader:
    """`is_paused`: nothing is read, since a HELLO with our position is on its way; call `look` after changing it."""

    def __init__(self, channel: ReadChannel) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self.is_paused = False

    def look(self) -> None:
        """Stop reading or go on, as the inbox has room."""
        inbox = self._channel.machine.inbox
        if self.is_paused or inbox.is_full:
            self._may_read.clear()
            if self._channel.link is not None:
                self._channel.link.push_to(None)
            return
        self._may_read.set()
        if inbox.is_held:
            self._loop.call_soon(self._go_on_with_rest)

    def end(self) -> None:
        self._may_read.set()

    def _go_on_with_rest(self) -> None:
        """There is room again for what was read and held back."""
        channel = self._channel
        if channel.link is not None and channel.machine.inbox.is_held and self._may_read.is_set():
            channel.arrived(channel.link, b"")

    async def read(self, link: ChannelStream) -> None:
        """Serve `link` until its stream ends or another takes its place. Cancellation: Nothing more is read of it."""
        try:
            while True:
                data = await link.stream.read()
                while not self._may_read.is_set():
                    await self._may_read.wait()
                if self._channel.link is not link:
                    return
                self._take(link, data)
                if self._channel.link is link and self._may_read.is_set():
                    # What comes next needs no task, until reading is stopped; then it comes here again.
                    link.push_to(lambda data: self._take(link, data))
        except (StreamError, ConnectionLost):
            self._channel.detach_stream(link)

    def _take(self, link: ChannelStream, data: bytes) -> None:
        if self._channel.link is link:
            self._channel.arrived(link, data)
