from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.script import ScriptKind, dust_limit, input_weight, kind_of
from darkswap_browser.bitcoin.transaction import OutPoint, TxOutput
from darkswap_browser.errors import TradeRefused
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.market.orders import FeeRule
from darkswap_browser.regtest.chain.policy import STRICT, check_form
from darkswap_browser.settlement.balance_change import place
from darkswap_browser.settlement.terms import Role
from darkswap_browser.settlement.transaction import OutputPurpose, required_sats
from tests.settlement.cases import MAKER, OTHER_RUNE, PAIRS, RUNE, STYLES, TAKER, fee_for, weight_of
from tests.support.trade_fixture import POSTAGE, Style, TradeFixture, deal, script_of


def bare(pair: tuple[Asset, Asset], fee_rule: FeeRule, **options: int) -> TradeFixture:
    """The maker brings no coin but those of the asset that it sells."""
    return deal(*pair, fee_rule=fee_rule, **options).with_declared(MAKER, bitcoin_coins=())


def test_change_that_is_worth_its_output_is_made_and_less_goes_to_the_miners() -> None:
    rich = deal(RUNE, OTHER_RUNE)
    with_change = rich.settlement().fees[MAKER]
    change_weight = 4 * len(TxOutput(0, rich.declared[MAKER].bitcoin_change_script).serialize())
    without = fee_for(rich, weight_of(rich, rich.settlement(), MAKER) - change_weight)
    # An asset coin comes with the postage that the delivery takes: what a coin of bitcoin holds is for fee and change.
    least = with_change + dust_limit(rich.declared[MAKER].bitcoin_change_script)
    for spare, change in ((without, None), (least - 1, None), (least, least - with_change)):
        settlement = deal(RUNE, OTHER_RUNE, spare=spare).settlement()
        made = [
            output.sats
            for output in settlement.outputs
            if (output.owner, output.purpose) == (MAKER, OutputPurpose.BITCOIN_CHANGE)
        ]
        assert made == ([] if change is None else [change])
        assert settlement.fees[MAKER] == spare - (change or 0)
    with pytest.raises(TradeRefused, match="the maker lacks 1 sats"):
        deal(RUNE, OTHER_RUNE, spare=without - 1).settlement()


def test_a_maker_who_pays_no_fee_needs_no_bitcoin_to_sell_a_rune() -> None:
    settlement = bare((RUNE, BTC), FeeRule.TAKER_PAYS).settlement()
    assert settlement.fees[MAKER] == 0
    assert [settlement.outputs[index].sats for index in settlement.outputs_of(MAKER)] == [70_001, POSTAGE]
    with pytest.raises(TradeRefused, match="the maker lacks"):
        bare((RUNE, BTC), FeeRule.OWN_WEIGHT, fee_rate=10_000).settlement()


def test_what_a_taker_pays_covers_the_change_of_the_maker() -> None:
    done = bare((RUNE, BTC), FeeRule.TAKER_PAYS)
    settlement = done.settlement()
    assert settlement.fees[TAKER] == fee_for(done, weight_of(done, settlement, TAKER))


@given(
    st.sampled_from(PAIRS),
    st.sampled_from([*STYLES.values()]),
    st.sampled_from(Role),
    st.sampled_from(FeeRule),
    st.integers(546, 10**12),
    st.integers(546, 10**12),
    st.integers(0, 10**6),
    st.integers(1, 20_000),
    st.integers(1, 20_000),
)
@settings(max_examples=60)
def test_whatever_is_brought_no_sat_and_no_atom_appears_or_vanishes(
    pair: tuple[Asset, Asset],
    style: Style,
    base_giver: Role,
    fee_rule: FeeRule,
    base_atoms: int,
    quote_atoms: int,
    left: int,
    spare: int,
    fee_rate: int,
) -> None:
    done = deal(
        *pair,
        left=left,
        style=style,
        base_giver=base_giver,
        fee_rule=fee_rule,
        fee_rate=fee_rate,
        base_atoms=base_atoms,
        quote_atoms=quote_atoms,
        spare=spare,
    )
    try:
        settlement = done.settlement()
    except TradeRefused as refused:
        assert refused.reason == "INSUFFICIENT_FUNDS"
        return
    spent, made = (sum(each.sats for each in side) for side in (settlement.prevouts, settlement.tx.outputs))
    assert spent - made == sum(settlement.fees.values())
    check_form(settlement.tx, STRICT)
    for role in Role:
        due = fee_for(done, weight_of(done, settlement, role))
        change = done.declared[role].bitcoin_change_script
        most = due + fee_for(done, 4 * len(TxOutput(0, change).serialize())) + dust_limit(change)
        assert due <= settlement.fees[role] <= most
    placed = place(settlement.tx, done.contents())
    assert [dict(each) for each in placed.outputs] == [dict(each.assets) for each in settlement.outputs]


@given(
    st.sampled_from(PAIRS), st.sampled_from(Role), st.sampled_from(FeeRule), st.integers(0, 9), st.integers(1, 10**6)
)
@settings(max_examples=40)
def test_sats_said_to_be_needed_suffice_whatever_the_other_side_brings(
    pair: tuple[Asset, Asset], role: Role, fee_rule: FeeRule, left: int, fee_rate: int
) -> None:
    done = deal(*pair, left=left, fee_rule=fee_rule, fee_rate=fee_rate, spare=10**9)
    own, theirs = done.declared[role], done.declared[role.other]
    few = theirs.coins[0].sats
    crowd = tuple(
        replace(theirs.bitcoin_coins[0], outpoint=OutPoint(f"{number + 1:064x}", 0), sats=few + 10**9)
        for number in range(20 - len(theirs.asset_coins))
    )
    script = own.bitcoin_coins[0].script
    needed = required_sats(done.terms, role, own.asset_coins, [script])
    enough = (replace(own.bitcoin_coins[0], sats=needed),) if needed else ()
    crowded = done.with_declared(role.other, bitcoin_coins=crowd).with_declared(role, bitcoin_coins=enough)
    assert len(crowded.settlement().inputs_of(role.other)) == 20


def test_no_sats_are_needed_where_the_asset_coins_bring_enough() -> None:
    done = deal(RUNE, OTHER_RUNE)
    coin = done.declared[MAKER].asset_coins[0]
    needed = required_sats(done.terms, MAKER, [coin], [])
    assert needed > 0
    assert required_sats(done.terms, MAKER, [replace(coin, sats=coin.sats + needed - 1)], []) == 1
    assert required_sats(done.terms, MAKER, [replace(coin, sats=coin.sats + needed + 5)], []) == 0


@pytest.mark.parametrize("fee_rule", list(FeeRule))
def test_maker_fee_beyond_its_bound_is_refused_whatever_rate_the_taker_names(fee_rule: FeeRule) -> None:
    dear = deal(RUNE, BTC, fee_rule=FeeRule.OWN_WEIGHT, fee_rate=20_000)
    paid = dear.settlement().fees[MAKER]
    for most, fits in ((paid, True), (paid - 1, False)):
        bounded = replace(dear, terms=replace(dear.terms, maker_max_fee=most, fee_rule=fee_rule))
        if fits or fee_rule is FeeRule.TAKER_PAYS:
            assert bounded.settlement().fees[MAKER] <= most
        else:
            with pytest.raises(
                TradeRefused, match=f"pay {paid} sats to the miners, and pays at most {most}"
            ) as refused:
                bounded.settlement()
            assert refused.value.reason == "FEE_RANGE"


@pytest.mark.parametrize("kind", [ScriptKind.P2TR, ScriptKind.P2WPKH])
def test_taker_who_pays_does_not_pay_for_joining_twenty_coins_of_the_maker(kind: ScriptKind) -> None:
    done = deal(RUNE, BTC, fee_rule=FeeRule.TAKER_PAYS, fee_rate=50_000, spare=10**6)
    coin = replace(done.declared[MAKER].bitcoin_coins[0], script=script_of(MAKER, "payment", kind))
    fees = []
    for count in (2, 20):
        lots = tuple(
            replace(coin, outpoint=OutPoint(f"{number + 1:064x}", 0), atoms=3_000, sats=10_000)
            for number in range(count)
        )
        terms = replace(done.terms, base_atoms=3_000 * count)
        crowd = replace(done, terms=terms).with_declared(MAKER, asset_coins=lots, bitcoin_coins=())
        settlement = crowd.settlement()
        fees.append(settlement.fees[TAKER])
        surplus = (count - 2) * input_weight(coin.script)
        change = [each.sats for each in settlement.outputs if each.owner is MAKER]
        assert settlement.fees[MAKER] == -(-50_000 * surplus // 4000) and len(change) == 2
    assert abs(fees[0] - fees[1]) <= 200, "but for a byte of an amount"


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("fee_rule", list(FeeRule))
def test_signatures_of_the_largest_size_leave_the_rate_that_was_meant(style: Style, fee_rule: FeeRule) -> None:
    """SIGHASH_ALL by name makes a taproot signature of 65 bytes: at 1 sat/vB that fell below what nodes relay."""
    for pair in PAIRS:
        settlement = deal(*pair, style=style, fee_rule=fee_rule, fee_rate=1_000).settlement()
        largest = {ScriptKind.P2TR: (bytes(65),), ScriptKind.P2WPKH: (bytes(72), bytes(33))}
        inputs = tuple(
            replace(each, witness=largest[kind_of(prevout.script)])
            for each, prevout in zip(settlement.tx.inputs, settlement.prevouts, strict=True)
        )
        signed = replace(settlement.tx, inputs=inputs)
        assert sum(settlement.fees.values()) >= signed.vsize
