"""Private sales of ours: a lot set apart and signed away, what became of it, and how it is taken back.

The coin stays reserved under the order as long as the signature is good for anything: until a spend of it is buried.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from darkswap_browser.bitcoin.transaction import Transaction, TxOutput, serialize_witness
from darkswap_browser.chain.base import Chain
from darkswap_browser.chain.outputs import _output, fetch_output
from darkswap_browser.concurrency.shared_call import SharedCalls
from darkswap_browser.errors import ChainError, DarkSwapError, InvalidOrder, Unsupported, WalletNotConnected
from darkswap_browser.market import order_codec, orders
from darkswap_browser.market.orders import FundingProof, Order, PresignedSale, ownership_message
from darkswap_browser.orders.book import OrderBook
from darkswap_browser.orders.views import OrderView
from darkswap_browser.runtime.base.storage import Fence
from darkswap_browser.settlement import self_spend
from darkswap_browser.settlement.machine import FINALITY_MARGIN_BLOCKS
from darkswap_browser.settlement.private_sale import check_witness, lot_input, maker_payment, pays_maker
from darkswap_browser.settlement.terms import TradeInput
from darkswap_browser.storage.orders import Fill, OrderRecord, OrderStatus, PendingSale
from darkswap_browser.storage.records import RecordStore
from darkswap_browser.wallets.accounts import find_account
from darkswap_browser.wallets.base import AccountPurpose, CoinStore, PrivateSaleSigner, Wallet, WalletCoin
from darkswap_browser.wallets.signing import sign_own_inputs


@dataclass(frozen=True, slots=True)
class SaleSpend:
    """What spends the lot: `txid` (none: ""), in a block `depth` deep (0: in a mempool). `sold`: it pays the price."""

    txid: str = ""
    sold: bool = False
    depth: int = 0


class PrivateSales:
    """`connected()` raises `WalletNotConnected`; `begun` keeps the ids of sales that are being made."""

    def __init__(
        self,
        chain: Chain,
        book: OrderBook,
        begun: RecordStore[PendingSale],
        connected: Callable[[], tuple[Wallet, CoinStore]],
        now: Callable[[], int],
        fence: Fence,
    ) -> None:
        self._chain = chain
        self._book = book
        self._begun = begun
        self._connected = connected
        self._now = now
        self._fence = fence
        self._making: set[str] = set()
        self._taking_back = SharedCalls()

    # --- made

    async def create(self, order: Order) -> Order:
        """`order` with its lot, which stays reserved, and with the signature that sells it; `commit` or `discard`
        follows.

        Raises `InvalidOrder`, `Unsupported` for a wallet that cannot, `InsufficientFunds`, `WalletRejected`,
        `WalletFailed`, `VerificationFailed`, `ChainError`.
        """
        orders.check_whole_lot(order)
        wallet, coins = self._connected()
        if not isinstance(wallet, PrivateSaleSigner):
            raise Unsupported(f"a private sale with {wallet.kind}", "The wallet of this page can sign one.")
        self._making.add(order.order_id)
        await self._begun.put(order.order_id, PendingSale(self._now()))
        owned = await coins.select_exact(order.base, order.base_atoms, _owner(order.order_id))
        source = await self._chain.transaction(owned.utxo.outpoint.txid)
        outpoint, account = owned.utxo.outpoint, owned.account
        made = replace(order, funding=(outpoint,))
        lot = lot_input(made, _output(source, outpoint))
        message = ownership_message(order.order_id, made.funding)
        proof = FundingProof(account.script, await wallet.sign_message(account, message))
        payment = maker_payment(lot, order.quote_atoms, find_account(wallet, AccountPurpose.PAYMENT).script)
        await self._fence.check()
        witness = await wallet.sign_sale(lot, payment, account, source)
        check_witness(lot, payment, witness, "V15")
        return replace(made, proofs=(proof,), sale=PresignedSale(payment.script, serialize_witness(witness)))

    async def commit(self, order_id: str) -> None:
        """Keep the coins reserved: the order is stored now."""
        self._making.discard(order_id)
        await self._begun.delete(order_id)

    async def discard(self, order_id: str) -> None:
        """It came to nothing, and its signature to nobody."""
        self._making.discard(order_id)
        try:
            _, coins = self._connected()
        except WalletNotConnected:
            return  # `discard_uncommitted` will, when there is one again
        await self._free(coins, order_id)
        await self._begun.delete(order_id)

    async def discard_uncommitted(self) -> None:
        """Lots that were reserved for sales which were never kept, as after a crash."""
        try:
            for order_id in await self._begun.names():
                if order_id not in self._making:
                    await (self.discard if self._book.find(order_id) is None else self.commit)(order_id)
        except DarkSwapError:
            return  # at the next look

    # --- watched

    async def refresh(self, order_id: str) -> None:
        """What the chain says became of one, also after its time is over. Raises `ChainError`, `WalletNotConnected`."""
        record = self._book.record(order_id)
        if record.released:
            return
        order = order_codec.decode_text(record.text).order
        fate = await self._fate(order)
        record = self._book.record(order_id)  # it may have been canceled meanwhile
        status, fills, kind = self._told(record, order, fate)
        if (status, fills) != (record.status, record.fills):
            await self._book.put(order_id, replace(record, status=status, fills=fills), kind)
        if record.reclaim and not fate.txid:
            await self._send(record.reclaim)
        if fate.depth > FINALITY_MARGIN_BLOCKS:
            await self._free(self._connected()[1], order_id)
            await self._book.put(order_id, replace(self._book.record(order_id), released=True), "updated")

    def _told(self, record: OrderRecord, order: Order, fate: SaleSpend) -> tuple[OrderStatus, tuple[Fill, ...], str]:
        """Status, fills, and the kind of event. What a reorganisation undid stands open again."""
        if fate.depth and fate.sold:
            return OrderStatus.FILLED, (Fill(fate.txid, order.base_atoms, done=True),), "filled"
        if record.cancellation:
            return OrderStatus.CANCELED, (), "canceled"
        if fate.depth:
            return OrderStatus.UNFUNDED, (), "canceled"
        if self._now() >= order.expires_at:
            return OrderStatus.EXPIRED, (), "expired"
        return OrderStatus.OPEN, (), "updated"

    async def _fate(self, order: Order) -> SaleSpend:
        (outpoint,) = order.funding
        spend = await self._chain.spend(outpoint, verify=True)
        if spend is None:
            return SaleSpend()
        tx = Transaction.parse(await self._chain.transaction(spend.txid))
        sold = pays_maker(tx, order, lot_input(order, await fetch_output(self._chain, outpoint)))
        if spend.height is None:
            return SaleSpend(spend.txid, sold)
        tip = await self._chain.tip(verify=True)
        return SaleSpend(spend.txid, sold, max(tip.height - spend.height + 1, 1))

    # --- taken back

    async def cancel(self, order_id: str, sign: Callable[[Order, int], Awaitable[bytes]]) -> OrderView:
        """Spends the lot to ourselves; until that is in a block the sale can still be completed. Again, while it is
        not: with a higher fee. Callers at once share one attempt. `sign`: the cancellation of an order under a number.

        Raises `InvalidOrder`, `WalletNotConnected`, `InsufficientFunds`, `WalletRejected`, `ChainError`.

        Cancellation: Safe; call it again. Once the order is stored as canceled its transaction is sent anyway.
        """
        return await self._taking_back.run(order_id, lambda: self._take_back(order_id, sign))

    async def _take_back(self, order_id: str, sign: Callable[[Order, int], Awaitable[bytes]]) -> OrderView:
        record = self._book.record(order_id)
        order = order_codec.decode_text(record.text).order
        fate = await self._fate(order)
        if fate.depth or record.released:
            raise InvalidOrder("order_id", f"is over already: {fate.txid} spent its coin")
        if fate.sold:
            hint = "It pays you as soon as it is in a block. If it leaves the mempools, cancel again."
            raise InvalidOrder("order_id", f"is being bought now, by {fate.txid}", hint)
        made = await self._reclaim(order, record.reclaim)
        seq = record.seq if record.cancellation else orders.next_seq(record.seq, self._now())
        packed = record.cancellation or await sign(order, seq)
        latest = self._book.record(order_id)
        ended = replace(latest, status=OrderStatus.CANCELED, cancellation=packed, seq=seq, reclaim=made.serialize())
        view = await self._book.put(order_id, ended, "canceled")
        await self._send(made.serialize())
        return view

    async def _reclaim(self, order: Order, before: bytes) -> Transaction:
        """`before`: an earlier one, which this one must replace."""
        wallet, coins = self._connected()
        (outpoint,) = order.funding
        lot = lot_input(order, await fetch_output(self._chain, outpoint))
        rate, beat, spent = await self._chain.fee_rate(1), 0, [lot]
        if not before:
            # Left over from an attempt that a crash ended before it was kept.
            await coins.release(_fee_owner(order.order_id))
        else:
            spent = await self._spent(before)
            beat = sum(each.sats for each in spent) - sum(each.sats for each in Transaction.parse(before).outputs)
        keep = self_spend.return_outputs(lot, order.base.kind)
        change = find_account(wallet, AccountPurpose.PAYMENT).script

        def fee(vsize: int) -> int:
            return self_spend.fee_to_beat(beat, vsize, rate)

        def lacking(some: Sequence[TradeInput]) -> int:
            return self_spend.needed(some, keep, change, fee) - sum(each.sats for each in some)

        try:
            if lacking(spent) > 0:
                more = await coins.select_bitcoin(
                    lambda some: lacking([*spent, *map(_coin, some)]) + sum(each.utxo.sats for each in some),
                    _fee_owner(order.order_id),
                )
                spent = [*spent, *map(_coin, more)]
            made = self_spend.build(spent, keep, change, fee)
            await self._fence.check()
            return await sign_own_inputs(
                wallet, self._chain, made, [TxOutput(each.sats, each.script) for each in spent]
            )
        except BaseException:
            if not before:
                await coins.release(_fee_owner(order.order_id))
            raise

    async def _spent(self, raw: bytes) -> list[TradeInput]:
        """The coins of an earlier transaction of ours, in its order: the lot first."""
        outpoints = [each.outpoint for each in Transaction.parse(raw).inputs]
        outputs = [await fetch_output(self._chain, each) for each in outpoints]
        return [TradeInput(at, output.sats, output.script) for at, output in zip(outpoints, outputs, strict=True)]

    async def _send(self, raw: bytes) -> None:
        await self._fence.check()
        try:
            await self._chain.broadcast(raw)
        except ChainError:
            return  # again at the next look, until the coin is spent, by this or by a buyer

    async def _free(self, coins: CoinStore, order_id: str) -> None:
        await coins.release(_owner(order_id))
        await coins.release(_fee_owner(order_id))


def _owner(order_id: str) -> str:
    return f"order {order_id}"


def _fee_owner(order_id: str) -> str:
    """Of the coins that pay for taking the lot back."""
    return f"cancel {order_id}"


def _coin(owned: WalletCoin) -> TradeInput:
    return TradeInput(owned.utxo.outpoint, owned.utxo.sats, owned.utxo.script)
