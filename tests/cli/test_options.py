"""The command line: what each verb takes, and what is not understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from darkswap_browser.cli.command import VERBS
from darkswap_browser.cli.options import parse_options

LINES = {
    "wallet create": ("wallet", "create"),
    "wallet restore": ("wallet", "restore"),
    "wallet show": ("wallet", "show"),
    "wallet coins": ("wallet", "coins"),
    "wallet words": ("wallet", "words"),
    "wallet freeze ab12cd:0": ("wallet", "freeze"),
    "wallet unfreeze ab12cd:0": ("wallet", "unfreeze"),
    "wallet release ab12cd:0": ("wallet", "release"),
    "wallet faucet BTC 5000": ("wallet", "faucet"),
    "order sell 100 RUNE:840000:1 for 0.5 BTC": ("order", "sell"),
    "order buy 100 RUNE:840000:1 for BTC --price 0.005": ("order", "buy"),
    "order serve --page https://example.org/": ("order", "serve"),
    "order list --all": ("order", "list"),
    "order show ab12": ("order", "show"),
    "order cancel ab12": ("order", "cancel"),
    "order pause ab12": ("order", "pause"),
    "order resume ab12": ("order", "resume"),
    "order change ab12 --price 2": ("order", "change"),
    "take darkswap:1abc --amount 2 --yes --fee-rate 2.5 --max-fee 900 --no-wait": ("take", "take"),
    "trades": ("trades", "list"),
    "trades list": ("trades", "list"),
    "trades show ab12": ("trades", "show"),
    "trades cancel ab12": ("trades", "cancel"),
    "trades revoke ab12 --fee 900 --max-fee 1000": ("trades", "revoke"),
    "trades bump ab12 --fee-rate 50 --max-fee 9000": ("trades", "bump"),
    "trades revoke-fee ab12": ("trades", "revoke-fee"),
    "trades wait ab12": ("trades", "wait"),
    "trades resume": ("trades", "resume"),
    "doctor": ("doctor", "doctor"),
    "doctor --report": ("doctor", "doctor"),
}


@pytest.mark.parametrize("line", LINES)
def test_every_verb_is_read(line: str) -> None:
    assert parse_options(line.split(), {}).verb == LINES[line]


def test_every_verb_is_done_by_something() -> None:
    assert set(VERBS) == set(LINES.values())


def test_an_order_is_read_with_all_that_belongs_to_it() -> None:
    line = "order sell 100.5 DARK•TEST•COINS --min 10 for 0.5 btc --expires 90m --fee-rule taker_pays --exit"
    given = parse_options(line.split(), {}).given
    assert (given.amount, given.base, given.total, given.quote, given.price) == (
        *("100.5", "DARK•TEST•COINS", "0.5", "BTC"),
        None,
    )
    assert (given.min, given.expires, given.fee_rule, given.exit, given.page) == ("10", 5400, "taker_pays", True, None)


def test_a_price_stands_in_place_of_a_total() -> None:
    given = parse_options(["order", "buy", "3", "alkane:2:0", "for", "RUNE:1:1", "--price", "0.25"], {}).given
    assert (given.base, given.total, given.quote, given.price) == ("ALKANE:2:0", None, "RUNE:1:1", "0.25")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800)]
)
def test_times_have_units(text: str, seconds: int) -> None:
    assert parse_options(["order", "change", "ab12", "--expires", text], {}).given.expires == seconds


def test_where_may_stand_before_and_behind_the_verb_and_lists_are_gathered() -> None:
    line = (
        "--relay /dns4/a/tcp/1 --json trades --relay /dns4/b/tcp/1 list --relay /dns4/c/tcp/1 --network signet --data d"
    )
    options = parse_options(line.split(), {})
    assert options.relay == ("/dns4/a/tcp/1", "/dns4/b/tcp/1", "/dns4/c/tcp/1")
    assert (options.json, options.network, options.data, options.esplora) == (True, "signet", Path("d"), ())


def test_the_environment_names_configuration_and_folder_unless_the_line_does() -> None:
    around = {"DARKSWAP_CONFIG": "http://localhost:8000/config.json", "DARKSWAP_DATA": "/somewhere"}
    options = parse_options(["trades"], around)
    assert (options.config, options.data) == ("http://localhost:8000/config.json", Path("/somewhere"))
    assert parse_options(["--config", "mine.json", "trades"], around).config == "mine.json"
    assert parse_options(["trades"], {"DARKSWAP_CONFIG": ""}).config is None


WRONG = {
    "": "required",
    "fly": "invalid choice",
    "trades list --data=": "names no folder",
    "wallet": "required",
    "wallet eat": "invalid choice",
    "wallet freeze": "COIN",
    "wallet faucet": "ASSET",
    "wallet faucet BTC -5": "is not a whole number",
    "wallet faucet BTC 0.5": "is not a whole number",
    "wallet faucet RUNE:x:1": "is not a whole number",
    "order sell 1 BTC": "required",
    "order sell 1 RUNE:1:1 to 2 BTC": "write: for TOTAL ASSET",
    "order sell 1 RUNE:1:1 for BTC": "write: for TOTAL ASSET",
    "order sell 1 RUNE:1:1 for 2 BTC --price 2": "without a total",
    "order sell one RUNE:1:1 for 2 BTC": "is not a decimal number",
    "order sell 1 RUNE:1:1 for two BTC": "is not a decimal number",
    "order sell 1 RUNE:1:1 for 2 RUNE:0:1": "is not an id of its kind",
    "order sell 1 DOGE:1:1 for 2 BTC": "is not an asset",
    "order sell 1 RUNE:1:1 for 2 BTC --expires soon": "is not a time",
    "order sell 1 RUNE:1:1 for 2 BTC --expires 0h": "is not a time",
    "order sell 1 RUNE:1:1 for 2 BTC --fee-rule none": "invalid choice",
    "order change ab12": "needs --price, --total or --expires",
    "order change ab12 --price 1 --total 2": "exclude each other",
    "order show": "ID",
    "take": "TEXT_OR_LINK",
    "take darkswap:1abc --max-fee 1.5": "is not a whole number of sats",
    "take darkswap:1abc --fee-rate 0": "is not a number of sats per vbyte",
    "take darkswap:1abc --ye": "unrecognized",
    "take darkswap:1abc --passphrase x": "unrecognized",
    "trades fly": "invalid choice",
    "--network moon trades": "invalid choice",
    "--netwrok regtest trades": "there is no option --netwrok before the verb; did you mean --network?",
    "--netwrok=regtest trades": "there is no option --netwrok before the verb; did you mean --network?",
    "--data d --xyz 1 trades": "there is no option --xyz before the verb",
    "trades --netwrok regtest list": "did you mean --network?",
    "order --yes list": "there is no option --yes before the verb",
}


@pytest.mark.parametrize("line", WRONG)
def test_what_is_not_understood_is_said_with_status_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        parse_options(line.split(), {})
    assert refused.value.code == 2
    assert WRONG[line] in capsys.readouterr().err


def test_help_tells_of_extras_environment_and_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse_options(["--help"], {})
    told = capsys.readouterr().out
    assert left.value.code == 0
    for word in ("darkswap-browser[node,trade]", "DARKSWAP_CONFIG", "DARKSWAP_PASSPHRASE", "130 interrupted"):
        assert word in told
