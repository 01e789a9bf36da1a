"""At the maker's door: whether a stranger's request is worth looking at, before any coin of ours is shown for it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from darkswap_browser.errors import DarkSwapError, InvalidOrder, TradeRefused
from darkswap_browser.market import order_codec, orders
from darkswap_browser.net.limits import Limits
from darkswap_browser.orders.funding import same_terms
from darkswap_browser.orders.order_manager import OrderManager
from darkswap_browser.settlement.checks import TradePolicy
from darkswap_browser.settlement.messages import Body, Cancel, TakeRequest
from darkswap_browser.settlement.states import Canceled, Expired, Failed, Settled, State
from darkswap_browser.settlement.terms import Role
from darkswap_browser.storage.orders import OrderStatus
from darkswap_browser.storage.trades import TradeRecord
from darkswap_browser.trades.failure_limiter import FailureLimiter

LONGEST = 600
"""Seconds from a request to its deadline: so long may a taker who vanishes hold coins of ours."""
THEIR_FAULT = ("BAD_SIGNATURE", "TX_MISMATCH", "TERMS", "V5", "V9", "V10", "V11", "V17")
"""What a request or its coins are refused for; the other rules are about our own coins and wallet."""


PUBLIC_CODES = (
    *THEIR_FAULT,
    "FEE_RANGE",
    "TIMEOUT",
    "USER_REJECTED",
    "ORDER_GONE",
    "PRICE_CHANGED",
    "BROADCAST_REJECTED",
)
"""Codes whose details may leave with a cancellation: no other's says what we have, or which servers we ask."""


class TradeAdmission:
    def __init__(self, order_manager: OrderManager, policy: TradePolicy, limits: Limits) -> None:
        self._order_manager = order_manager
        self._policy = policy
        self._limits = limits
        self._tries = FailureLimiter(limits.trade_failures_allowed, limits.trade_failures_tracked)

    async def admit(self, peer: str, trade_id: str, request: TakeRequest, busy: Sequence[str], now: int) -> str:
        """Text of the revision of ours that is taken, of which the wanted part is held for the trade from now on.
        `busy`: the peer of each trade that goes on or is being admitted.

        Raises `TradeRefused` with a cancel code.
        """
        if len(busy) >= self._limits.active_trades or busy.count(peer) >= self._limits.trades_per_peer:
            raise TradeRefused("BUSY", "too many trades go on already")
        if not self._tries.is_allowed(_keys(peer, request), now):
            raise TradeRefused("BUSY", "requests for this order, or with these coins, came to nothing a moment ago")
        view = self._order_manager.get(request.order_id)
        if view is None or not view.is_local or view.status.is_over:
            raise TradeRefused("ORDER_GONE", "there is no such order any more")
        if view.private_sale:
            raise TradeRefused("ORDER_GONE", "it is a private sale, which its text completes without being asked for")
        text = self._order_manager.revision(request.order_id, request.order_hash)
        if text is None:
            raise TradeRefused("PRICE_CHANGED", "the order was changed since")
        if not self._policy.fee_floor <= request.fee_rate <= self._policy.fee_cap:
            raise TradeRefused("FEE_RANGE", f"{request.fee_rate} sats per 1000 vB is beyond what the maker accepts")
        ends_at = order_codec.decode_text(text).order.expires_at
        if not now < request.deadline <= min(now + LONGEST + orders.CLOCK_SKEW, ends_at):
            raise TradeRefused("TIMEOUT", "the deadline is in the past or too far away; look at both clocks")
        try:
            await self._order_manager.reserve_fill(request.order_id, trade_id, request.fill)
        except InvalidOrder as error:
            if error.path == "amount":
                left = f"{view.remaining_atoms} base atoms are left"
                raise TradeRefused("INSUFFICIENT_FUNDS", f"the {error.path} {error.reason}; {left}") from None
            raise TradeRefused("ORDER_GONE", f"{error.path} {error.reason}") from None
        except DarkSwapError as error:
            raise TradeRefused("BUSY", error.code) from None
        return text

    def check_still_offered(self, record: TradeRecord, now: int) -> None:
        """Before the last signature: the maker may have thought better of it, and an order that is over binds nobody.
        Raises `TradeRefused`.
        """
        order_id = record.state.trade.terms.order_id
        view = self._order_manager.get(order_id)
        if view is None or view.status is OrderStatus.CANCELED:
            raise TradeRefused("ORDER_GONE", "the order was canceled meanwhile")
        if now >= view.expires_at:
            raise TradeRefused("ORDER_GONE", "the order's time is over")
        latest, taken = self._order_manager.order(order_id), order_codec.decode_text(record.order).order
        if not same_terms(replace(latest, paused=taken.paused), taken):
            raise TradeRefused("PRICE_CHANGED", "the order was changed meanwhile")

    @staticmethod
    def redact_cancel(body: Body) -> Body:
        """What the other side is told of what we say."""
        return replace(body, reason="") if isinstance(body, Cancel) and body.code not in PUBLIC_CODES else body

    def record_outcome(self, record: TradeRecord, now: int) -> None:
        """Remembers who made us show and hold coins for nothing."""
        state = record.state
        if record.request is None or state.trade.role is not Role.MAKER:
            return
        keys = _keys(state.trade.peer, record.request)
        if isinstance(state, Settled):
            self._tries.record_success(keys)
        elif _came_to_nothing(state):
            # Until ours were shown, nothing has proved that those coins were the asker's own.
            self._tries.record_failure(keys if state.trade.own is not None else keys[:1], now)


def _came_to_nothing(state: State) -> bool:
    match state:
        case Canceled(_, by, _, _):
            return by is Role.TAKER
        case Expired(_, waiting):
            return waiting == "offered"
        case Failed(_, code, _):
            return code in THEIR_FAULT
    return False


def _keys(peer: str, request: TakeRequest) -> list[Hashable]:
    return [(peer, request.order_id), *(coin.outpoint for coin in request.declaration.coins)]
