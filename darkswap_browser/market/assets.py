"""What can be traded: bitcoin, runes and alkanes, by their ids. Names are for display and never identify."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from darkswap_browser.errors import InvalidArgument

MAX_U32 = 2**32 - 1
MAX_U64 = 2**64 - 1
MAX_U128 = 2**128 - 1


class AssetKind(StrEnum):
    BTC = "btc"
    RUNE = "rune"
    ALKANE = "alkane"


@dataclass(frozen=True, slots=True, order=True)
class Asset:
    """`block` and `tx` are 0 for bitcoin, else the id. Text: BTC, RUNE:840000:1, ALKANE:2:0."""

    kind: AssetKind
    block: int = 0
    tx: int = 0

    @classmethod
    def rune(cls, block: int, tx: int) -> Asset:
        return cls(AssetKind.RUNE, block, tx)

    @classmethod
    def alkane(cls, block: int, tx: int) -> Asset:
        return cls(AssetKind.ALKANE, block, tx)

    @classmethod
    def parse(cls, text: str, path: str = "asset") -> Asset:
        """Raises `InvalidArgument` with `path`."""
        kind, *numbers = text.split(":")
        if kind.lower() == "btc" and not numbers:
            return BTC
        if kind.lower() not in ("rune", "alkane") or len(numbers) != 2:
            raise InvalidArgument(path, f"{text[:80]!r} is not an asset", "Write BTC, RUNE:840000:1 or ALKANE:2:0.")
        return cls(AssetKind(kind.lower()), *(_number(path, number) for number in numbers)).checked(path)

    def checked(self, path: str = "asset") -> Asset:
        """Itself, when its numbers can be an id of its kind."""
        # Alkane id 0:x aborts the indexer's whole step for the transaction (facts P16); rune id 0:x is only 0:0.
        most = (MAX_U64, MAX_U32) if self.kind is AssetKind.RUNE else (MAX_U128, MAX_U128)
        if self.kind is not AssetKind.BTC and not (1 <= self.block <= most[0] and 0 <= self.tx <= most[1]):
            raise InvalidArgument(path, f"{self} is not an id of its kind")
        return self

    def __str__(self) -> str:
        return "BTC" if self.kind is AssetKind.BTC else f"{self.kind.upper()}:{self.block}:{self.tx}"


BTC = Asset(AssetKind.BTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetMetadata:
    """What indexes tell about an asset. `decimals`: one display unit is 10**decimals atoms."""

    asset: Asset
    name: str
    symbol: str = ""
    decimals: int = 0
    supply: int | None = None
    """Atoms that exist now."""
    created_height: int | None = None
    agreed_by: int = 1
    """How many indexes say so of its id, its name and its decimals."""


BITCOIN_INFO = AssetMetadata(asset=BTC, name="Bitcoin", symbol="₿", decimals=8)


def _number(path: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 39 or (len(text) > 1 and text[0] == "0"):
        raise InvalidArgument(path, f"{text[:80]!r} is not a whole number")
    return int(text)
