"""The node on the network: one address for Esplora (/api), ord (/ord), alkanes (/alkanes) and the verbs (/regtest)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from darkswap_browser.regtest.chain.ledger import Index, Ledger
from darkswap_browser.regtest.chain.node import RegtestNode
from darkswap_browser.regtest.chain.policy import STRICT, Rules
from darkswap_browser.regtest.faucet import ALKANES, BITCOIN, Faucet
from darkswap_browser.regtest.genesis import build_genesis
from darkswap_browser.regtest.indexes.alkanes import AlkaneIndex
from darkswap_browser.regtest.indexes.runes import RuneIndex
from darkswap_browser.regtest.servers.alkanes import AlkanesServer
from darkswap_browser.regtest.servers.control import Control
from darkswap_browser.regtest.servers.esplora import EsploraServer
from darkswap_browser.regtest.servers.faults import Faults
from darkswap_browser.regtest.servers.http import HttpRequest, HttpServer
from darkswap_browser.regtest.servers.ord import OrdServer
from darkswap_browser.regtest.servers.requests import Request, RequestError, Response, Server, text

SETTLED = 6
"""Blocks that the timer mines upon a transaction's: what the watchers of a trade wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegtestOptions:
    """`block_seconds`: 0 mines on demand only. `clock` gives unix seconds."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    block_seconds: float = 0.0
    rules: Rules = STRICT
    clock: Callable[[], float] = time.time


class RegtestService:
    """`node`, `runes`, `alkanes`, `faucet` and `faults` can be used by whoever runs in the same process."""

    def __init__(self, options: RegtestOptions) -> None:
        self._options = options
        self.runes: RuneIndex
        self.alkanes: AlkaneIndex
        self.node = RegtestNode(options.folder, options.clock, options.rules, self._indexes)
        self.faucet = Faucet(self.node, self.runes, self.alkanes)
        self.faults = Faults()
        build_genesis(self.node, self.runes, self.faucet.funds)
        self._servers: dict[str, Server] = {
            "api": EsploraServer(self.node).answer,
            "ord": OrdServer(self.node, self.runes).answer,
            "alkanes": AlkanesServer(self.node, self.alkanes).answer,
            "regtest": Control(self.node, self.faucet, self.faults).answer,
        }
        self._http = HttpServer(self.answer)
        self._timer: asyncio.Task[None] | None = None

    def _indexes(self, ledger: Ledger) -> list[Index]:
        self.runes, self.alkanes = RuneIndex(ledger), AlkaneIndex(ledger, ALKANES)
        return [self.runes, self.alkanes]

    @property
    def url(self) -> str:
        return f"http://{self._options.host}:{self._http.port}"

    async def start(self) -> None:
        """Raises `OSError` when the port cannot be had."""
        await self._http.open(self._options.host, self._options.port)
        if self._options.block_seconds:
            self._timer = asyncio.create_task(self._mine())

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.gather(self._timer, return_exceptions=True)
        await self._http.close()
        self.node.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _mine(self) -> None:
        """While something waits, and until what was mined is settled; then the chain rests."""
        while True:
            await asyncio.sleep(self._options.block_seconds)
            if self.is_due():
                self.node.mine(1, BITCOIN)

    def is_due(self) -> bool:
        """Whether another block has a use."""
        newest = self.node.ledger.blocks[-SETTLED:]
        return bool(self.node.mempool.waiting) or any(len(each.txids) > 1 for each in newest)

    async def answer(self, request: HttpRequest) -> Response | None:
        """Also without HTTP: for tests whose network is simulated. None: the connection is broken off."""
        try:
            parts = urlsplit(request.target)
        except ValueError:
            return text("The address cannot be read.", 400)
        prefix, *path = [unquote(piece) for piece in parts.path.split("/")[1:]]
        if path and path[-1] == "":
            path.pop()
        server = self._servers.get(prefix)
        if server is None:
            return text(f"This is a regtest chain: {', '.join(f'/{name}' for name in self._servers)}.", 404)
        method = "GET" if request.method == "HEAD" else request.method
        asked = Request(method, tuple(path), dict(parse_qsl(parts.query)), request.body)
        try:
            if prefix == "regtest":
                if not _is_local(request.headers.get("origin", "")):
                    return text("Only pages of this machine may work the chain.", 403)
                return server(asked)
            return await self.faults.answer(prefix, asked, server)
        except RequestError as refusal:
            return refusal.answer


def _is_local(origin: str) -> bool:
    """Whether a request comes from no page, or from one of this machine: any other may be open in the browser."""
    host = origin.partition("://")[2].rpartition(":")[0] or origin.partition("://")[2]
    return not origin or host in ("localhost", "127.0.0.1", "[::1]") or host.endswith(".localhost")
