"""Orders and trades for eyes, within 100 columns; for machines, amounts as texts."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from darkswap_browser.api.trading.records import AssetAmount, CoinInfo
from darkswap_browser.cli import formatting
from darkswap_browser.cli.event_printer import link_of
from darkswap_browser.cli.output import Output
from darkswap_browser.cli.session import resolve_prefix
from darkswap_browser.cli.tables import width
from darkswap_browser.errors import InvalidArgument, InvalidOrder

RUNE = "RUNE:840000:1"
NOW = 1_800_000_000
ORDER: dict[str, Any] = {
    "id": "7a01384c53bff28a" * 4,
    "maker": "12D3KooWN18vztiVi5Lvt7iEFUV4jpzWsS38pQawLWGxcZGGe7v9",
    "base": {"asset": RUNE, "name": "UNCOMMON•GOODS"},
    "quote": {"asset": "BTC", "name": "Bitcoin"},
    "base_asset": RUNE,
    "quote_asset": "BTC",
    "side": "sell",
    "price": "0.000005",
    "amount": "100.5",
    "total": "0.0005025",
    "min_amount": "10",
    "remaining_amount": "50.25",
    "filled_amount": "50.25",
    "fee_rule": "own_weight",
    "max_fee_sats": 960,
    "signing_seconds": 60,
    "status": "open",
    "is_local": True,
    "funded": True,
    "created_at": NOW,
    "expires_at": NOW + 86_400,
    "text": "darkswap:1abc",
}
STEPS = [{"name": "broadcast", "state": "active"}, {"name": "confirm", "state": "todo"}]
TRADE: dict[str, Any] = {
    "id": "b93bac6ccae3f313" * 2,
    "order_id": ORDER["id"],
    "peer_id": ORDER["maker"],
    "role": "taker",
    "side": "sell",
    "amount": "50.25",
    "base_asset": RUNE,
    "total": "0.00025125",
    "quote_asset": "BTC",
    "phase": "signing",
    "status": "pending",
    "steps": STEPS,
    "txid": "f585addaa4adb032" * 4,
    "confirmations": 0,
    "advice": "Wait.",
    "created_at": NOW,
}
SENT = {**TRADE, "phase": "pending", "status": "confirming", "steps": [{"name": "confirm", "state": "active"}]}


@pytest.fixture
def names() -> formatting.AssetNames:
    known = formatting.AssetNames()
    known.learn_orders([ORDER])
    return known


def test_a_name_never_stands_without_its_id(names: formatting.AssetNames) -> None:
    assert names.label(RUNE) == "UNCOMMON•GOODS (RUNE:840000:1)"
    assert (names.label("BTC"), names.label("ALKANE:2:0")) == ("BTC", "ALKANE:2:0")
    assert names.legend([RUNE, "BTC", RUNE]) == ["", "RUNE:840000:1 is UNCOMMON•GOODS"]


def test_orders_fit_into_a_hundred_columns(names: formatting.AssetNames) -> None:
    large = {
        **ORDER,
        "is_local": False,
        "amount": "21000000.12345678",
        "base_asset": "ALKANE:4:65537",
        "status": "unfunded",
    }
    lines = formatting.order_table([ORDER, large], names, NOW + 1)
    assert max(width(line) for line in lines) <= 100
    assert lines[1].split() == ["7a01384c53", "you", "sell", "100.5", RUNE, "0.0005025", "BTC", "50.25", "open", "23h"]
    assert "ZGGe7v9"[1:] in lines[2] and lines[-1] == "RUNE:840000:1 is UNCOMMON•GOODS"
    assert formatting.order_table([], names, NOW) == ["No orders."]


def test_an_order_is_told_whole(names: formatting.AssetNames) -> None:
    told = "\n".join(formatting.order_lines({**ORDER, "funded": None}, names))
    for part in (
        ORDER["id"],
        ORDER["maker"],
        "sell 100.5 UNCOMMON•GOODS (RUNE:840000:1) for 0.0005025 BTC",
        "not known",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("role", "side", "told"),
    [
        ("taker", "sell", "give 0.00025125 BTC, get 50.25 UNCOMMON•GOODS (RUNE:840000:1)"),
        ("maker", "buy", "give 0.00025125 BTC, get 50.25 UNCOMMON•GOODS (RUNE:840000:1)"),
        ("maker", "sell", "give 50.25 UNCOMMON•GOODS (RUNE:840000:1), get 0.00025125 BTC"),
        ("taker", "buy", "give 50.25 UNCOMMON•GOODS (RUNE:840000:1), get 0.00025125 BTC"),
    ],
)
def test_a_deal_is_told_from_this_side(role: str, side: str, told: str, names: formatting.AssetNames) -> None:
    assert formatting.trade_summary({**TRADE, "role": role, "side": side}, names) == told


def test_trades_fit_into_a_hundred_columns(names: formatting.AssetNames) -> None:
    lines = formatting.trade_table([TRADE, SENT], names)
    assert max(width(line) for line in lines) <= 100 and "confirming" in lines[2]
    assert formatting.trade_table([], names) == ["No trades."]


def test_the_txid_is_told_once_others_may_have_seen_it() -> None:
    assert formatting.trade_line(TRADE) == "trade b93bac6cca: signing."
    assert formatting.trade_line(SENT) == f"trade b93bac6cca: waits for a block. Txid {TRADE['txid']}."
    failed = {**TRADE, "phase": "failed", "reason": {"code": "TIMEOUT", "message": "It took too long."}}
    assert formatting.trade_line(failed) == "trade b93bac6cca: failed. It took too long."


def test_what_the_transaction_does_is_told_with_the_fee(names: formatting.AssetNames) -> None:
    effect = {
        "gives": [{"asset": "BTC", "name": "Bitcoin", "amount": "0.00025125", "atoms": 25125}],
        "gets": [{"asset": "ALKANE:2:0", "name": "DIESEL", "amount": "2", "atoms": 200_000_000}],
        "fee_sats": "160",
    }
    assert formatting.effect_lines(effect, names) == [
        "You give  0.00025125 BTC",
        "You get   2 DIESEL (ALKANE:2:0)",
        "Fee       160 sats (0.0000016 BTC)",
    ]


def test_review_says_whose_word_the_other_sides_coins_are() -> None:
    one = {"vouched_by": 1, "vouchers": ("https://a",)}
    assert formatting.voucher_line(one).endswith("are vouched for by ONE server: https://a.")
    two = {"vouched_by": 2, "vouchers": ("https://a", "https://b", "https://c")}
    assert formatting.voucher_line(two).endswith("by 2 servers that agree: https://a, https://b, https://c.")


def test_coins_tell_what_is_on_them() -> None:
    coin = {"outpoint": f"{'ab' * 32}:1", "sats": 546, "state": "confirmed", "inscriptions": [], "known": True}
    held = {"asset": RUNE, "name": "UNCOMMON•GOODS", "amount": "5", "atoms": 5}
    lines = formatting.coin_lines(
        [{**coin, "assets": [held]}, {**coin, "assets": [], "known": False, "inscriptions": ["x"]}]
    )
    assert lines[1].split() == ["ababababab:1", "546", "confirmed", "5", RUNE]
    assert lines[2].endswith("an inscription") and lines[-1] == "RUNE:840000:1 is UNCOMMON•GOODS"
    assert formatting.coin_lines([]) == ["No coins."]


@pytest.mark.parametrize(
    ("seconds", "told"), [(-1, "over"), (59, "59s"), (7100, "118m"), (7200, "2h"), (172_800, "2d"), (604_800, "7d")]
)
def test_the_time_that_is_left_is_told_short(seconds: int, told: str) -> None:
    assert formatting.left(NOW + seconds, NOW) == told


def test_links_are_those_of_the_page() -> None:
    assert link_of(ORDER, None) == "darkswap:1abc"
    assert link_of(ORDER, "https://example.org/?x=1#/orders") == "https://example.org/?x=1#order=darkswap:1abc"


# --- for machines


def written(*, json_wanted: bool) -> tuple[Output, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Output(out, err, json=json_wanted), out, err


def test_in_json_amounts_are_texts_and_absent_fields_are_left_out() -> None:
    output, out, _ = written(json_wanted=True)
    coin = CoinInfo(
        outpoint="ab:0",
        sats=2**60,
        address="bc1q",
        state="confirmed",
        reserved_by="",
        assets=(AssetAmount(RUNE, "X", "0.5", 2**127),),
        inscriptions=(),
        known=True,
    )
    output.value([coin], ["for eyes"])
    output.event("ready", {"orders": [], "peer_id": None}, ["for eyes"])
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first[0]["sats"], first[0]["assets"][0]["atoms"], first[0]["known"]) == (str(2**60), str(2**127), True)
    assert second == {"event": "ready", "orders": []}


def test_a_failure_is_a_sentence_and_a_hint_and_a_code_for_machines() -> None:
    for json_wanted in (False, True):
        output, out, err = written(json_wanted=json_wanted)
        output.failure(InvalidOrder("order", "is your own", "Orders are for others."))
        assert err.getvalue() == "darkswap: order: is your own\nOrders are for others.\n"
        told = [json.loads(line) for line in out.getvalue().splitlines()]
        assert [(each["event"], each["code"]) for each in told] == ([("error", "INVALID_ORDER")] if json_wanted else [])


def test_words_of_strangers_cannot_command_the_terminal() -> None:
    output, out, err = written(json_wanted=False)
    output.event("trade_failed", {}, ["They say: “\x1b[2J\n”"])
    output.print_note("\x1b]0;x\x07")
    assert (out.getvalue(), err.getvalue()) == ("They say: “?[2J?”\n", "?]0;x?\n")


# --- ids cut short


def test_an_id_may_be_cut_short_as_long_as_it_names_one() -> None:
    known = ["abcd1234", "abcd9999", "ffff0000"]
    assert resolve_prefix("order", "FFFF", known) == "ffff0000"
    assert resolve_prefix("order", "abcd1234", known) == "abcd1234"
    coins = ["abcdef01:0", "abcdef01:1"]
    assert (resolve_prefix("coin", "abcdef01:1", coins), resolve_prefix("coin", "abcd:0", coins)) == (
        "abcdef01:1",
        "abcdef01:0",
    )


@pytest.mark.parametrize(
    ("text", "why"), [("abc", "too short"), ("abcd", "2 begin with"), ("9999", "none"), ("", "short")]
)
def test_what_names_none_or_several_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why) as refused:
        resolve_prefix("order", text, ["abcd1234", "abcd9999"])
    assert refused.value.path == "order"
