from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.alkanes.ids import AlkaneId, ProtoEdict
from darkswap_browser.bitcoin.alkanes.protostone import Protostone, encode_protostones
from darkswap_browser.bitcoin.runes.ids import Edict, RuneId
from darkswap_browser.bitcoin.runes.runestone import Runestone
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.market.assets import BTC, Asset, AssetKind
from darkswap_browser.market.orders import FeeRule
from darkswap_browser.settlement.balance_change import BalanceChange, Contents, effect_of, place
from darkswap_browser.settlement.terms import Role
from tests.settlement.cases import ALKANE, LARGEST, MAKER, OTHER_ALKANE, OTHER_RUNE, PAIRS, RUNE, TAKER, named
from tests.support.asset_index import assets_of_outputs
from tests.support.trade_fixture import deal, keys_of

OURS, THEIRS = b"\x51\x20" + bytes(32), b"\x00\x14" + bytes(20)
RUNES, ALKANES = (RUNE, OTHER_RUNE), (ALKANE, OTHER_ALKANE)
COINS = tuple(OutPoint(f"{number:02x}" * 32, 0) for number in (1, 2))
PREVOUTS = (TxOutput(10_000, OURS), TxOutput(20_000, THEIRS))


def made(stone: Runestone | None, *outputs: tuple[int, bytes]) -> Transaction:
    """Of a coin of ours and one of theirs; the runestone is the last output."""
    data = () if stone is None else (TxOutput(0, stone.encipher()),)
    return Transaction(tuple(TxInput(each) for each in COINS), (*(TxOutput(*each) for each in outputs), *data))


def effect(tx: Transaction, contents: Contents, fee_sats: int = 1_000) -> BalanceChange:
    return effect_of(tx, PREVOUTS, contents, {0}, {OURS}, fee_sats)


def rune_edict(asset: Asset, amount: int, output: int) -> Edict:
    return Edict(RuneId(asset.block, asset.tx), amount, output)


def protocol(*edicts: tuple[Asset, int, int], **fields: Any) -> tuple[int, ...]:
    moves = tuple(ProtoEdict(AlkaneId(asset.block, asset.tx), amount, output) for asset, amount, output in edicts)
    return encode_protostones([Protostone(edicts=moves, **fields)])


@pytest.mark.parametrize(("pair", "left", "fee_rule"), [*product(PAIRS, (0, 123), FeeRule)], ids=named)
def test_a_settlement_takes_and_gives_what_was_agreed_and_no_more(
    pair: tuple[Asset, Asset], left: int, fee_rule: FeeRule
) -> None:
    done = deal(*pair, left=left, fee_rule=fee_rule)
    settlement = done.settlement()
    for role in Role:
        told = effect_of(
            settlement.tx,
            settlement.prevouts,
            done.contents(),
            frozenset(settlement.inputs_of(role)),
            frozenset(keys_of(role)),
            settlement.fees[role],
        )
        assert (dict([done.terms.gives(role)]), dict([done.terms.gets(role)])) == (told.gives, told.gets)
        assert (told.fee_sats, dict(told.lost)) == (settlement.fees[role], {})
    assert done.terms.gives(MAKER) == done.terms.gets(TAKER)


def test_bitcoin_is_what_leaves_our_coins_and_does_not_come_back_beside_the_fee() -> None:
    paid = effect(made(None, (4_000, OURS), (25_000, THEIRS)), {})
    assert (paid.gives, paid.gets, paid.fee_sats) == ({BTC: 5_000}, {}, 1_000)
    received = effect(made(None, (14_000, OURS), (15_000, THEIRS)), {})
    assert (received.gives, received.gets) == ({}, {BTC: 5_000})
    even = effect(made(None, (9_000, OURS), (20_000, THEIRS)), {})
    assert (even.gives, even.gets) == ({}, {})


def test_an_asset_on_our_coin_that_goes_elsewhere_is_given() -> None:
    contents = {COINS[0]: {RUNE: 100}, COINS[1]: {OTHER_RUNE: 7}}
    tx = made(
        Runestone(edicts=(rune_edict(RUNE, 60, 1), rune_edict(OTHER_RUNE, 0, 0)), pointer=0),
        (9_000, OURS),
        (20_000, THEIRS),
    )
    told = effect(tx, contents)
    assert (told.gives, told.gets, dict(told.lost)) == ({RUNE: 60}, {OTHER_RUNE: 7}, {})


@pytest.mark.parametrize(
    ("stone", "contents", "lost"),
    [
        (Runestone(edicts=(rune_edict(RUNE, 30, 2),), pointer=0), {RUNE: 100}, {RUNE: 30}),
        (Runestone(edicts=(rune_edict(RUNE, 1, 9),)), {RUNE: 100, OTHER_RUNE: 5}, {RUNE: 100, OTHER_RUNE: 5}),
        (Runestone(pointer=2), {RUNE: 100}, {RUNE: 100}),
        (None, {ALKANE: 100}, {ALKANE: 100}),
        (Runestone(pointer=0), {ALKANE: 100, RUNE: 1}, {ALKANE: 100}),
        (Runestone(protocol=protocol((ALKANE, 40, 2), pointer=0)), {ALKANE: 100}, {ALKANE: 40}),
        (Runestone(protocol=protocol((ALKANE, 40, 99), pointer=0)), {ALKANE: 100}, {ALKANE: 40}),
        (Runestone(protocol=protocol(tag=2, pointer=0)), {ALKANE: 100}, {ALKANE: 100}),
        (Runestone(protocol=(0x7F01,)), {ALKANE: 100}, {ALKANE: 100}),
        (Runestone(protocol=protocol((Asset.alkane(0, 5), 1, 0), pointer=0)), {ALKANE: 100}, {ALKANE: 100}),
    ],
    ids=[
        "edict to data", "cenotaph", "pointer to data", "no runestone", "no protostone", "alkanes to data",
        "alkanes to no output", "another protocol", "unreadable", "an id that cannot be",
    ],
)  # fmt: skip
def test_what_is_lost_is_told(
    stone: Runestone | None, contents: Mapping[Asset, int], lost: Mapping[Asset, int]
) -> None:
    told = effect(made(stone, (9_000, OURS), (20_000, THEIRS)), {COINS[1]: contents})
    assert dict(told.lost) == lost
    assert told.gets == {asset: kept for asset, atoms in contents.items() if (kept := atoms - lost.get(asset, 0))}


def test_where_a_contract_decides_nothing_can_be_read() -> None:
    stone = Runestone(protocol=protocol(pointer=0, refund=0, message=b"\x01"))
    placed = place(made(stone, (9_000, OURS)), {COINS[0]: {ALKANE: 5}})
    assert (placed.readable, dict(placed.lost)) == (False, {ALKANE: 5})
    assert not place(made(stone, (9_000, OURS)), {}).readable


def test_without_a_runestone_runes_go_to_the_first_output_that_is_no_data() -> None:
    placed = place(made(None, (0, b"\x6a"), (9_000, OURS)), {COINS[0]: {RUNE: 5}})
    assert [dict(each) for each in placed.outputs] == [{}, {RUNE: 5}]


amounts = st.integers(0, 200) | st.integers(0, LARGEST)
holdings = st.dictionaries(st.sampled_from((*RUNES, *ALKANES)), st.integers(1, 10**6) | st.integers(1, LARGEST // 2))
rune_moves = st.tuples(st.sampled_from(RUNES), amounts, st.integers(0, 4))
alkane_moves = st.tuples(st.sampled_from(ALKANES), amounts, st.integers(0, 6))


@given(
    st.tuples(holdings, holdings),
    st.none() | st.tuples(st.lists(rune_moves, max_size=4), st.none() | st.integers(0, 3)),
    st.none() | st.tuples(st.lists(alkane_moves, max_size=4), st.none() | st.integers(0, 3)),
)
@settings(max_examples=80)
def test_every_atom_is_on_an_output_or_told_to_be_lost_and_the_other_index_agrees(
    held: tuple[dict[Asset, int], dict[Asset, int]],
    runes: tuple[list[tuple[Asset, int, int]], int | None] | None,
    alkanes: tuple[list[tuple[Asset, int, int]], int | None] | None,
) -> None:
    stone = None
    if runes is not None or alkanes is not None:
        edicts, pointer = runes or ([], None)
        stones = () if alkanes is None else protocol(*alkanes[0], pointer=alkanes[1], refund=alkanes[1])
        stone = Runestone(edicts=tuple(rune_edict(*each) for each in edicts), pointer=pointer, protocol=stones)
    tx = made(stone, (546, OURS), (546, THEIRS), (9_000, OURS))
    contents = dict(zip(COINS, held, strict=True))
    placed = place(tx, contents)
    total = Counter(held[0]) + Counter(held[1])
    assert placed.readable
    assert sum((Counter(each) for each in (*placed.outputs, placed.lost)), Counter()) == total
    assert all(atoms > 0 for assets in placed.outputs for atoms in assets.values())
    assert {vout: dict(each) for vout, each in enumerate(placed.outputs) if each} == assets_of_outputs(tx, total)


@given(holdings, holdings, st.integers(0, 30_000))
@settings(max_examples=60)
def test_what_one_side_gives_another_gets_or_nobody(
    ours: dict[Asset, int], theirs: dict[Asset, int], sats: int
) -> None:
    contents = {COINS[0]: ours, COINS[1]: theirs}
    edicts = tuple(rune_edict(asset, 50, 1) for asset in RUNES)
    stone = Runestone(edicts=edicts, pointer=0, protocol=protocol((ALKANE, 0, 1), (OTHER_ALKANE, 3, 3), pointer=0))
    tx = made(stone, (sats, OURS), (29_000 - min(sats, 29_000), THEIRS))
    mine = effect_of(tx, PREVOUTS, contents, {0}, {OURS}, 1_000)
    other = effect_of(tx, PREVOUTS, contents, {1}, {THEIRS}, 0)
    assert mine.lost == other.lost
    for asset in (*RUNES, *ALKANES):
        gone = [told.gives.get(asset, 0) - told.gets.get(asset, 0) for told in (mine, other)]
        assert sum(gone) == mine.lost.get(asset, 0)
    assert not any(kind is AssetKind.BTC for kind in (asset.kind for asset in mine.lost))
