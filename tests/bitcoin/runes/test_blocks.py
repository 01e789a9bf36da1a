"""Whole mainnet blocks, with what is known of them."""

from __future__ import annotations

from collections import Counter

import pytest

from darkswap_browser.bitcoin.runes.runestone import Runestone, decipher
from tests.bitcoin.runes.blocks import HEIGHTS, block, shapes
from tests.bitcoin.runes.cases import transaction


@pytest.mark.parametrize(
    ("height", "transactions", "found"),
    [
        (849236, 2410, Counter(runestones=1813, mints=1800, transfers=10, edicts=21, pointers=4, etchings=2)),
        (849250, 5131, Counter(runestones=4849, mints=4845, transfers=4, edicts=4, pointers=1, etchings=0)),
    ],
)
def test_a_block_holds_the_runestones_that_are_known(height: int, transactions: int, found: Counter[str]) -> None:
    """All of them hold: there is no cenotaph among them."""
    read = [decipher(transaction(*scripts)) for scripts in block(height)]
    stones = [artifact for artifact in read if isinstance(artifact, Runestone)]
    assert len(read) == transactions
    assert all(artifact is None or isinstance(artifact, Runestone) for artifact in read)
    assert found == Counter(
        runestones=len(stones),
        mints=sum(stone.mint is not None for stone in stones),
        transfers=sum(bool(stone.edicts) for stone in stones),
        edicts=sum(len(stone.edicts) for stone in stones),
        pointers=sum(stone.pointer is not None for stone in stones),
        etchings=sum(stone.etching is not None for stone in stones),
    )


@pytest.mark.parametrize("height", HEIGHTS)
def test_runestones_of_mainnet_come_out_byte_for_byte(height: int) -> None:
    for scripts in shapes(height):
        found = decipher(transaction(*scripts))
        if isinstance(found, Runestone):
            assert found.encipher() == next(script for script in scripts if script[:2] == b"\x6a\x5d")
