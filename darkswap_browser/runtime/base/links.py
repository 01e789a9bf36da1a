"""Interfaces: WebSocket and TCP links."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol


class ByteLink(Protocol):
    """A raw duplex of bytes: a WebSocket or a TCP socket. Message boundaries mean nothing.

    A subset of `net.stream.Stream`, so a relayed stream can stand in for a socket.
    """

    async def read(self, max_bytes: int = 65536) -> bytes:
        """At least one byte. Raises `EndOfStream` when the other side finished, `ConnectionLost` when it broke."""
        ...

    async def write(self, data: bytes) -> None:
        """Returns when the host's send buffer has room again (back-pressure). Raises `ConnectionLost`."""
        ...

    async def close(self) -> None:
        """Flush and close both directions. Idempotent; never raises for a link that is already gone."""
        ...

    def reset(self) -> None:
        """Drop the link at once. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class LinkListener:
    """A listening socket. `port` is the one bound (when 0 was asked for); `close` stops accepting."""

    host: str
    port: int
    close: Callable[[], Awaitable[None]]


LinkHandler = Callable[[ByteLink, str], Coroutine[Any, Any, None]]
"""Called with each accepted link and the remote's IP address as text; runs in a task of its own."""


class AdmittedLink(Protocol):
    """A link that a gate let in and counts."""

    @property
    def source(self) -> str | None:
        """Under which address it is counted; None: under none."""
        ...

    def identify(self, ip: str) -> bool:
        """A proxy in front says that it comes from `ip`. False: it has to go."""
        ...

    def leave(self) -> None:
        """The link is gone. Idempotent."""
        ...


class LinkGate(Protocol):
    """Counts the links of listening sockets from the moment they are accepted, before a byte is read."""

    def enter(self, ip: str, drop: Callable[[], None]) -> AdmittedLink | None:
        """A link from `ip`; None: it has to go. `drop` ends it when another one needs its place."""
        ...

    def trusts(self, ip: str) -> bool:
        """Whether `ip` is a proxy whose word of the client's address counts."""
        ...

    def ignored(self, ip: str) -> None:
        """A link from `ip`, which is not trusted, names a client as proxies do."""
        ...


class Sockets(Protocol):
    """Ways to reach out. A host raises `Unsupported` for what it has not."""

    async def connect_websocket(self, url: str) -> ByteLink:
        """`ws://` or `wss://`; raises `ConnectionLost` when it cannot be opened."""
        ...

    async def connect_tcp(self, host: str, port: int) -> ByteLink: ...

    async def listen_websocket(
        self, host: str, port: int, handler: LinkHandler, tls: tuple[str, str] | None = None
    ) -> LinkListener:
        """`tls` = paths of certificate chain and private key (PEM): then it is `wss`."""
        ...

    async def listen_tcp(self, host: str, port: int, handler: LinkHandler) -> LinkListener: ...
