from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest

from darkswap_browser.bitcoin.script import ScriptKind
from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.errors import TradeRefused
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.settlement.terms import Role, TradeInput
from tests.settlement.cases import LARGEST, MAKER, RUNE, TAKER
from tests.support.trade_fixture import TradeFixture, deal, script_of

Change = Callable[[TradeFixture], TradeFixture]


def terms(**changes: object) -> Change:
    return lambda done: replace(done, terms=replace(done.terms, **changes))  # type: ignore[arg-type]


def declares(role: Role, **changes: object) -> Change:
    return lambda done: done.with_declared(role, **changes)


def coins(role: Role, group: str, change: Callable[[TradeInput], TradeInput]) -> Change:
    def changed(done: TradeFixture) -> TradeFixture:
        found: tuple[TradeInput, ...] = getattr(done.declared[role], group)
        return done.with_declared(role, **{group: tuple(change(each) for each in found)})

    return changed


def many(count: int) -> tuple[TradeInput, ...]:
    script = script_of(TAKER, "payment", ScriptKind.P2TR)
    return tuple(TradeInput(OutPoint(f"{number + 1:064x}", 0), 100_000, script) for number in range(count))


def same_coin(done: TradeFixture) -> TradeFixture:
    shared = done.declared[TAKER].bitcoin_coins
    return done.with_declared(MAKER, bitcoin_coins=shared)


def twice(done: TradeFixture) -> TradeFixture:
    return done.with_declared(TAKER, bitcoin_coins=done.declared[TAKER].bitcoin_coins * 2)


NESTED = script_of(MAKER, "payment", ScriptKind.P2SH)
REFUSED: tuple[tuple[str, Change, str, str], ...] = (
    ("one asset", terms(quote=RUNE), "TERMS", "both sides are the same asset"),
    ("no such rune", terms(base=Asset.rune(0, 1)), "TERMS", "RUNE:0:1 is not an id of its kind"),
    ("nothing of base", terms(base_atoms=0), "TERMS", "0 atoms of RUNE:840000:1 cannot be traded"),
    ("too much of base", terms(base_atoms=LARGEST + 1), "TERMS", "cannot be traded"),
    ("bitcoin dust", terms(quote_atoms=545), "TERMS", "545 atoms of BTC cannot be traded"),
    ("no fee", terms(fee_rate=0), "FEE_RANGE", "the fee rate is nothing"),
    ("21 coins", declares(TAKER, bitcoin_coins=many(21)), "TERMS", "the taker brings more than 20 coins"),
    ("a coin twice", twice, "TERMS", "the taker brings a coin twice"),
    ("both the same coin", same_coin, "TERMS", "both sides bring the same coin"),
    (
        "a nested coin",
        coins(MAKER, "bitcoin_coins", lambda coin: replace(coin, script=NESTED)),
        "TERMS",
        "is of no kind we sign",
    ),
    (
        "a coin of two keys",
        coins(MAKER, "asset_coins", lambda coin: replace(coin, script=b"\x00\x20" + bytes(32))),
        "TERMS",
        "is of no kind we sign",
    ),
    ("an empty coin", coins(TAKER, "bitcoin_coins", lambda coin: replace(coin, sats=0)), "TERMS", "is empty"),
    ("paid to data", declares(TAKER, receive_script=b"\x6a\x01\x00"), "TERMS", "is not standard"),
    ("change to a bare key", declares(MAKER, bitcoin_change_script=b"\x21" + bytes(33) + b"\xac"), "TERMS", "standard"),
    ("asset change to nobody", declares(MAKER, asset_change_script=b""), "TERMS", "the maker wants an output"),
    (
        "a bitcoin coin with assets",
        coins(TAKER, "bitcoin_coins", lambda coin: replace(coin, atoms=1)),
        "TERMS",
        "a bitcoin coin claims to hold assets",
    ),
    (
        "assets beside bitcoin",
        declares(TAKER, asset_coins=many(1)),
        "TERMS",
        "the taker gives bitcoin and brings other assets",
    ),
    (
        "an asset coin without any",
        lambda done: done.with_declared(MAKER, asset_coins=(*done.declared[MAKER].asset_coins, *many(1))),
        "TERMS",
        "an asset coin holds none of it",
    ),
    (
        "more than there can be",
        coins(MAKER, "asset_coins", lambda coin: replace(coin, atoms=LARGEST)),
        "TERMS",
        "the maker claims more than there can be",
    ),
    (
        "too little of base",
        terms(base_atoms=61_000),
        "INSUFFICIENT_FUNDS",
        "the maker brings 60123 atoms of RUNE:840000:1",
    ),
    ("no asset coins", declares(MAKER, asset_coins=()), "INSUFFICIENT_FUNDS", "the maker brings 0 atoms"),
    ("too little bitcoin", terms(quote_atoms=200_000), "INSUFFICIENT_FUNDS", "the taker lacks"),
    ("no bitcoin", declares(TAKER, bitcoin_coins=()), "INSUFFICIENT_FUNDS", "the taker lacks"),
    ("more bitcoin than there is", terms(quote_atoms=LARGEST), "INSUFFICIENT_FUNDS", "the taker lacks"),
)


@pytest.mark.parametrize(("change", "code", "detail"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_settled_is_refused_by_name(change: Change, code: str, detail: str) -> None:
    with pytest.raises(TradeRefused) as refused:
        change(deal(RUNE, BTC, left=123)).settlement()
    assert refused.value.reason == code and detail in refused.value.detail


def test_a_runestone_of_83_bytes_is_built_and_a_longer_one_refused() -> None:
    """What nodes of before Core 30 relay."""
    built, refused = set[int](), set[int]()
    for width, bits in product((70, 90, 110), range(8, 125, 6)):
        wide = deal(Asset.alkane(2**width, 0), RUNE, base_atoms=2**60, quote_atoms=2**bits, left=1)
        try:
            built.add(len(wide.settlement().outputs[-1].script))
        except TradeRefused as error:
            assert error.reason == "TERMS" and error.detail.endswith("83 are relayed")
            refused.add(int(error.detail.split()[3]))
    assert (max(built), min(refused)) == (83, 84)
