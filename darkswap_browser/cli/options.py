"""The command line of `darkswap`: its verbs, what each takes, and what is refused before anything is done."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from darkswap_browser.errors import InvalidArgument
from darkswap_browser.market.amounts import parse_decimal
from darkswap_browser.market.assets import Asset
from darkswap_browser.node.config import BITCOIN_NETWORKS, FEE_RULES
from darkswap_browser.runtime.native.data_folder import data_folder
from darkswap_browser.version import VERSION

ABOUT = """\
Trade bitcoin, runes and alkanes with peers: with the page, and with other command lines.
It needs two extras of the package: pip install "darkswap-browser[node,trade]"
"""
EXAMPLES = """\
examples:
  darkswap --config http://localhost:8000/config.json wallet create
  darkswap order sell 100 RUNE:840000:1 for 0.0005 BTC --min 10
  darkswap take 'https://example.org/#order=darkswap:1…' --amount 20
  darkswap order serve

Assets are BTC, RUNE:840000:1, ALKANE:2:0, or the name of a rune. Ids of orders, trades and coins may be cut short, as
long as they name one. The options of "where" may stand before or behind the verb.
Environment: DARKSWAP_CONFIG as --config; DARKSWAP_DATA as --data; DARKSWAP_PASSPHRASE opens the wallet, where no
terminal is there to ask at; DARKSWAP_LOG=debug, or darkswap_browser.net=debug, tells on standard error what happens.
Exit status: 0 done, 1 failed (a sentence on standard error says why), 2 not understood, 130 interrupted.
--json writes one JSON value, or one event a line; amounts in it are texts, those in …atoms and …sats whole numbers.
"""
LISTS = ("relay", "esplora", "ord", "alkanes")
"""Options that may be repeated; each replaces the list of the configuration."""
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION = re.compile(r"([0-9]{1,7})([smhd]?)")
RAW = argparse.RawDescriptionHelpFormatter
T = TypeVar("T")
_Subparsers = argparse._SubParsersAction  # only its name is missing from argparse's own list


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`verb`: e.g. ("order", "sell"). `given`: what belongs to that verb. None and (): as the configuration says."""

    verb: tuple[str, str]
    given: argparse.Namespace
    network: str | None
    data: Path
    config: str | None
    json: bool
    relay: tuple[str, ...]
    esplora: tuple[str, ...]
    ord: tuple[str, ...]
    alkanes: tuple[str, ...]


def parse_options(arguments: Sequence[str], environment: dict[str, str]) -> Options:
    """Exits with status 2 and the usual message when the line is not understood."""
    parser = _parser()
    given = parser.parse_args(arguments)
    verb = (given.group, given.verb)
    if verb in (("order", "sell"), ("order", "buy")):
        _read_terms(parser, given)
    if verb == ("order", "change") and (given.price is None) + (given.total is None) + (given.expires is None) == 3:
        parser.error("order change needs --price, --total or --expires")
    if verb == ("order", "change") and given.price is not None and given.total is not None:
        parser.error("--price and --total exclude each other")
    config = getattr(given, "config", environment.get("DARKSWAP_CONFIG") or None)
    lists = {
        name: tuple(each for level in range(3) for each in getattr(given, f"{name}_{level}", ())) for name in LISTS
    }
    return Options(
        verb=verb,
        given=given,
        network=getattr(given, "network", None),
        data=getattr(given, "data", data_folder(environment)),
        config=config,
        json=getattr(given, "json", False),
        **lists,
    )


def _read_terms(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """`for TOTAL ASSET`, or `for ASSET` beside --price."""
    word, *rest = given.terms
    expected = 2 if given.price is None else 1
    if word != "for" or len(rest) != expected:
        parser.error(
            "write: for TOTAL ASSET, or: for ASSET --price PRICE"
            if given.price is None
            else "with --price write: for ASSET (without a total)"
        )
    try:
        given.total = None if given.price is not None else _decimal(rest[0])
        given.quote = _asset(rest[-1])
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))


# --- the tree of verbs


class _Parser(argparse.ArgumentParser):
    """Names an option that does not exist; argparse would take its value for the verb and name that."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._subparsers is not None:
            self._check_options_before_the_verb(list(args))
        return super().parse_known_args(args, namespace)

    def _check_options_before_the_verb(self, arguments: Sequence[str]) -> None:
        rest = list(arguments)
        while rest and rest[0].startswith("-") and rest[0] != "--":
            name, equals, _ = rest.pop(0).partition("=")
            action = self._option_string_actions.get(name)
            if action is None:
                self._refuse(name)
            if action.nargs != 0 and not equals:
                del rest[:1]

    def _refuse(self, name: str) -> NoReturn:
        near = difflib.get_close_matches(name, self._option_string_actions, 1)
        self.error(f"there is no option {name} before the verb" + (f"; did you mean {near[0]}?" if near else ""))


def _parser() -> _Parser:
    parser = _Parser("darkswap", description=ABOUT, epilog=EXAMPLES, formatter_class=RAW, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"darkswap {VERSION}")
    _add_where(parser, 0)
    groups = parser.add_subparsers(dest="group", required=True, metavar="wallet | order | take | trades | doctor")
    _add_wallet(groups)
    _add_order(groups)
    _add_take(groups)
    _add_trades(groups)
    _add_doctor(groups)
    return parser


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("names no folder")
    return Path(text)


def _add_where(parser: argparse.ArgumentParser, level: int) -> None:
    """Each level has its own names for lists: argparse lets the inner one forget what the outer one gathered."""
    where = parser.add_argument_group("where", argument_default=argparse.SUPPRESS)
    where.add_argument("--network", choices=BITCOIN_NETWORKS, help="(default: the configuration's, else mainnet)")
    where.add_argument(
        "--data",
        type=_folder,
        metavar="FOLDER",
        help="of wallet, orders and trades",
    )
    where.add_argument("--config", metavar="FILE_OR_URL", help="JSON; the page's config.json will do")
    for name, what in zip(LISTS, ("MULTIADDR", "URL", "URL", "URL"), strict=True):
        where.add_argument(f"--{name}", action="append", dest=f"{name}_{level}", metavar=what, help="may be repeated")
    where.add_argument("--json", action="store_true", help="for machines")


def _group(groups: _Subparsers[_Parser], name: str, text: str) -> _Parser:
    return groups.add_parser(name, help=text, description=text, allow_abbrev=False)


def _verb(verbs: _Subparsers[_Parser], name: str, text: str, *arguments: str) -> _Parser:
    parser = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
    for each in arguments:
        parser.add_argument(each.lower(), metavar=each)
    _add_where(parser, 2)
    return parser


def _add_wallet(groups: _Subparsers[_Parser]) -> None:
    verbs = _group(groups, "wallet", "Twelve words of your own, for test networks and small sums.").add_subparsers(
        dest="verb", required=True
    )
    _verb(verbs, "create", "Make a wallet, sealed with a passphrase.")
    _verb(verbs, "restore", "Take a wallet from its words, read from the terminal or standard input.")
    _verb(verbs, "show", "Addresses and balances.")
    _verb(verbs, "coins", "Every unspent output.")
    _verb(verbs, "words", "The words, to be written down on paper.")
    _verb(verbs, "freeze", "Never spend a coin.", "COIN")
    _verb(verbs, "unfreeze", "Let it be spent again.", "COIN")
    _verb(verbs, "release", "Free a coin whose trade or order cannot be read any more.", "COIN")
    faucet = _verb(verbs, "faucet", "Ask for coins of a test chain, where the configuration names a faucet.")
    faucet.add_argument("asset", type=_asset, metavar="ASSET")
    faucet.add_argument("atoms", type=_whole, nargs="?", metavar="ATOMS")


def _add_order(groups: _Subparsers[_Parser]) -> None:
    verbs = _group(groups, "order", "Offers of your own.").add_subparsers(dest="verb", required=True)
    for side in ("sell", "buy"):
        make = _verb(verbs, side, f"Offer to {side} AMOUNT of an asset, and stay to answer whoever takes it.")
        make.usage = f"darkswap order {side} AMOUNT ASSET for TOTAL ASSET [--min AMOUNT] [--expires 24h] …"
        make.add_argument("amount", type=_decimal, metavar="AMOUNT")
        make.add_argument("base", type=_asset, metavar="ASSET")
        make.add_argument("terms", nargs="+", metavar="for TOTAL ASSET", help="with --price: for ASSET")
        make.add_argument("--price", type=_decimal, help="per one of ASSET, in place of TOTAL")
        make.add_argument("--min", type=_decimal, metavar="AMOUNT", help="least that one may take (default: all)")
        make.add_argument("--expires", type=_seconds, metavar="TIME", help="30m, 24h, 7d (default 24h)")
        make.add_argument("--fee-rule", choices=FEE_RULES, help="each its own weight (default), or all by the taker")
        make.add_argument("--max-fee", type=_sats, metavar="SATS", help="most you pay the miners for one part")
        make.add_argument("--signing-time", type=_seconds, metavar="TIME", help="what a taker gets (default 60s)")
        make.add_argument("--exit", action="store_true", help="do not stay: `darkswap order serve` answers later")
        make.add_argument("--page", metavar="URL", help="of a page; prints a link to it that holds the order")
    serve = _verb(verbs, "serve", "Stay and answer for every open order, until Ctrl-C.")
    listing = _verb(verbs, "list", "Orders that are kept here.")
    listing.add_argument("--all", action="store_true", help="also those that are over, and others' orders")
    show = _verb(verbs, "show", "All about one order, its text included.", "ID")
    _verb(verbs, "cancel", "End an order for good.", "ID")
    pause = _verb(verbs, "pause", "Let nobody take it for now.", "ID")
    resume = _verb(verbs, "resume", "Offer it again.", "ID")
    change = _verb(verbs, "change", "Another price, or another end. Its text changes: pass it on again.", "ID")
    change.add_argument("--price", type=_decimal)
    change.add_argument("--total", type=_decimal)
    change.add_argument("--expires", type=_seconds, metavar="TIME", help="from now: 30m, 24h, 7d")
    for parser in (serve, show, pause, resume, change):
        parser.add_argument("--page", metavar="URL", help="of a page; prints links to it that hold the order")


def _add_doctor(groups: _Subparsers[_Parser]) -> None:
    text = (
        "Try out what trading needs here: storage, relays, WebRTC, chain servers, clock. Status 1 where a part fails."
    )
    doctor = _group(groups, "doctor", text)
    doctor.set_defaults(verb="doctor")
    doctor.add_argument("--report", action="store_true", help="a report to pass on, without names, addresses and keys")
    _add_where(doctor, 1)


def _add_take(groups: _Subparsers[_Parser]) -> None:
    text = "Take an order: see what the transaction does, say yes, wait until it is in a block."
    take = _group(groups, "take", text)
    take.set_defaults(verb="take")
    take.add_argument("text", metavar="TEXT_OR_LINK")
    take.add_argument("--amount", type=_decimal, help="of what is sold or bought (default: all that is left)")
    take.add_argument("--yes", action="store_true", help="do not ask before signing")
    take.add_argument("--fee-rate", type=_rate, metavar="RATE", help="sats per vbyte (default: today's)")
    take.add_argument("--max-fee", type=_sats, metavar="SATS", help="most the miners get of you (default: a quarter)")
    take.add_argument("--no-wait", action="store_true", help="leave as soon as the transaction is sent")
    _add_where(take, 1)


def _add_trades(groups: _Subparsers[_Parser]) -> None:
    trades = _group(groups, "trades", "What came of orders.")
    _add_where(trades, 1)
    verbs = trades.add_subparsers(dest="verb")
    trades.set_defaults(verb="list")
    _verb(verbs, "list", "All, newest first.")
    _verb(verbs, "show", "All about one.", "ID")
    _verb(verbs, "cancel", "End it; possible until your signature has left.", "ID")
    revoke = _verb(
        verbs, "revoke", "Take back a signature that is out, by spending one of its coins to yourself.", "ID"
    )
    revoke.add_argument("--fee", type=_sats, metavar="SATS", help="what it shall cost (default: what it needs to)")
    revoke.add_argument("--max-fee", type=_sats, metavar="SATS", help="what it may cost")
    bump = _verb(verbs, "bump", "Speed up a settlement that waits: a child of your bitcoin output pays for both.", "ID")
    bump.add_argument(
        "--fee-rate", type=_rate, metavar="RATE", help="sats per vbyte of both (default: the next block's)"
    )
    bump.add_argument("--max-fee", type=_sats, metavar="SATS", help="what it may cost")
    _verb(verbs, "revoke-fee", "What taking a signature back would cost now.", "ID")
    _verb(verbs, "wait", "Go on with it until it is over.", "ID")
    _verb(verbs, "resume", "Go on until everything that is going on is over.")


# --- values


def _checked(read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except InvalidArgument as error:
        raise argparse.ArgumentTypeError(error.reason) from error


def _decimal(text: str) -> str:
    _checked(lambda given: parse_decimal(given, "amount"), text)
    return text


def _asset(text: str) -> str:
    """An id in its one form; a name as it is, to be looked up later."""
    if ":" in text or text.lower() in ("btc", "bitcoin"):
        return _checked(lambda given: str(Asset.parse("BTC" if ":" not in given else given)), text)
    return text


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 39 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _rate(text: str) -> float:
    value = float(_decimal(text))
    if not 0 < value < 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of sats per vbyte")
    return value


def _sats(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of sats")
    return int(text)


def _seconds(text: str) -> int:
    found = DURATION.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 30m, 24h or 7d")
    return int(found[1]) * UNITS[found[2]]
