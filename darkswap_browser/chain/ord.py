"""An index of runes and inscriptions: the server of ordinals/ord with `--index-runes`, asked for JSON."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from darkswap_browser.bitcoin.networks import FIRST_INSCRIPTION
from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import UNKNOWN, OutputAssets
from darkswap_browser.chain.json_text import JsonValue, parse
from darkswap_browser.chain.requests import Server
from darkswap_browser.errors import ChainError, ChainInconsistent, InvalidArgument, NotOnChain
from darkswap_browser.market.assets import MAX_U128, Asset, AssetKind, AssetMetadata
from darkswap_browser.runtime.base.http import HttpResponse

AS_JSON = {"Accept": "application/json"}
BATCH = 100
"""Outputs in one question: an answer of some 100 KB."""
MAX_HEIGHT = 500_000_000
SETTLED = 6
"""Blocks after which the id of a rune is remembered: a reorganisation would give its name another."""
MAX_NAMES = 4096
"""Ids remembered by name."""
MAX_DECIMALS = 38
SPACERS = str.maketrans("", "", "•.")
_NAME = re.compile(r"[A-Z]{1,28}")


class OrdClient:
    """Fulfils `AssetSource`. `network`: that it must be of; "" asks nobody."""

    def __init__(self, server: Server, network: str = "") -> None:
        self._server = server
        self._network = network
        self._has_inscriptions: bool | None = None
        """Whether it indexes them; None: not asked yet. One that does not may list "no inscriptions" all the same."""
        self._ids: dict[str, Asset] = {}
        self._height = 0

    @property
    def name(self) -> str:
        return self._server.name

    @property
    def covers(self) -> frozenset[AssetKind]:
        return frozenset({AssetKind.RUNE})

    @property
    def first_height(self) -> int:
        return FIRST_INSCRIPTION.get(self._network, 0)

    async def height(self) -> int:
        status = await self._get("/status")
        rune_index, chain, broken = (status.get(key) for key in ("rune_index", "chain", "unrecoverably_reorged"))
        if rune_index is not None and not rune_index.boolean():
            raise ChainError(self.name, "runs without an index of runes")
        if broken is not None and broken.boolean():
            raise ChainError(self.name, "lost its way in a reorganisation and must be indexed anew")
        if self._network and chain is not None and chain.text(40) != self._network:
            raise ChainInconsistent(self.name, f"is an index of {chain.text(40)}, not of {self._network}")
        self._has_inscriptions = _indexes_inscriptions(status)
        self._height = status.member("height").integer(MAX_HEIGHT)
        return self._height

    async def holdings(self, outpoints: Sequence[OutPoint]) -> Mapping[OutPoint, OutputAssets]:
        batches = [outpoints[at : at + BATCH] for at in range(0, len(outpoints), BATCH)]
        found: dict[OutPoint, OutputAssets] = {}
        for part in await asyncio.gather(*map(self._batch, batches)):
            found |= part
        if self._has_inscriptions is None and any(held.inscriptions == () for held in found.values()):
            await self.height()
        if not self._has_inscriptions:
            # ord 0.21.3 to 0.22.0 without that index lists none for every output (ordinals/ord#4141).
            found = {
                outpoint: replace(held, inscriptions=held.inscriptions or None) for outpoint, held in found.items()
            }
        return found

    async def _batch(self, outpoints: Sequence[OutPoint]) -> dict[OutPoint, OutputAssets]:
        body = json.dumps([str(outpoint) for outpoint in outpoints]).encode()
        headers = {**AS_JSON, "Content-Type": "application/json"}
        response = await self._server.post("/outputs", body, headers=headers)
        if response.status != 200:
            # Without this route, or with one output among them that it does not know.
            return dict(zip(outpoints, await asyncio.gather(*map(self._single, outpoints)), strict=True))
        answers: dict[str, JsonValue] = {}
        listed = parse(response.body, self.name, "/outputs").items()
        if any(node.get("outpoint") is None for node in listed):
            # ord before 0.21.3: nothing but their order says which is which.
            return dict(zip(outpoints, await asyncio.gather(*map(self._single, outpoints)), strict=True))
        for node in listed:
            if answers.setdefault(node.member("outpoint").text(), node) is not node:
                raise node.fail("is listed twice")
        return {
            outpoint: await self._holdings(answers[str(outpoint)]) if str(outpoint) in answers else UNKNOWN
            for outpoint in outpoints
        }

    async def _single(self, outpoint: OutPoint) -> OutputAssets:
        try:
            node = await self._get(f"/output/{outpoint}")
        except NotOnChain:
            return UNKNOWN
        named = node.get("outpoint")
        if named is not None and named.text() != str(outpoint):
            raise node.fail("is about another output")
        return await self._holdings(node)

    async def _holdings(self, output: JsonValue) -> OutputAssets:
        """`null` says that this index is switched off, and an output not indexed yet that nothing is known of it."""
        indexed = output.get("indexed")
        if indexed is not None and not indexed.boolean():
            return UNKNOWN
        listed, runes = output.get("inscriptions"), output.get("runes")
        inscriptions = None if listed is None else tuple(node.text(100) for node in listed.items())
        return OutputAssets(runes=None if runes is None else await self._runes(runes), inscriptions=inscriptions)

    async def _runes(self, runes: JsonValue) -> dict[Asset, int]:
        atoms: dict[Asset, int] = {}
        for spaced, pile in runes.entries():
            asset = await self._id(bare_name(spaced), pile)
            if asset in atoms:
                raise pile.fail("is listed twice")
            atoms[asset] = pile.member("amount").number(MAX_U128)
        return {asset: amount for asset, amount in atoms.items() if amount}

    async def _id(self, name: str, about: JsonValue) -> Asset:
        if not _NAME.fullmatch(name):
            raise about.fail("is under a name that no rune has")
        if name not in self._ids:
            info = await self._info(name)
            if info is None:
                raise ChainInconsistent(self.name, f"holds the rune {name} and does not know it")
            if bare_name(info.name) != name:
                raise ChainInconsistent(self.name, f"was asked for {name} and tells of {info.name}")
            if self._height - info.asset.block < SETTLED or len(self._ids) >= MAX_NAMES:
                return info.asset
            self._ids[name] = info.asset
        return self._ids[name]

    async def info(self, asset: Asset) -> AssetMetadata | None:
        if asset.kind is not AssetKind.RUNE:
            return None
        info = await self._info(f"{asset.block}:{asset.tx}")
        if info is not None and info.asset != asset:
            raise ChainInconsistent(self.name, f"was asked for {asset} and tells of {info.asset}")
        return info

    async def find(self, name: str) -> AssetMetadata | None:
        bare = bare_name(name.strip().upper())
        info = await self._info(bare) if _NAME.fullmatch(bare) else None
        if info is not None and bare_name(info.name) != bare:
            raise ChainInconsistent(self.name, f"was asked for {bare} and tells of {info.name}")
        return info

    async def _info(self, key: str) -> AssetMetadata | None:
        try:
            answer = await self._get(f"/rune/{key}")
        except NotOnChain:
            return None
        entry, terms = answer.member("entry"), answer.member("entry").get("terms")
        amount = terms.get("amount") if terms is not None else None
        mined = entry.member("mints").number() * (0 if amount is None else amount.number())
        symbol = entry.get("symbol")
        asset = _rune_id(answer.member("id"))
        return AssetMetadata(
            asset=asset,
            name=entry.member("spaced_rune").text(100),
            symbol="" if symbol is None else symbol.text(4),
            decimals=entry.member("divisibility").integer(MAX_DECIMALS),
            supply=max(entry.member("premine").number() + mined - entry.member("burned").number(), 0),
            created_height=asset.block,
        )

    async def _get(self, path: str) -> JsonValue:
        return parse(self._good(await self._server.get(path, headers=AS_JSON), path), self.name, path)

    def _good(self, response: HttpResponse, path: str) -> bytes:
        if response.status == 200:
            return response.body
        if response.status == 404:
            raise NotOnChain(self.name, f"does not know {path}")
        raise ChainError(self.name, f"answers {path} with {response.status}")


def _indexes_inscriptions(status: JsonValue) -> bool:
    """By its own word, or, before ord said so, by having any."""
    told, count = status.get("inscription_index"), status.get("inscriptions")
    if told is not None:
        return told.boolean()
    return count is not None and count.number() > 0


def bare_name(spaced: str) -> str:
    """Without spacers, which are for the eye only."""
    return spaced.translate(SPACERS)


def _rune_id(node: JsonValue) -> Asset:
    try:
        return Asset.parse(f"RUNE:{node.text(40)}", node.path)
    except InvalidArgument as error:
        raise node.fail(error.reason) from error
