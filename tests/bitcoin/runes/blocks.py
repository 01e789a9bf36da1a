"""The outputs of two mainnet blocks full of runestones, from `tests/vectors/bitcoin/runestone_blocks.json`."""

from __future__ import annotations

from functools import lru_cache

from tests.bitcoin.cases import vectors

HEIGHTS = (849236, 849250)
Scripts = tuple[bytes, ...]


@lru_cache
def shapes(height: int) -> tuple[Scripts, ...]:
    """Each different transaction once."""
    return tuple(tuple(map(_script, scripts)) for scripts in vectors("runestone_blocks")[str(height)]["shapes"])


@lru_cache
def block(height: int) -> tuple[Scripts, ...]:
    """The output scripts of every transaction, in order."""
    order = vectors("runestone_blocks")[str(height)]["order"]
    return tuple(shapes(height)[shape] for shape, count in order for _ in range(count))


def _script(text: str) -> bytes:
    """An output that is no data keeps two bytes, and its length."""
    head, _, more = text.partition("+")
    return bytes.fromhex(head) + bytes(int(more or 0))
