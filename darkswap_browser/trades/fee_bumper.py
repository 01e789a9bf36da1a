"""Makes and sends the child that speeds a settlement up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxOutput
from darkswap_browser.chain.base import Chain
from darkswap_browser.errors import InvalidArgument
from darkswap_browser.runtime.base.storage import Fence
from darkswap_browser.settlement import fee_bump, fees
from darkswap_browser.settlement.states import Trade
from darkswap_browser.trades.operations import settlement_of_trade
from darkswap_browser.wallets.accounts import find_account
from darkswap_browser.wallets.base import AccountPurpose, ConnectedWallet
from darkswap_browser.wallets.signing import sign_own_inputs


class FeeBumper:
    """`connected()` waits until a wallet is; `fence` is asked before the signature and before the broadcast."""

    def __init__(self, chain: Chain, connected: Callable[[], Awaitable[ConnectedWallet]], fence: Fence) -> None:
        self._chain = chain
        self._connected = connected
        self._fence = fence

    async def bump(self, trade: Trade, rate: int | None, max_fee: int | None) -> tuple[str, int]:
        """Txid of the child, and sats that it pays.

        Args:
            rate: That both together pay, in sats per 1000 vB; None: the next block's.
            max_fee: Sats; None: in proportion to the settlement's fee.
        Raises:
            InvalidArgument: No output of ours can pay, the settlement pays as much already, or it is beyond the bound.
            InsufficientFunds, WalletRejected, WalletFailed, ChainError: It cannot be made or is not taken.

        Cancellation: Safe; the child is sent, or not, and another one replaces it.
        """
        settlement = settlement_of_trade(trade)
        place = fee_bump.bitcoin_output(settlement, trade.role)
        if place is None:
            raise InvalidArgument("trade_id", "gives you no plain bitcoin output that could pay", "Wait, or revoke it.")
        wanted = await self._chain.fee_rate(1) if rate is None else rate
        connected = await self._connected()
        script = find_account(connected.wallet, AccountPurpose.PAYMENT).script
        vsize = Transaction.parse(trade.raw).vsize
        paid = sum(settlement.fees.values())
        if paid * 1000 >= wanted * vsize:
            raise InvalidArgument("fee_rate", f"is {wanted / 1000:g}, and the settlement pays as much already")
        size = fee_bump.child_vsize(settlement, place, script)
        replaced = await self._paid_by_child(OutPoint(settlement.txid, place), settlement.outputs[place].sats)
        fee = fee_bump.child_fee(settlement, vsize, size, wanted, replaced)
        most = fees.default_revoke_fee(paid) if max_fee is None else max_fee
        if fee > most:
            raise InvalidArgument(
                "max_fee_sats", f"is {most}, and it would cost {fee}", "Name more, or a lower fee_rate."
            )
        child = fee_bump.build_child(settlement, place, script, fee)
        output = settlement.outputs[place]
        await self._fence.check()
        signed = await sign_own_inputs(connected.wallet, self._chain, child, [TxOutput(output.sats, output.script)])
        await self._fence.check()
        await self._chain.broadcast(signed.serialize())
        return signed.txid, fee

    async def _paid_by_child(self, outpoint: OutPoint, sats: int) -> int:
        """Sats that an earlier child of ours pays; 0: there is none."""
        spend = await self._chain.spend(outpoint)
        if spend is None or spend.height is not None:
            return 0
        child = Transaction.parse(await self._chain.transaction(spend.txid))
        return max(sats - sum(each.sats for each in child.outputs), 0) if len(child.inputs) == 1 else 0
