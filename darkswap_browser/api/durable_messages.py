"""Messages that outlive the process: in the store before they are accepted, until they are delivered or told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Container, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import DarkSwapError, MalformedMessage, MessageTooLarge, StorageError, TooManyRequests
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.protocols.channels.kept_messages import KeptMessages
from darkswap_browser.protocols.channels.messages import message_bytes
from darkswap_browser.protocols.channels.progress import Progress
from darkswap_browser.runtime.base.storage import QUARANTINE_PREFIX, KeyValueStore
from darkswap_browser.wire.fields import Data, Flag, Text
from darkswap_browser.wire.records import Record, pack, unpack

MAX_DURABLE_MESSAGE = 1024 * 1024
MAX_DURABLE_BYTES = 16 * 1024 * 1024
"""Of all that are kept for one identity."""
COST_OF_RECORD = 256
"""Bytes for which a message counts beside its own, so that empty ones are bounded too."""
_MAX_DEPTH = 4

Report = Callable[[str, BaseException], None]


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """`is_written`: it may have been given to a stream, so that nobody knows after a restart whether it arrived."""

    peer: str
    message: bytes
    is_written: bool


_MESSAGE = Record(
    OutgoingMessage,
    ("peer", Text(128)),
    ("message", Data(MAX_DURABLE_MESSAGE)),
    ("is_written", Flag()),
    tag="outgoing message 1",
)


def encode_outgoing(message: OutgoingMessage) -> bytes:
    return pack(_MESSAGE, message)


def decode_outgoing(data: bytes) -> OutgoingMessage:
    """Raises `MalformedMessage`."""
    return unpack(
        _MESSAGE, "outgoing message", data, max_size=MAX_DURABLE_MESSAGE + COST_OF_RECORD, max_depth=_MAX_DEPTH
    )


@dataclass(slots=True)
class Loaded:
    """What an earlier program left. `unwritten`: peer → (name, message), in order; `written`: peer → names."""

    unwritten: Mapping[str, Sequence[tuple[str, bytes]]]
    written: Mapping[str, Sequence[str]]


class DurableMessages:
    """A `MessageKeeper` of one identity: `outgoing-messages/<peer id>/<number>`.

    Args:
        report: Told of what fails in the background.
        set_aside: Told of a record that cannot be read (key, reason), which is in quarantine then.
    """

    def __init__(
        self, store: KeyValueStore, peer_id: str, report: Report, set_aside: Callable[[str, str], None]
    ) -> None:
        self._store = store
        self._prefix = f"outgoing-messages/{peer_id}/"
        self._report = report
        self._set_aside = set_aside
        self._tasks = Tasks(report)
        self._pending: set[asyncio.Task[None]] = set()
        self._sizes: dict[str, int] = {}
        self._number = 0

    async def load(self, known: Container[str]) -> Loaded:
        """What is kept, but for the names in `known`, which somebody goes on with already. Cancellation: Safe."""
        unwritten: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
        written: dict[str, list[str]] = defaultdict(list)
        for key in await self._store.keys(self._prefix):
            name = key.removeprefix(self._prefix)
            found = await self._read(key)
            if name.isdecimal():
                self._number = max(self._number, int(name))
            if found is None:
                continue
            self._sizes[name] = len(found.message) + COST_OF_RECORD
            if name in known:
                continue
            if found.is_written:
                written[found.peer].append(name)
            else:
                unwritten[found.peer].append((name, found.message))
        return Loaded(unwritten, written)

    async def _read(self, key: str) -> OutgoingMessage | None:
        data = await self._store.get(key)
        try:
            return None if data is None else decode_outgoing(data)
        except MalformedMessage as error:
            with suppress(StorageError):  # full: it stays where it is, and is told at the next start too
                await self._store.move(key, QUARANTINE_PREFIX + key, data or b"")
            self._set_aside(key, str(error))
            return None

    async def send(
        self,
        channel: Channel,
        message: bytes | bytearray | memoryview,
        on_progress: Progress | None = None,
        *,
        delivered: bool = False,
        on_accepted: Callable[[int], None] | None = None,
    ) -> int:
        """Keep `message`, then send it as `Channel.send` does.

        Raises:
            TooManyRequests: Too many bytes are kept already.
            StorageError, NodeMoved: It could not be kept, and was not accepted.

        Cancellation: Before it is accepted, the message is neither kept nor sent; afterwards it goes on.
        """
        data = message_bytes(message)
        if len(data) > MAX_DURABLE_MESSAGE:
            raise MessageTooLarge(len(data), MAX_DURABLE_MESSAGE)
        if sum(self._sizes.values()) + len(data) + COST_OF_RECORD > MAX_DURABLE_BYTES:
            raise TooManyRequests("bytes of durable messages", MAX_DURABLE_BYTES)
        self._number += 1
        name = f"{self._number:020d}"
        self._sizes[name] = len(data) + COST_OF_RECORD
        accepted: list[int] = []

        def note(number: int) -> None:
            accepted.append(number)
            if on_accepted is not None:
                on_accepted(number)

        try:
            is_written = channel.link is not None or not channel.was_open
            await self._put(name, OutgoingMessage(channel.peer, data, is_written))
            if not is_written and (channel.link is not None or not channel.sending.has_room):
                is_written = True
                await self._put(name, OutgoingMessage(channel.peer, data, is_written))
            return await channel.sending.send(
                data,
                delivered=delivered,
                on_progress=on_progress,
                on_accepted=note,
                name=name,
                is_marked=is_written,
            )
        finally:
            if not accepted:
                self.settled([name])

    async def _put(self, name: str, message: OutgoingMessage) -> None:
        await self._store.put(self._prefix + name, encode_outgoing(message))

    # --- of a channel

    def settled(self, names: Sequence[str]) -> None:
        for name in names:
            self._sizes.pop(name, None)
        self._spawn(self._delete(names), "settled messages")

    async def _delete(self, names: Sequence[str]) -> None:
        try:
            for name in names:
                await self._store.delete(self._prefix + name)
        except DarkSwapError as error:
            self._report("a message that is kept no longer", error)

    def mark(self, kept: KeptMessages) -> None:
        self._spawn(self._mark(kept, frozenset(kept.unmarked)), "messages about to be written")

    async def _mark(self, kept: KeptMessages, names: frozenset[str]) -> None:
        try:
            for name in sorted(names):
                if (found := await self._read(self._prefix + name)) is not None:
                    await self._put(name, replace(found, is_written=True))
        except DarkSwapError as error:
            # Whoever relieved this node goes on with them; of a store that fails, a second delivery is the lesser evil.
            self._report("a message that is about to be written", error)
        kept.marked(names)

    async def finish(self) -> None:
        """Write what is left to be written. Cancellation: Safe; what was settled may be told again."""
        while self._pending:
            await asyncio.wait(self._pending)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = self._tasks.spawn(work, name)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
