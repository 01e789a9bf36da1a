"""The rules V1 to V14: a table of what goes wrong, and the rule that notices it first."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import NamedTuple

import pytest

from darkswap_browser.bitcoin.alkanes.ids import AlkaneId, ProtoEdict
from darkswap_browser.bitcoin.alkanes.protostone import Protostone, encode_protostones
from darkswap_browser.bitcoin.networks import GENESIS
from darkswap_browser.bitcoin.runes.ids import Edict, RuneId
from darkswap_browser.bitcoin.runes.runestone import Runestone
from darkswap_browser.bitcoin.script import ScriptKind
from darkswap_browser.bitcoin.transaction import OutPoint, TxInput, TxOutput
from darkswap_browser.errors import VerificationFailed
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.settlement.chain_snapshot import MATURITY
from darkswap_browser.settlement.checks import BEFORE_SIGNING, TradePolicy, check_before_signing, scripts_of
from darkswap_browser.settlement.terms import Role
from tests.settlement.cases import ALKANE, LARGEST, MAKER, OTHER_RUNE, PAIRS, RUNE, TAKER, named
from tests.settlement.verification_contexts import (
    ALKANE_DEAL,
    RUNE_DEAL,
    STRANGER,
    Look,
    absurd_fee,
    agreed,
    coin,
    crowd,
    first,
    inputs,
    lied,
    made_by,
    missing_output,
    outputs,
    paid_by_mistake,
    planned,
    protostones,
    remade,
    seen,
    stone,
    told,
    transaction,
)
from tests.support.trade_fixture import DEADLINE, HEIGHT, TIP, deal, script_of


class Row(NamedTuple):
    rule: str
    what: str
    detail: str
    look: Look


UNDECLARED = TxInput(OutPoint("77" * 32, 0))
MINE = frozenset({UNDECLARED.outpoint})
FIRST_ALKANES = AlkaneId(ALKANE.block, ALKANE.tx)
FIRST_RUNES = RuneId(RUNE.block, RUNE.tx)
BUSY = frozenset({RUNE_DEAL.declared[TAKER].coins[0].outpoint})
BESIDE = (UNDECLARED, TxOutput(1, STRANGER), MAKER)
OF_MY_SCRIPT = (UNDECLARED, TxOutput(1, script_of(TAKER, "assets", ScriptKind.P2SH)), MAKER)
WITH_MINE = replace(
    RUNE_DEAL.declared[MAKER],
    bitcoin_coins=RUNE_DEAL.declared[MAKER].bitcoin_coins + RUNE_DEAL.declared[TAKER].bitcoin_coins,
)
DATA = len(RUNE_DEAL.settlement().outputs) - 1
"""Place of the OP_RETURN."""

ROWS = (
    Row("V1", "another fill", "other terms", agreed(base_atoms=1)),
    Row("V1", "another price", "other terms", agreed(quote_atoms=69_999)),
    Row("V1", "another revision of the order", "other terms", agreed(order_hash="03" * 32)),
    Row("V1", "another trade, replayed", "other terms", agreed(trade_id="ac" * 16)),
    Row("V1", "another fee rate", "other terms", agreed(fee_rate=2501)),
    Row("V1", "another chain", "not on regtest", told(genesis=GENESIS["signet"])),
    Row("V2", "the deadline", "has passed", told(now=DEADLINE)),
    Row("V2", "no time to sign", "too little time", told(now=DEADLINE - 9)),
    Row("V2", "a coin of another trade", "another trade", seen(busy=BUSY)),
    Row("V3", "another txid", "another transaction", seen(peer_txid="00" * 32)),
    Row("V3", "a version", "version or locktime", transaction(lambda tx: replace(tx, version=2))),
    Row("V3", "a locktime", "version or locktime", transaction(lambda tx: replace(tx, locktime=1))),
    Row("V3", "a sequence", "a sequence", inputs(first(lambda row: (replace(row[0], sequence=0), *row[1:])))),
    Row("V4", "my coin left out", "not spent exactly once", inputs(lambda rows: rows[1:], MAKER)),
    Row("V4", "my coin twice", "not spent exactly once", inputs(lambda rows: [rows[0], *rows], MAKER)),
    Row("V4", "a coin of mine slipped in", "was not declared", inputs(lambda rows: [*rows, BESIDE], own_coins=MINE)),
    Row("V4", "a coin of my script slipped in", "was not declared", inputs(lambda rows: [*rows, OF_MY_SCRIPT])),
    Row("V5", "their coin left out", "other inputs", inputs(lambda rows: rows[1:])),
    Row("V5", "a stranger's coin", "other inputs", inputs(lambda rows: [*rows, BESIDE])),
    Row("V5", "my coin declared by them", "a coin of mine", seen(theirs=WITH_MINE)),
    Row("V5", "21 coins", "more than 20 coins", lambda: crowd(21)),
    Row("V6", "a sat less", "not as planned", outputs(first(lambda each: replace(each, sats=each.sats - 1)))),
    Row("V6", "another script", "not as planned", outputs(first(lambda each: replace(each, script=STRANGER)))),
    Row("V6", "outputs swapped", "not as planned", outputs(lambda rows: [rows[1], rows[0], *rows[2:]])),
    Row("V6", "one left out", "not as planned", outputs(lambda rows: rows[1:])),
    Row("V6", "one more", "not as planned", outputs(lambda rows: [TxOutput(600, STRANGER), *rows])),
    Row("V6", "planned for a stranger", "pays a stranger", planned(first(lambda each: replace(each, script=STRANGER)))),
    Row("V6", "not to my wallet", "a script that is not mine", seen(own_scripts=frozenset())),
    Row("V7", "another OP_RETURN", "not the planned one",
        planned(lambda rows: [*rows[:-1], replace(rows[-1], script=Runestone(pointer=1).encipher())])),
    Row("V7", "a runestone before ours", "not the planned one",
        planned(lambda rows: [replace(rows[-1], script=Runestone(pointer=0).encipher()), *rows])),
    Row("V7", "a second OP_RETURN", "not the planned one",
        planned(lambda rows: [*rows, replace(rows[-1], script=b"\x6a")])),
    Row("V7", "a cenotaph", "does not read as it was meant",
        stone(RUNE_DEAL, lambda good: replace(good, edicts=(*good.edicts, Edict(FIRST_RUNES, 1, 99))))),
    Row("V7", "a pointer to nowhere", "does not read as it was meant",
        stone(RUNE_DEAL, lambda good: replace(good, pointer=99))),
    Row("V7", "edicts to the giver", "elsewhere than planned",
        stone(RUNE_DEAL, lambda good: replace(good, edicts=(Edict(FIRST_RUNES, 0, 2),)))),
    Row("V7", "an atom too few", "elsewhere than planned",
        stone(RUNE_DEAL, lambda good: replace(good, edicts=(Edict(FIRST_RUNES, 59_999, 0), *good.edicts[1:])))),
    Row("V7", "what is left to the other side", "elsewhere than planned",
        stone(RUNE_DEAL, lambda good: replace(good, edicts=good.edicts[:1], pointer=0))),
    Row("V7", "into the OP_RETURN", "loses assets",
        stone(RUNE_DEAL, lambda good: replace(good, edicts=(Edict(FIRST_RUNES, 0, DATA),)))),
    Row("V7", "no protostone", "loses assets", stone(ALKANE_DEAL, lambda good: replace(good, protocol=()))),
    Row("V7", "a protostone of another protocol", "loses assets", protostones(lambda good: [replace(good, tag=2)])),
    Row("V7", "a protostone that calls a contract", "loses assets",
        protostones(lambda good: [replace(good, message=b"\x01")])),
    Row("V7", "alkanes to an output that is none", "loses assets",
        protostones(lambda good: [replace(good, edicts=(ProtoEdict(FIRST_ALKANES, 0, 99),))])),
    Row("V7", "alkanes to the giver", "elsewhere than planned",
        protostones(lambda good: [replace(good, edicts=(ProtoEdict(FIRST_ALKANES, 0, 2),))])),
    Row("V8", "my change shaved", "the sum of what both sides pay",
        planned(lambda rows: [*rows[:-2], replace(rows[-2], sats=rows[-2].sats - 1), rows[-1]])),
    Row("V8", "below what is relayed", "beyond what I accept", seen(policy=TradePolicy(fee_floor=2501))),
    Row("V8", "more than I accept", "beyond what I accept", seen(policy=TradePolicy(fee_cap=2499))),
    Row("V8", "a fee of theirs put on me", "not my share",
        lambda: remade(RUNE_DEAL.context(TAKER),
            fees={MAKER: 1, TAKER: sum(RUNE_DEAL.settlement().fees.values()) - 1})),
    Row("V8", "all of it", "and pay at most 50000000", absurd_fee),
    Row("V9", "no transaction", "is not known", coin(TAKER, MAKER, "asset_coins", raw=None)),
    Row("V9", "no transaction at all", "ends", made_by(lambda made: made.serialize()[:-1])),
    Row("V9", "another transaction", "not of the transaction shown",
        made_by(lambda made: replace(made, locktime=9).serialize())),
    Row("V9", "no such output", "does not exist", missing_output),
    Row("V9", "more sats than there are", "not as declared", lied(sats=90_000)),
    Row("V9", "another script", "not as declared", lied(script=script_of(MAKER, "assets", ScriptKind.P2WPKH))),
    Row("V10", "spent already", "is spent already", coin(TAKER, MAKER, "bitcoin_coins", spent_by="55" * 32)),
    Row("V10", "not in a block", "has 0 confirmations", coin(TAKER, MAKER, "asset_coins", height=None)),
    Row("V10", "not deep enough", "has 6 confirmations", seen(policy=TradePolicy(confirmations=TIP - HEIGHT + 2))),
    Row("V10", "a young reward", "a block's reward", lambda: deal(RUNE, BTC, coinbase=True).context(TAKER)),
    Row("V11", "an index far behind", "2 blocks behind", told(index_lag=2)),
    Row("V11", "runes that no index knows", "no index knows", coin(TAKER, MAKER, "asset_coins", runes=None)),
    Row("V11", "emptied", "holds 0 atoms", coin(TAKER, MAKER, "asset_coins", runes={})),
    Row("V11", "fewer than said", "not 30000", coin(TAKER, MAKER, "asset_coins", runes={RUNE: 29_999})),
    Row("V11", "more than said", "not 30000", coin(TAKER, MAKER, "asset_coins", runes={RUNE: 30_001})),
    Row("V11", "another rune", "holds 0 atoms", coin(TAKER, MAKER, "asset_coins", runes={OTHER_RUNE: 30_000})),
    Row("V11", "alkanes emptied", "holds 0 atoms", coin(TAKER, MAKER, "asset_coins", ALKANE_DEAL, alkanes={})),
    Row("V12", "nothing known of mine", "no index vouches", coin(MAKER, MAKER, "bitcoin_coins", known=False)),
    Row("V12", "no index of inscriptions", "no index vouches", coin(TAKER, TAKER, "bitcoin_coins", inscriptions=None)),
    Row("V12", "no index of alkanes", "no index vouches", coin(TAKER, TAKER, "bitcoin_coins", alkanes=None)),
    Row("V12", "an inscription", "carries an inscription", coin(TAKER, TAKER, "bitcoin_coins", inscriptions=("i0",))),
    Row("V12", "runes on my bitcoin", "other assets", coin(TAKER, TAKER, "bitcoin_coins", runes={OTHER_RUNE: 1})),
    Row("V12", "alkanes on my bitcoin", "other assets", coin(TAKER, TAKER, "bitcoin_coins", alkanes={ALKANE: 1})),
    Row("V12", "another rune beside mine", "other assets",
        coin(MAKER, MAKER, "asset_coins", runes={RUNE: 30_000, OTHER_RUNE: 1})),
    Row("V12", "more of mine than declared", "other assets", coin(MAKER, MAKER, "asset_coins", runes={RUNE: 30_001})),
    Row("V13", "alkanes of theirs and no protostone", "not exactly one",
        coin(TAKER, MAKER, "bitcoin_coins", alkanes={ALKANE: 1})),
    Row("V13", "a protostone for nothing", "nothing for it to move",
        stone(RUNE_DEAL, lambda good: replace(good, protocol=encode_protostones([Protostone(pointer=1, refund=1)])))),
    Row("V13", "two protostones", "not exactly one", protostones(lambda good: [good, Protostone(pointer=1, refund=1)])),
    Row("V13", "protostones that cannot be read", "cannot be read",
        stone(RUNE_DEAL, lambda good: replace(good, protocol=(0x7F01,)))),
    Row("V14", "some of mine on their coin", "does not take from me",
        coin(MAKER, TAKER, "bitcoin_coins", runes={RUNE: 5})),
    Row("V14", "more alkanes than an index can count", "does not give me",
        coin(TAKER, MAKER, "bitcoin_coins", ALKANE_DEAL, alkanes={ALKANE: LARGEST})),
    Row("V14", "their change to my script", "does not give me", paid_by_mistake),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.rule}-{row.what}")
def test_what_goes_wrong_is_noticed_by_its_rule(row: Row) -> None:
    context = row.look()
    with pytest.raises(VerificationFailed) as failed:
        check_before_signing(context)
    assert (failed.value.rule, row.detail in failed.value.detail) == (row.rule, True), str(failed.value)


def test_every_rule_before_signing_has_its_rows() -> None:
    assert [*dict.fromkeys(row.rule for row in ROWS)] == [*BEFORE_SIGNING] == [f"V{number}" for number in range(1, 15)]


@pytest.mark.parametrize(("pair", "left", "role"), [*product(PAIRS, (0, 123), Role)], ids=named)
def test_nothing_is_found_where_nothing_is_wrong(pair: tuple[Asset, Asset], left: int, role: Role) -> None:
    check_before_signing(deal(*pair, left=left, base_giver=role.other).context(role))


def test_what_does_not_harm_is_no_hindrance() -> None:
    """Our own settlement in the mempool; an index one block behind; assets that came along on their coins; ten seconds
    left; bounds just reached; no script but those that are paid; twenty coins.
    """
    looks = (
        coin(TAKER, MAKER, "asset_coins", spent_by=RUNE_DEAL.settlement().txid),
        told(index_lag=1),
        coin(TAKER, MAKER, "asset_coins", runes={RUNE: 30_000, OTHER_RUNE: 9}, inscriptions=("i0",)),
        told(now=DEADLINE - 10),
        seen(policy=TradePolicy(fee_floor=2500, fee_cap=2500, confirmations=TIP - HEIGHT + 1)),
        seen(own_scripts=scripts_of(RUNE_DEAL.declared[TAKER])),
    )
    for look in looks:
        check_before_signing(look())
    BEFORE_SIGNING["V5"](crowd(20))


def test_a_reward_is_as_good_as_any_coin_when_it_is_mature() -> None:
    done = deal(RUNE, BTC, coinbase=True)
    for tip, mature in ((HEIGHT + MATURITY - 2, False), (HEIGHT + MATURITY - 1, True)):
        context = replace(done.context(TAKER), snapshot=replace(done.snapshot(), tip_height=tip))
        if mature:
            check_before_signing(context)
        else:
            with pytest.raises(VerificationFailed, match="V10"):
                check_before_signing(context)


@pytest.mark.parametrize(
    ("look", "detail"),
    [
        (protostones(lambda good: [replace(good, message=b"\x01")]), "calls a contract"),
        (protostones(lambda good: [replace(good, tag=2)]), "of another protocol"),
        (stone(ALKANE_DEAL, lambda good: replace(good, protocol=())), "not exactly one"),
        (stone(ALKANE_DEAL, lambda good: replace(good, edicts=(Edict(FIRST_RUNES, 1, 99),))), "not exactly one"),
    ],
)
def test_the_rule_of_protostones_stands_by_itself(look: Look, detail: str) -> None:
    """V7 is before it and refuses these too."""
    with pytest.raises(VerificationFailed, match=detail) as failed:
        BEFORE_SIGNING["V13"](look())
    assert failed.value.rule == "V13"


def test_a_traded_asset_that_is_lost_is_told_by_the_effect_too() -> None:
    """What is left of it, into the OP_RETURN; V7 is before it and refuses this too."""
    context = stone(RUNE_DEAL, lambda good: replace(good, edicts=(*good.edicts[:1], Edict(FIRST_RUNES, 0, DATA))))()
    with pytest.raises(VerificationFailed, match="V14: it loses a traded asset"):
        BEFORE_SIGNING["V14"](context)
