"""All configured servers as one `Chain`: whom to believe.

Shown is the first answer. Before money moves (`verify=True`) as many servers as the quorum says must agree, no index
may be behind the chain, and on who spent an output all must agree: one alone may have seen the double-spend. What no
server can say stays unknown. A new block reaches servers seconds apart, so what they disagree on is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import TypeVar

from darkswap_browser.bitcoin.networks import GENESIS
from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.agreement import (
    ServerAnswer,
    ask_all,
    ask_first,
    require_quorum,
    require_unanimous,
)
from darkswap_browser.chain.alkanes import AlkanesClient
from darkswap_browser.chain.base import (
    UNKNOWN,
    AssetSource,
    ChainConfig,
    ChainSource,
    OutputAssets,
    ServerQuorum,
    Spend,
    Tip,
    TxStatus,
    Utxo,
)
from darkswap_browser.chain.block_cache import (
    AGREED_SECONDS,
    BlockCache,
    Contents,
    contents_of,
    holdings_of,
    merged,
    nothing_of,
)
from darkswap_browser.chain.esplora import EsploraClient
from darkswap_browser.chain.fee_estimates import FeeEstimates
from darkswap_browser.chain.ord import OrdClient
from darkswap_browser.chain.requests import Server
from darkswap_browser.chain.server_check import ServerState, check_servers
from darkswap_browser.chain.transaction_cache import TransactionCache
from darkswap_browser.concurrency.shared_call import SharedCalls
from darkswap_browser.errors import BroadcastRejected, ChainError, ChainInconsistent, ChainUnreachable, IndexerLagging
from darkswap_browser.market.assets import BITCOIN_INFO, BTC, Asset, AssetKind, AssetMetadata
from darkswap_browser.runtime.base.crypto import Entropy
from darkswap_browser.runtime.base.http import Fetch
from darkswap_browser.runtime.base.storage import KeyValueStore

MAX_FEE_RATE = 500_000
"""Sats per 1000 vB: no server may make anybody pay more."""
ROUNDS = 3
ROUND_SECONDS = 2.0
"""Between asking again what servers do not agree on."""
BROADCAST_SECONDS = 1.0
"""For the other servers to take a transaction that one has taken: the other side waits for it."""
SHOWN_SECONDS = 10.0
"""How long heights are good for what is only shown."""
BEHIND = 1
"""Blocks that an index, or a server beside another, may be behind."""


T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")


def open_chain(
    config: ChainConfig, *, fetch: Fetch, store: KeyValueStore, entropy: Entropy, max_fee_rate: int = MAX_FEE_RATE
) -> Quorum:
    """The servers of `config`, each with a queue of its own."""
    kept = TransactionCache(store)

    def server(base_url: str) -> Server:
        return Server(base_url, fetch=fetch, entropy=entropy, headers=config.headers.get(base_url))

    return Quorum(
        [EsploraClient(server(base), kept) for base in config.esplora],
        [
            *(OrdClient(server(base), config.network) for base in config.ord),
            *(AlkanesClient(server(base), config.network) for base in config.alkanes),
        ],
        config.quorum,
        max_fee_rate,
        config.network,
    )


class Quorum:
    """Fulfils `Chain`. `quorum` is lowered to the number of servers of a kind where there are fewer. `network`: which
    chain the servers must be of before anything is signed or broadcast; "" asks nobody.
    """

    def __init__(
        self,
        chains: Sequence[ChainSource],
        indexes: Sequence[AssetSource],
        quorum: int = 1,
        max_fee_rate: int = MAX_FEE_RATE,
        network: str = "",
    ) -> None:
        self._network = network
        self._chains = tuple(chains)
        self._indexes = tuple(indexes)
        self._quorum = max(quorum, 1)
        self._genesis: str | None = None
        self._fees = FeeEstimates(max_fee_rate)
        self._recent: tuple[float, Tip] | None = None
        """The loop's time of the look, and what was seen."""
        self._lags: dict[str, tuple[float, bool]] = {}
        """By index: the loop's time of the look, and whether it was behind."""
        self._agreed: tuple[float, Tip] | None = None
        self._calls = SharedCalls()
        self._facts = BlockCache()
        self._seen = BlockCache()
        """By the word of one server, for what is only shown."""

    def _needed(self, sources: Sequence[object]) -> int:
        return min(self._quorum, max(len(sources), 1))

    async def _every(
        self, ask: Callable[[ChainSource], Awaitable[T]]
    ) -> tuple[list[ServerAnswer[T]], list[ChainError]]:
        return await ask_all(self._chains, ask, self._needed(self._chains))

    async def tip(self, *, verify: bool = False) -> Tip:
        if not verify:
            return await ask_first(self._chains, lambda source: source.tip())
        return await _again(self._agreed_tip)

    async def _agreed_tip(self) -> Tip:
        """As `_ask_tip`; questions at once are one, and the answer is good for a moment."""
        if self._agreed is not None and asyncio.get_running_loop().time() - self._agreed[0] < AGREED_SECONDS:
            return self._agreed[1]
        await self._require_network()
        tip = await self._calls.run("tip", self._ask_tip)
        self._agreed = asyncio.get_running_loop().time(), tip
        self._facts.at(tip)
        return tip

    async def _ask_tip(self) -> Tip:
        """The highest block that enough servers are at, or one behind."""
        answers, failures = await self._every(lambda source: source.tip())
        needed = self._needed(self._chains)
        if len(answers) < needed:
            raise failures[0] if failures else ChainUnreachable("chain", "no server answers")
        highest = max(answers, key=lambda given: given.value.height)
        for height in sorted({given.value.height for given in answers}, reverse=True):
            near = [given for given in answers if height - BEHIND <= given.value.height <= height]
            if len(near) >= needed:
                at_it = [ServerAnswer(given.source, given.value) for given in near if given.value.height == height]
                return require_unanimous("the latest block", at_it, failures, 1)
        slowest = min(answers, key=lambda given: given.value.height)
        raise IndexerLagging(slowest.source, slowest.value.height, highest.value.height)

    async def genesis(self) -> str:
        if self._genesis is None:
            answers, failures = await self._every(lambda source: source.block_hash(0))
            self._genesis = require_unanimous("the network", answers, failures, self._needed(self._chains))
        return self._genesis

    async def _require_network(self) -> None:
        """Raises `ChainInconsistent` for servers of another network, whose addresses may be the same."""
        if self._network and await self.genesis() != GENESIS[self._network]:
            names = ", ".join(source.name for source in self._chains)
            raise ChainInconsistent(names, f"are servers of another network than {self._network}")

    async def transaction(self, txid: str) -> bytes:
        return await ask_first(self._chains, lambda source: source.transaction(txid))

    async def status(self, txid: str, *, verify: bool = False) -> TxStatus | None:
        if not verify:
            return await ask_first(self._chains, lambda source: source.status(txid))

        return await _again(lambda: self._agreed_status(txid))

    async def _agreed_status(self, txid: str) -> TxStatus | None:
        facts = await self._facts_now()
        known = facts.statuses
        if txid in known:
            return known[txid]

        async def ask() -> TxStatus | None:
            answers, failures = await self._every(lambda source: source.status(txid))
            return require_quorum(f"where transaction {txid} is", answers, failures, self._needed(self._chains))

        found = await self._calls.run(("status", txid), ask)
        if found is not None and found.height is not None:
            facts.keep(known, txid, found)
            if self._agreed is not None and found.height > self._agreed[1].height:
                # There is a later block than the one that was good for a moment: whoever asks for the tip sees it.
                self._agreed = None
        return found

    async def _facts_now(self) -> BlockCache:
        await self._agreed_tip()
        return self._facts

    async def spend(self, outpoint: OutPoint, *, verify: bool = False) -> Spend | None:
        if not verify:
            return await ask_first(self._chains, lambda source: source.spend(outpoint))

        async def ask() -> Spend | None:
            await self._require_network()
            answers, failures = await self._every(lambda source: source.spend(outpoint))
            return require_unanimous(f"who spends {outpoint}", answers, failures, self._needed(self._chains))

        return await _again(ask)

    async def utxos(self, script: bytes) -> Sequence[Utxo]:
        return await ask_first(self._chains, lambda source: source.utxos(script))

    async def broadcast(self, raw: bytes) -> str:
        await self._require_network()
        answers, failures = await ask_all(self._chains, lambda source: source.broadcast(raw), 1, BROADCAST_SECONDS)
        if answers:
            return answers[0].value
        raise next((error for error in failures if isinstance(error, BroadcastRejected)), failures[0])

    async def fee_rate(self, target: int) -> int:
        answers, failures = await self._every(lambda source: source.fee_rates())
        return self._fees.choose(target, answers, failures, self._needed(self._chains))

    async def holdings(self, outpoints: Sequence[OutPoint], *, verify: bool = False) -> Mapping[OutPoint, OutputAssets]:
        """Of a kind without a server, or of which a verified quorum says nothing, the holdings are unknown.

        Whether an output is unspent is another question: `spend`. Of an unconfirmed output only `verify=True` says
        "unknown"; an index of alkanes by itself says "nothing".
        """
        asked = tuple(dict.fromkeys(outpoints))
        found = dict.fromkeys(asked, UNKNOWN)
        if not asked:
            return found
        kinds = (AssetKind.RUNE, AssetKind.ALKANE)
        lists = [[source for source in self._indexes if kind in source.covers] for kind in kinds]
        look = self._verified if verify else self._shown
        for part in await asyncio.gather(*(look(sources, asked) for sources in lists if sources)):
            found = {outpoint: merged(found[outpoint], part[outpoint]) for outpoint in asked}
        return found

    async def _shown(
        self, sources: Sequence[AssetSource], outpoints: tuple[OutPoint, ...]
    ) -> Mapping[OutPoint, OutputAssets]:
        """Unknown while every index is away or behind: of an output it has not read it would say "empty"."""
        tip = await self._recent_tip()
        kinds = frozenset().union(*(source.covers for source in sources))
        known = self._seen.contents.setdefault(kinds, {})
        missing = [each for each in outpoints if each not in known]

        async def ask(source: AssetSource) -> Mapping[OutPoint, OutputAssets]:
            if await self._is_behind(source, tip):
                raise ChainError(source.name, "is behind")
            held = await source.holdings(missing)
            return {**held, **await self._too_old(source, [each for each in missing if held[each] == UNKNOWN])}

        try:
            read = await ask_first(sources, ask) if missing else {}
        except ChainError:
            read = dict.fromkeys(missing, UNKNOWN)
        for outpoint, held in read.items():
            if held.runes or held.alkanes or held.inscriptions:
                # "Nothing" may be said of an output that is in no block yet.
                self._seen.keep(known, outpoint, contents_of(held))
        return {each: read[each] if each in read else holdings_of(*known[each]) for each in outpoints}

    async def _too_old(self, source: AssetSource, unknown: Sequence[OutPoint]) -> Mapping[OutPoint, OutputAssets]:
        """Those among outputs that an index does not know which it cannot know, and which hold nothing of its kinds."""
        if not source.first_height or not unknown:
            return {}
        statuses = await asyncio.gather(*(self.status(each.txid) for each in unknown))
        return {
            each: nothing_of(source.covers)
            for each, status in zip(unknown, statuses, strict=True)
            if status is not None and status.height is not None and status.height < source.first_height
        }

    async def _recent_tip(self) -> Tip:
        now = asyncio.get_running_loop().time()
        if self._recent is None or now - self._recent[0] >= SHOWN_SECONDS:
            self._recent = now, await self.tip()
            self._seen.at(self._recent[1])
        return self._recent[1]

    async def _is_behind(self, source: AssetSource, tip: Tip) -> bool:
        now = asyncio.get_running_loop().time()
        looked, behind = self._lags.get(source.name, (-SHOWN_SECONDS, True))
        if behind or now - looked >= SHOWN_SECONDS:
            behind = await source.height() < tip.height - BEHIND
            self._lags[source.name] = now, behind
        return behind

    async def _verified(
        self, sources: Sequence[AssetSource], outpoints: tuple[OutPoint, ...]
    ) -> Mapping[OutPoint, OutputAssets]:
        kinds = frozenset().union(*(source.covers for source in sources))

        async def ask() -> Mapping[OutPoint, OutputAssets]:
            facts = await self._facts_now()
            known = facts.contents.setdefault(kinds, {})
            missing = tuple(each for each in outpoints if each not in known)
            read = dict(zip(missing, await self._read(sources, missing), strict=True)) if missing else {}
            for outpoint, held in read.items():
                if held != contents_of(UNKNOWN):
                    facts.keep(known, outpoint, held)
            return {each: holdings_of(*(read[each] if each in read else known[each])) for each in outpoints}

        return await _again(ask)

    async def _read(self, sources: Sequence[AssetSource], outpoints: tuple[OutPoint, ...]) -> Contents:
        tip, mined = await asyncio.gather(self._agreed_tip(), self._mined({each.txid for each in outpoints}))

        async def ask_one(source: AssetSource) -> Contents:
            height = await _checked_height(source, tip)
            held = await source.holdings(outpoints)
            # It may have gone back for a reorganisation meanwhile.
            height = min(height, await _checked_height(source, tip))

            def judged(each: OutPoint) -> OutputAssets:
                if mined[each.txid] > height:
                    return UNKNOWN
                is_too_old = held[each] == UNKNOWN and mined[each.txid] < source.first_height
                return nothing_of(source.covers) if is_too_old else held[each]

            return tuple(contents_of(judged(each)) for each in outpoints)

        answers, failures = await ask_all(sources, ask_one, self._needed(sources))
        return require_quorum("what outputs hold", answers, failures, self._needed(sources))

    async def _mined(self, txids: set[str]) -> Mapping[str, float]:
        """By txid the height, or infinity: of an output in no block that it read, an index says "nothing"."""
        statuses = await asyncio.gather(*map(self._agreed_status, txids))
        heights = (inf if status is None or status.height is None else status.height for status in statuses)
        return dict(zip(txids, heights, strict=True))

    async def info(self, asset: Asset) -> AssetMetadata | None:
        if asset == BTC:
            return BITCOIN_INFO
        return await self._described(asset.kind, lambda source: source.info(asset), f"what {asset} is")

    async def find(self, kind: AssetKind, name: str) -> AssetMetadata | None:
        if kind is AssetKind.BTC:
            return BITCOIN_INFO if name.strip().lower() in ("btc", "bitcoin") else None
        return await self._described(kind, lambda source: source.find(name), f"which {kind} is called {name[:80]!r}")

    async def _described(
        self, kind: AssetKind, ask: Callable[[AssetSource], Awaitable[AssetMetadata | None]], what: str
    ) -> AssetMetadata | None:
        """As many indexes as the quorum says agree on id, name and decimals; the rest is the first one's word."""
        sources = self._covering(kind)
        needed = self._needed(sources)
        if needed == 1:
            return await ask_first(sources, ask)
        answers, failures = await ask_all(sources, ask, needed)
        keys = [ServerAnswer(given.source, _identifying(given.value)) for given in answers]
        agreed = require_quorum(what, keys, failures, needed)
        found = [given.value for given in answers if _identifying(given.value) == agreed]
        return None if found[0] is None else replace(found[0], agreed_by=len(found))

    def quorum_for(self, kind: AssetKind) -> ServerQuorum:
        sources = self._chains if kind is AssetKind.BTC else self._covering(kind)
        return ServerQuorum(tuple(source.name for source in sources), self._needed(sources))

    async def check_servers(self) -> Sequence[ServerState]:
        """Whether each answers by itself. Cancellation: Safe; it only reads."""
        return await check_servers(self._chains, self._indexes)

    def _covering(self, kind: AssetKind) -> list[AssetSource]:
        return [source for source in self._indexes if kind in source.covers]


async def _again(ask: Callable[[], Awaitable[T]]) -> T:
    for _ in range(ROUNDS - 1):
        try:
            return await ask()
        except (ChainInconsistent, IndexerLagging):
            await asyncio.sleep(ROUND_SECONDS)
    return await ask()


async def _checked_height(source: AssetSource, tip: Tip) -> int:
    height = await source.height()
    if height < tip.height - BEHIND:
        raise IndexerLagging(source.name, height, tip.height)
    if height > tip.height + BEHIND:
        raise ChainInconsistent(source.name, f"is at block {height}, beyond the chain servers at {tip.height}")
    return height


def _identifying(info: AssetMetadata | None) -> tuple[Asset, str, int] | None:
    return None if info is None else (info.asset, info.name, info.decimals)
