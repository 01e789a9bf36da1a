"""Which output holds which asset, by the regtest service's indexes: they share no code with what builds settlements."""

from __future__ import annotations

from collections.abc import Mapping

from darkswap_browser.bitcoin.transaction import Transaction
from darkswap_browser.market.assets import Asset, AssetKind
from darkswap_browser.regtest.indexes.alkanes import flow
from darkswap_browser.regtest.indexes.runes import allocate
from darkswap_browser.regtest.indexes.runestones import decipher


def assets_of_outputs(made: Transaction, carried: Mapping[Asset, int]) -> dict[int, dict[Asset, int]]:
    """`carried`: what the inputs hold together. Outputs without assets are left out; what is burned is nowhere."""
    runes = {(each.block, each.tx): atoms for each, atoms in carried.items() if each.kind is AssetKind.RUNE}
    alkanes = {(each.block, each.tx): atoms for each, atoms in carried.items() if each.kind is AssetKind.ALKANE}
    held: dict[int, dict[Asset, int]] = {}
    if runes:
        given, _ = allocate(made, decipher(made), runes)
        for vout, share in enumerate(given):
            held.setdefault(vout, {}).update({Asset.rune(*each): atoms for each, atoms in share.items()})
    for vout, sheet in enumerate((flow(made, alkanes) or []) if alkanes else []):
        held.setdefault(vout, {}).update({Asset.alkane(*each): atoms for each, atoms in sheet.items() if atoms})
    return {vout: each for vout, each in held.items() if each}
