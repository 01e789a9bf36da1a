"""What an order to be would be, and what is wrong with it: asked while it is typed; nothing is signed or kept."""

from __future__ import annotations

from darkswap_browser.api.trading import drafts
from darkswap_browser.api.trading.drafts import ParsedDraft
from darkswap_browser.api.trading.records import OrderCheck, OrderProblem
from darkswap_browser.api.trading.wallet_manager import WalletManager
from darkswap_browser.market.amounts import format_amount
from darkswap_browser.market.orders import Order, Side
from darkswap_browser.settlement.private_sale import RISKS
from darkswap_browser.wallets.base import AccountPurpose
from darkswap_browser.wallets.coins import holds_only, is_free


async def check_order(
    read: ParsedDraft, order: Order, wallet_manager: WalletManager, rate: int, *, private_sales: bool
) -> OrderCheck:
    """What is wrong with a draft, and what it would cost.

    Args:
        order: What creating it would make of it.
        rate: Today's, in sats per 1000 vB.
    Raises:
        ChainError: The wallet's coins cannot be looked up.

    Cancellation: Safe; it only reads.
    """
    draft, fee = read.draft, 0
    problems = drafts.find_problems(order, private_sale=draft.private_sale)
    if draft.private_sale and not private_sales:
        problems.append(OrderProblem("private_sale", "Private sales are switched off here (trade.private_sales)."))
    if not wallet_manager.is_connected:
        problems.append(OrderProblem("wallet", "Connect a wallet first."))
    elif draft.private_sale:
        problems += await _lot_problem(read, wallet_manager)
    else:
        fee = drafts.fee_of(
            draft, (wallet_manager.account(AccountPurpose.ASSETS), wallet_manager.account(AccountPurpose.PAYMENT)), rate
        )
        await wallet_manager.coins.refresh()
        balances = {each.asset: each for each in await wallet_manager.coins.balances()}
        gives = read.base if draft.side is Side.SELL else read.quote
        lacking = drafts.funds_problem(draft, gives, balances, fee)
        problems += [each for each in (lacking, drafts.fee_problem(order, fee)) if each is not None]
    return OrderCheck(
        ok=not problems,
        problems=tuple(problems),
        warnings=RISKS if draft.private_sale else tuple(filter(None, [drafts.part_warning(draft, fee)])),
        price=read.price,
        total=read.total,
        quote_atoms=draft.quote_atoms,
        fee_sats=fee,
        fee_rate=format_amount(rate, 3),
    )


async def _lot_problem(read: ParsedDraft, wallet_manager: WalletManager) -> list[OrderProblem]:
    """A private sale gives away one coin as it lies; its maker pays no fee."""
    draft = read.draft
    coins = [each for each in await wallet_manager.coins.refresh() if is_free(each) and holds_only(each, draft.base)]
    held = sorted({each.holdings.assets[draft.base] for each in coins}, reverse=True)
    if draft.base_atoms in held:
        return []
    told = ", ".join(format_amount(atoms, read.base.decimals) for atoms in held[:5])
    what = f"Your coins hold {told}." if held else "You have no such coin."
    return [OrderProblem("amount", f"A private sale is of one coin that holds exactly this amount. {what}")]
