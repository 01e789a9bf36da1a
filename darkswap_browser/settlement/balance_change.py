"""What a transaction does to one side, read from the transaction itself and never from the order it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from darkswap_browser.bitcoin.alkanes.flow import Allocated, Stranded, allocate_alkanes
from darkswap_browser.bitcoin.alkanes.ids import AlkaneId
from darkswap_browser.bitcoin.runes.allocation import allocate
from darkswap_browser.bitcoin.runes.ids import RuneId
from darkswap_browser.bitcoin.runes.runestone import Cenotaph, Runestone, decipher
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxOutput
from darkswap_browser.market.assets import BTC, Asset, AssetKind

Contents = Mapping[OutPoint, Mapping[Asset, int]]
"""Runes and alkanes on outputs to be spent, in atoms."""


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """`gives` and `gets`: by asset, bitcoin without the fee. `fee_sats`: what this side pays the miners.

    `lost`: assets of anybody that the transaction destroys or leaves unreachable.
    """

    gives: Mapping[Asset, int]
    gets: Mapping[Asset, int]
    fee_sats: int
    lost: Mapping[Asset, int]


@dataclass(frozen=True, slots=True)
class AssetPlacement:
    """Atoms by output, and what is lost. `readable` is False where only running a contract would tell."""

    outputs: tuple[Mapping[Asset, int], ...]
    lost: Mapping[Asset, int]
    readable: bool = True


def place(tx: Transaction, contents: Contents) -> AssetPlacement:
    """Where every rune and alkane on the inputs goes, by the rules of their indexers."""
    held: dict[Asset, int] = {}
    for each in tx.inputs:
        for asset, atoms in contents.get(each.outpoint, {}).items():
            held[asset] = held.get(asset, 0) + atoms
    artifact = decipher(tx)
    runes = {RuneId(a.block, a.tx): atoms for a, atoms in held.items() if a.kind is AssetKind.RUNE}
    alkanes = {AlkaneId(a.block, a.tx): atoms for a, atoms in held.items() if a.kind is AssetKind.ALKANE}
    outputs: list[dict[Asset, int]] = [{} for _ in tx.outputs]
    lost: dict[Asset, int] = {}
    by_rune, burned = allocate(tx, artifact, runes)
    for target, balances in zip((*outputs, lost), (*by_rune, burned), strict=True):
        target.update({Asset.rune(rune.block, rune.tx): atoms for rune, atoms in balances.items() if atoms})
    readable = _place_alkanes(tx, artifact, alkanes, outputs, lost)
    return AssetPlacement(tuple(outputs), lost, readable)


def _place_alkanes(
    tx: Transaction,
    artifact: Runestone | Cenotaph | None,
    held: Mapping[AlkaneId, int],
    outputs: Sequence[dict[Asset, int]],
    lost: dict[Asset, int],
) -> bool:
    moved = allocate_alkanes(tx, artifact, held)
    if not isinstance(moved, Allocated):
        lost.update({Asset.alkane(each.block, each.tx): atoms for each, atoms in held.items() if atoms})
        return isinstance(moved, Stranded)
    for target, balances in zip((*outputs, lost), (*moved.outputs, moved.lost), strict=True):
        target.update({Asset.alkane(each.block, each.tx): atoms for each, atoms in balances.items() if atoms})
    return True


def effect_of(
    tx: Transaction,
    prevouts: Sequence[TxOutput],
    contents: Contents,
    own_inputs: AbstractSet[int],
    own_scripts: AbstractSet[bytes],
    fee_sats: int,
) -> BalanceChange:
    """`own_inputs`: places of our coins; `own_scripts`: scripts that are ours; `fee_sats`: what the plan has us pay, so
    that it is not taken for a part of the trade.
    """
    placement = place(tx, contents)
    balance: dict[Asset, int] = {BTC: fee_sats}
    for index in own_inputs:
        _add(balance, {BTC: -prevouts[index].sats})
        _add(balance, {asset: -atoms for asset, atoms in contents.get(tx.inputs[index].outpoint, {}).items()})
    for output, assets in zip(tx.outputs, placement.outputs, strict=True):
        if output.script in own_scripts:
            _add(balance, {BTC: output.sats, **assets})
    return BalanceChange(
        gives={asset: -atoms for asset, atoms in sorted(balance.items()) if atoms < 0},
        gets={asset: atoms for asset, atoms in sorted(balance.items()) if atoms > 0},
        fee_sats=fee_sats,
        lost=placement.lost,
    )


def _add(balance: dict[Asset, int], more: Mapping[Asset, int]) -> None:
    for asset, atoms in more.items():
        balance[asset] = balance.get(asset, 0) + atoms
