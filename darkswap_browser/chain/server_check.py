"""Whether each chain server answers by itself, and how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from darkswap_browser.chain.base import AssetSource, ChainSource
from darkswap_browser.errors import ChainError

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ServerState:
    """`kind`: "chain" or the kinds of assets that it indexes. `error` is empty where `height` is there."""

    server: str
    kind: str
    height: int | None
    error: str = ""
    hint: str = ""


async def check_servers(chains: Sequence[ChainSource], indexes: Sequence[AssetSource]) -> Sequence[ServerState]:
    """Each is asked for its latest block. Cancellation: Safe; it only reads."""
    return await asyncio.gather(*(_ask_chain(each) for each in chains), *(_ask_index(each) for each in indexes))


async def _ask_chain(source: ChainSource) -> ServerState:
    try:
        async with asyncio.timeout(SECONDS):
            return ServerState(source.name, "chain", (await source.tip()).height)
    except (ChainError, TimeoutError) as error:
        return _failure(source.name, "chain", error)


async def _ask_index(source: AssetSource) -> ServerState:
    kind = ", ".join(sorted(each.value for each in source.covers))
    try:
        async with asyncio.timeout(SECONDS):
            return ServerState(source.name, kind, await source.height())
    except (ChainError, TimeoutError) as error:
        return _failure(source.name, kind, error)


def _failure(server: str, kind: str, error: ChainError | TimeoutError) -> ServerState:
    if isinstance(error, ChainError):
        return ServerState(server, kind, None, str(error), error.hint)
    return ServerState(server, kind, None, f"{server}: no answer within {SECONDS:g} s", "Try again, or name another.")
