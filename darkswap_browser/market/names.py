"""Names that assets give themselves, made safe to show: whoever deploys a contract writes what he likes."""

from __future__ import annotations

import re
import unicodedata

from darkswap_browser.market.assets import Asset

_ID = re.compile(r"\d\s*:\s*\d")
_BITCOIN = frozenset(("btc", "bitcoin", "\u20bf", "xbt", "sats", "satoshi"))
_NO_LETTER = re.compile(r"[\W_]+")


def clean_text(text: str) -> str:
    """In compatibility form (NFKC), without control, format and other invisible characters, and one space for many."""
    folded = unicodedata.normalize("NFKC", text)
    shown = (each if unicodedata.category(each)[0] not in "CZ" else " " if each.isspace() else "" for each in folded)
    return " ".join("".join(shown).split())


def safe_name(text: str, asset: Asset) -> str:
    """`text`, cleaned; the id of `asset` where it is empty, or looks like another asset's id or like bitcoin."""
    name = clean_text(text)
    letters = _NO_LETTER.sub("", name).casefold()
    return str(asset) if not name or _ID.search(name) or letters in _BITCOIN or name in _BITCOIN else name
