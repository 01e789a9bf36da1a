"""What people write for an order, read into atoms, and judged before anything is signed or kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from darkswap_browser.api.trading.assets import AssetRegistry
from darkswap_browser.api.trading.records import OrderCheck, OrderProblem
from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.errors import ChainError, InvalidArgument, InvalidOrder
from darkswap_browser.market import orders
from darkswap_browser.market.amounts import format_amount, parse_amount, price_of, total_for
from darkswap_browser.market.assets import BTC, Asset, AssetMetadata
from darkswap_browser.market.orders import POSTAGE, FeeRule, Order, Side
from darkswap_browser.orders.draft import OrderDraft
from darkswap_browser.settlement.terms import Role, TradeInput, TradeTerms
from darkswap_browser.settlement.transaction import required_sats
from darkswap_browser.wallets.base import Account, Balance
from darkswap_browser.wire.fields import Choice, Flag, Real, Text, Whole
from darkswap_browser.wire.records import Converted, Settings, read_argument

TEXT = Text(200, 1)
"""Amounts too: a number has no exact decimals, and counts atoms elsewhere."""
SECONDS = Converted(Real("seconds", orders.MAX_LIFETIME, 1), int, float)
DRAFT = Settings(
    {
        "base_asset": Converted(TEXT, Asset.parse, str),
        "quote_asset": Converted(TEXT, Asset.parse, str),
        "side": Choice(Side),
        "amount": TEXT,
        "price": TEXT,
        "total": TEXT,
        "min_amount": TEXT,
        "expires_in": SECONDS,
        "fee_rule": Choice(FeeRule),
        "max_fee_sats": Whole(orders.MAX_FEE),
        "signing_seconds": Whole(orders.MAX_SIGNING_SECONDS, orders.MIN_SIGNING_SECONDS),
        "private_sale": Flag(),
    },
    "is not a part of an order",
)
CHANGE = Settings({"price": TEXT, "total": TEXT, "expires_in": SECONDS, "paused": Flag()}, "cannot be changed")
DRAFT_FIELDS = {
    "base": "base_asset",
    "quote": "quote_asset",
    "sale": "private_sale",
    "base_atoms": "amount",
    "quote_atoms": "total",
    "min_fill": "min_amount",
    "expires_at": "expires_in",
}
"""An order's field → that of its draft."""


@dataclass(frozen=True, slots=True)
class ParsedDraft:
    """A draft in atoms, and what its assets are."""

    draft: OrderDraft
    base: AssetMetadata
    quote: AssetMetadata

    @property
    def price(self) -> str:
        draft = self.draft
        return price_of(draft.base_atoms, self.base.decimals, draft.quote_atoms, self.quote.decimals)

    @property
    def total(self) -> str:
        return format_amount(self.draft.quote_atoms, self.quote.decimals)


async def read_draft(given: Mapping[str, object], book: AssetRegistry, fee_rule: str) -> ParsedDraft:
    """Parse an `OrderDraft` of darkswap.d.ts.

    Raises:
        InvalidArgument: A field is wrong; `path` names it.
        ChainError: Its assets are not known here, and no index tells.

    Cancellation: Safe; it only reads.
    """
    values = read_settings(DRAFT, "draft", given)
    if missing := [key for key in ("base_asset", "quote_asset", "side", "amount") if key not in values]:
        raise InvalidArgument(missing[0], "is missing")
    base_asset, quote_asset, side = values["base_asset"], values["quote_asset"], values["side"]
    base, quote = await book.info(base_asset), await book.info(quote_asset)
    amount = parse_amount(values["amount"], base.decimals, "amount")
    if ("price" in values) == ("total" in values):
        raise InvalidArgument("price", "is needed, or total, and not both")
    if "total" in values:
        quote_atoms = parse_amount(values["total"], quote.decimals, "total")
    else:
        quote_atoms = total_for(values["price"], amount, base.decimals, quote.decimals, up=side is Side.SELL)
    least = parse_amount(values["min_amount"], base.decimals, "min_amount") if "min_amount" in values else None
    draft = OrderDraft(
        base=base_asset,
        quote=quote_asset,
        side=side,
        base_atoms=amount,
        quote_atoms=quote_atoms,
        base_decimals=base.decimals,
        quote_decimals=quote.decimals,
        min_fill=least,
        expires_in=values.get("expires_in", orders.DEFAULT_LIFETIME),
        fee_rule=values.get("fee_rule", FeeRule(fee_rule)),
        max_fee_sats=values.get("max_fee_sats"),
        signing_seconds=values.get("signing_seconds", orders.DEFAULT_SIGNING_SECONDS),
        private_sale=values.get("private_sale", False),
    )
    return ParsedDraft(draft, base, quote)


def read_settings(settings: Settings, path: str, given: object) -> dict[str, Any]:
    """What is given of known fields; None counts as left out.

    Args:
        path: Names the whole where it is no mapping; fields are named alone.
    Raises:
        InvalidArgument: It is no mapping, has a field that is not known, or a value that is not allowed.
    """
    return read_argument(settings, "" if isinstance(given, Mapping) else path, given)


# --- judging


def find_problems(order: Order, *, private_sale: bool = False) -> list[OrderProblem]:
    """What `check_order` has against it, under the draft's names."""
    try:
        if private_sale:
            orders.check_whole_lot(order)
        orders.check_order(order)
    except InvalidOrder as error:
        return [OrderProblem(DRAFT_FIELDS.get(error.path, error.path), _sentence(error.reason))]
    return []


def funds_problem(
    draft: OrderDraft, gives: AssetMetadata, balances: Mapping[Asset, Balance], fee: int
) -> OrderProblem | None:
    """Whether the wallet has what is offered, and sats for its own part of the transaction."""
    asset, atoms = (draft.base, draft.base_atoms) if draft.side is Side.SELL else (draft.quote, draft.quote_atoms)
    field = "amount" if draft.side is Side.SELL else "total"
    held = balances.get(asset, Balance(asset, 0, 0, 0))
    if held.confirmed < atoms:
        free = format_amount(held.confirmed, gives.decimals)
        waits = " More is waiting for a confirmation." if held.pending else ""
        return OrderProblem(field, f"You have {free} free.{waits}")
    sats = balances.get(BTC, Balance(BTC, 0, 0, 0)).confirmed
    needed = fee + POSTAGE + (atoms if asset == BTC else 0)
    if sats < needed:
        return OrderProblem("wallet", f"About {needed} sats of plain bitcoin are needed with the fee; {sats} are free.")
    return None


def fee_of(draft: OrderDraft, accounts: tuple[Account, Account], rate: int) -> int:
    """Sats that the maker's side of the settlement costs at `rate` (sats per 1000 vB), about: one coin of each kind.

    `accounts`: for assets, and for payments.
    """
    assets, payment = accounts
    terms = TradeTerms(
        trade_id="",
        order_id="",
        order_hash="",
        network="",
        base=draft.base,
        base_atoms=draft.base_atoms,
        quote=draft.quote,
        quote_atoms=draft.quote_atoms,
        base_giver=Role.MAKER if draft.side is Side.SELL else Role.TAKER,
        fee_rule=draft.fee_rule,
        fee_rate=rate,
        deadline=0,
        maker_max_fee=orders.MAX_FEE,
    )
    asset, atoms = terms.gives(Role.MAKER)
    coins = () if asset == BTC else (TradeInput(OutPoint("00" * 32, 0), POSTAGE, assets.script, atoms),)
    needed = required_sats(terms, Role.MAKER, coins, [payment.script])
    gets = terms.gets(Role.MAKER)[0]
    postage = POSTAGE * ((gets != BTC) + (asset != BTC))
    return max(needed - postage - (atoms if asset == BTC else 0) + (POSTAGE if coins else 0), 0)


def fee_problem(order: Order, fee: int) -> OrderProblem | None:
    """Whether anybody could take it today. `fee`: sats that the maker's part of a settlement costs, about."""
    if fee <= order.max_fee_sats:
        return None
    detail = f"Your part of the fee is about {fee} sats today, and you pay at most {order.max_fee_sats}."
    return OrderProblem("max_fee_sats", detail)


def part_warning(draft: OrderDraft, fee: int) -> str:
    """What a maker should know who is paid in bitcoin for parts; "": nothing."""
    gets = draft.quote if draft.side is Side.SELL else draft.base
    if gets != BTC or draft.least_sats > fee:
        return ""
    return f"The smallest part brings {draft.least_sats} sats, and its fee is about {fee} sats today."


def refused(error: InvalidArgument | ChainError) -> OrderCheck:
    """A draft that cannot be read, or judged."""
    problem = (
        OrderProblem(error.path, _sentence(error.reason))
        if isinstance(error, InvalidArgument)
        else OrderProblem("base_asset", f"Assets or the fee cannot be looked up now: {error}.")
    )
    return OrderCheck(
        ok=False, problems=(problem,), warnings=(), price="", total="", quote_atoms=0, fee_sats=0, fee_rate=""
    )


def _sentence(reason: str) -> str:
    return (
        f"It {reason}."
        if reason.startswith(("is ", "has ", "makes ", "are "))
        else f"{reason[:1].upper()}{reason[1:]}."
    )


async def read_total(given: Mapping[str, Any], order: Callable[[], Order], book: AssetRegistry) -> int | None:
    """What is asked for all of an order, in atoms of quote, after a change of its price or total; None: as before.

    Raises `InvalidArgument`, also when both are given.

    Cancellation: Safe; it only reads.
    """
    if "price" in given and "total" in given:
        raise InvalidArgument("price", "is given, and total as well: only one can be")
    old = order()
    base, quote = await book.info(old.base), await book.info(old.quote)
    if "total" in given:
        return parse_amount(given["total"], quote.decimals, "total")
    if "price" in given:
        return total_for(given["price"], old.base_atoms, base.decimals, quote.decimals, up=old.side is Side.SELL)
    return None
