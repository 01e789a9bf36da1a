"""What a trade asks to be done that needs chain or wallet: checks, signatures, the self-spend, the broadcast.

Every method ends in an event for the machine. Nothing is signed that `checks` did not pass on a fresh chain snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from darkswap_browser.bitcoin import bip322
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxOutput, serialize_witness
from darkswap_browser.chain.base import Chain
from darkswap_browser.errors import (
    BroadcastRejected,
    ChainError,
    DarkSwapError,
    InsufficientFunds,
    NodeMoved,
    TradeRefused,
    VerificationFailed,
    WalletNotConnected,
    WalletRejected,
)
from darkswap_browser.errors.base import encodable
from darkswap_browser.runtime.base.storage import Fence
from darkswap_browser.settlement import fees, private_sale, self_spend
from darkswap_browser.settlement import transaction as settlements
from darkswap_browser.settlement.balance_change import BalanceChange, Contents, effect_of
from darkswap_browser.settlement.chain_snapshot import ChainSnapshot
from darkswap_browser.settlement.checks import TradePolicy, VerificationContext, check_before_signing, scripts_of
from darkswap_browser.settlement.events import (
    BroadcastAccepted,
    CheckFailed,
    Countersigned,
    Event,
    SelfSpendFailed,
    SelfSpendSigned,
    Signed,
    SigningFailed,
    Validated,
    Verified,
)
from darkswap_browser.settlement.messages import OwnershipProof, Witnesses
from darkswap_browser.settlement.refusals import refusal_of
from darkswap_browser.settlement.self_spend import Fee, vsize_of
from darkswap_browser.settlement.signature_checks import (
    complete,
    v15_v16_wallet_answer,
    v17_their_signatures,
    v18_final,
    v19_spendable,
    v20_no_conflict,
)
from darkswap_browser.settlement.states import Trade
from darkswap_browser.settlement.terms import Contribution, Role, TradeInput, TradeTerms, proof_message
from darkswap_browser.settlement.transaction import Settlement
from darkswap_browser.trades.chain_snapshot import fetch_chain_snapshot
from darkswap_browser.trades.contribution import choose_contribution
from darkswap_browser.wallets.accounts import find_account
from darkswap_browser.wallets.base import AccountPurpose, ConnectedWallet, WalletCoin
from darkswap_browser.wallets.signing import accounts_for, create_signing_psbt, sign_own_inputs

SNAPSHOT_MAX_AGE_SECONDS = 15.0
"""Seconds for which a chain snapshot may be signed on: the time from a check to the signature that follows it."""
NEXT_HOUR = 6
"""Blocks."""
RETRY = 5.0
"""Seconds between two attempts to reach a server with a transaction that must go out."""
MAX_DETAIL = 200

Value = TypeVar("Value")


class TradeOperations:
    """`connected()` waits until a wallet is; `busy(trade_id)` tells the coins that other trades hold.

    `fence` is asked before each signature and broadcast: whoever was relieved makes none, and gets `NodeMoved`.
    """

    def __init__(
        self,
        chain: Chain,
        policy: TradePolicy,
        now: Callable[[], float],
        connected: Callable[[], Awaitable[ConnectedWallet]],
        busy: Callable[[str], frozenset[OutPoint]],
        fence: Fence,
    ) -> None:
        self._chain = chain
        self._policy = policy
        self._now = now
        self._connected = connected
        self._busy = busy
        self._fence = fence
        self._snapshot: dict[str, ChainSnapshot] = {}

    # --- before signatures

    async def validate(self, trade: Trade, proofs: Sequence[OwnershipProof]) -> Event:
        """Maker: the taker's coins are its own and as told; then our coins, and every rule over the settlement."""
        try:
            theirs = _known(trade.theirs)
            _check_proofs(trade.terms, theirs, proofs)
            _check_rate(trade.terms.fee_rate, await self._chain.fee_rate(NEXT_HOUR))
            connected = await self._connected()
            own = await choose_contribution(trade.terms, trade.role, connected.wallet, connected.coins)
            settlement = settlement_of(trade.terms, trade.role, own, theirs)
            await self._check(trade, own, settlement, settlement.txid)
            return Validated(own, settlement.txid)
        except DarkSwapError as error:
            return CheckFailed(*_why(error))

    async def verify(self, trade: Trade) -> Event:
        """Taker: the settlement built here is the one the maker means, and every rule holds; so does the maker's
        signature where it has given it already.
        """
        try:
            await self._check(trade, _known(trade.own), settlement_of_trade(trade), trade.txid)
            if trade.sale:
                v17_their_signatures(settlement_of_trade(trade), trade.role.other, trade.sale)
            return Verified()
        except DarkSwapError as error:
            return CheckFailed(*_why(error))

    async def _check(self, trade: Trade, own: Contribution, settlement: Settlement, told: str) -> None:
        connected = await self._connected()
        outpoints = [each.outpoint for each in settlement.tx.inputs]
        snapshot = await fetch_chain_snapshot(self._chain, outpoints, self._now())
        self._snapshot[trade.terms.trade_id] = snapshot
        context = VerificationContext(
            role=trade.role,
            agreed=trade.terms,
            own=own,
            theirs=_known(trade.theirs),
            settlement=settlement,
            peer_txid=told,
            snapshot=snapshot,
            own_scripts=frozenset(account.script for account in connected.wallet.accounts),
            own_coins=frozenset(coin.outpoint for coin in own.coins),
            busy=self._busy(trade.terms.trade_id),
            max_fee=trade.max_fee,
            policy=self._policy,
        )
        check_before_signing(context)
        for coin in own.coins:
            height = snapshot.of(coin.outpoint).height
            v19_spendable(0 if height is None else snapshot.tip_height - height + 1, self._policy.confirmations)
        v20_no_conflict(settlement, {each: snapshot.of(each).spent_by for each in outpoints})

    # --- signatures

    async def sign(self, trade: Trade) -> Event:
        try:
            return Signed(await self._sign(trade, settlement_of_trade(trade)))
        except NodeMoved:
            raise
        except DarkSwapError as error:
            return SigningFailed(*_why(error))

    async def countersign(self, trade: Trade, theirs: Witnesses) -> Event:
        try:
            settlement = settlement_of_trade(trade)
            v17_their_signatures(settlement, trade.role.other, theirs)
            self._snapshot.pop(trade.terms.trade_id, None)
            own = await self._sign(trade, settlement)
            both = (own, theirs) if trade.role is Role.MAKER else (theirs, own)
            return Countersigned(complete(settlement, *both).serialize())
        except NodeMoved:
            raise
        except DarkSwapError as error:
            return SigningFailed(*_why(error))

    async def _sign(self, trade: Trade, settlement: Settlement) -> Witnesses:
        return await self._while_connected(lambda connected: self._sign_by(connected, trade, settlement))

    async def _while_connected(self, work: Callable[[ConnectedWallet], Awaitable[Value]]) -> Value:
        """`work` with the wallet; again with the next one where this one went in the middle of it."""
        while True:
            connected = await self._connected()
            try:
                return await work(connected)
            except WalletNotConnected:
                if (await self._connected()).wallet is connected.wallet:
                    raise

    async def _sign_by(self, connected: ConnectedWallet, trade: Trade, settlement: Settlement) -> Witnesses:
        known = self._snapshot.get(trade.terms.trade_id)
        if known is None or self._now() - known.now > SNAPSHOT_MAX_AGE_SECONDS:
            await self._check(trade, _known(trade.own), settlement, trade.txid)
        accounts = accounts_for(connected.wallet, settlement.prevouts, settlement.inputs_of(trade.role))
        wanted = await create_signing_psbt(self._chain, settlement.tx, settlement.prevouts, accounts)
        await self._fence.check()
        returned = await connected.wallet.sign_psbt(wanted.serialize(), accounts)
        return v15_v16_wallet_answer(returned, wanted, settlement, trade.role)

    # --- after signatures

    def verify_final_transaction(self, trade: Trade, raw: bytes) -> None:
        """Whether it is the settlement, and all its signatures hold. Raises `VerificationFailed`, `TradeRefused`."""
        v18_final(settlement_of_trade(trade), raw)

    async def broadcast(self, txid: str, raw: bytes) -> Event:
        """Until a server takes it, or says why none will.

        Raises:
            NodeMoved: Another tab goes on with this trade.
        """
        while True:
            await self._fence.check()
            try:
                await self._chain.broadcast(raw)
                return BroadcastAccepted(txid)
            except BroadcastRejected as error:
                return refusal_of(txid, _told(error.reason))
            except ChainError:
                await asyncio.sleep(RETRY)

    async def self_spend(self, trade: Trade) -> Event:
        try:
            made = await self._while_connected(lambda connected: self._self_spend(connected, trade))
            return SelfSpendSigned(made.txid, made.serialize())
        except NodeMoved:
            raise
        except DarkSwapError as error:
            return SelfSpendFailed(_why(error)[1])

    async def _self_spend(self, connected: ConnectedWallet, trade: Trade) -> Transaction:
        """The largest coin of plain bitcoin if there is one; else an asset's, which goes back to where it was."""
        own = _known(trade.own)
        fee = await self._revoke_fee(trade)
        change = find_account(connected.wallet, AccountPurpose.PAYMENT).script
        coins = await self._spent_before(trade)
        plain = sorted(own.bitcoin_coins, key=lambda coin: -coin.sats)
        coins = coins or [*plain[:1], *own.asset_coins[: not plain]]
        kept = next((coin for coin in own.asset_coins if coin.outpoint == coins[0].outpoint), None)
        keep = () if kept is None else self_spend.return_outputs(kept, trade.terms.gives(trade.role)[0].kind)

        def lacking(some: Sequence[TradeInput]) -> int:
            return self_spend.needed(some, keep, change, fee) - sum(coin.sats for coin in some)

        for each in plain:
            if lacking(coins) > 0 and each not in coins:
                coins.append(each)
        if lacking(coins) > 0:
            more = await connected.coins.select_bitcoin(
                lambda some: lacking([*coins, *map(_plain, some)]) + sum(each.utxo.sats for each in some),
                trade.terms.trade_id,
            )
            coins += map(_plain, more)
        made = self_spend.build(coins, keep, change, fee)
        prevouts = [TxOutput(coin.sats, coin.script) for coin in coins]
        paid, most = _paid(made, prevouts), revoke_bound(trade)
        if paid > most:
            raise TradeRefused("FEE_RANGE", f"it would cost {paid} sats, and may cost {most}")
        await self._fence.check()
        return await sign_own_inputs(connected.wallet, self._chain, made, prevouts)

    async def estimate_revoke_fee(self, trade: Trade) -> tuple[int, int]:
        """Sats that a self-spend would cost now, a few more where it needs further coins; and that it may cost.

        Raises:
            ChainError: No fee rate is to be had.

        Cancellation: Safe; it only reads.
        """
        own = _known(trade.own)
        fee = await self._revoke_fee(replace(trade, revoke_fee=0))
        coins = await self._spent_before(trade) or [*own.bitcoin_coins[:1], *own.asset_coins[: not own.bitcoin_coins]]
        kept = [coin for coin in own.asset_coins if coin.outpoint == coins[0].outpoint]
        kind = trade.terms.gives(trade.role)[0].kind
        keep = self_spend.return_outputs(kept[0], kind) if kept else ()
        size = vsize_of(coins, (*keep, TxOutput(0, own.bitcoin_change_script)))
        return fee(size), revoke_bound(replace(trade, revoke_fee=0, revoke_max=0))

    async def _revoke_fee(self, trade: Trade) -> Fee:
        """What was named, or else more than all that stands against it and today's rate."""
        if trade.revoke_fee:
            return lambda vsize: trade.revoke_fee
        beat = max(sum(settlement_of_trade(trade).fees.values()), trade.revoke_beat)
        if coins := await self._spent_before(trade):
            beat = max(beat, _paid(Transaction.parse(trade.spend_raw), coins))
        rate = await self._chain.fee_rate(1)
        return lambda vsize: self_spend.fee_to_beat(beat, vsize, rate)

    async def _spent_before(self, trade: Trade) -> list[TradeInput]:
        """The coins of our earlier self-spend, in its order; none when there is none."""
        coins = []
        for each in Transaction.parse(trade.spend_raw).inputs if trade.spend_raw else ():
            source = Transaction.parse(await self._chain.transaction(each.outpoint.txid))
            output = source.outputs[each.outpoint.vout]
            coins.append(TradeInput(each.outpoint, output.sats, output.script))
        return coins

    # --- for the eye

    def preview(self, trade: Trade) -> BalanceChange:
        """What the transaction does to us, by what was last seen of its coins, or else by what was declared of them.

        Raises `TradeRefused` while the other side is not known.
        """
        own, theirs, settlement = _known(trade.own), _known(trade.theirs), settlement_of_trade(trade)
        return effect_of(
            settlement.tx,
            settlement.prevouts,
            self._contents(trade, own, theirs),
            frozenset(settlement.inputs_of(trade.role)),
            scripts_of(own),
            settlement.fees[trade.role],
        )

    def _contents(self, trade: Trade, own: Contribution, theirs: Contribution) -> Contents:
        snapshot = self._snapshot.get(trade.terms.trade_id)
        if snapshot is not None:
            return {each: dict(facts.assets) for each, facts in snapshot.coins.items()}
        terms, role = trade.terms, trade.role
        given = {coin.outpoint: {terms.gives(role)[0]: coin.atoms} for coin in own.asset_coins}
        return given | {coin.outpoint: {terms.gets(role)[0]: coin.atoms} for coin in theirs.asset_coins}

    def forget(self, trade_id: str) -> None:
        self._snapshot.pop(trade_id, None)


def revoke_bound(trade: Trade) -> int:
    """Sats that taking the signature back may cost."""
    named = trade.revoke_max or trade.revoke_fee
    return named or fees.default_revoke_fee(sum(settlement_of_trade(trade).fees.values()))


def _paid(tx: Transaction, spent: Sequence[TradeInput | TxOutput]) -> int:
    return sum(each.sats for each in spent) - sum(each.sats for each in tx.outputs)


def settlement_of(terms: TradeTerms, role: Role, own: Contribution, theirs: Contribution) -> Settlement:
    build = private_sale.build if terms.private_sale else settlements.build
    return build(terms, own, theirs) if role is Role.MAKER else build(terms, theirs, own)


def settlement_of_trade(trade: Trade) -> Settlement:
    """Raises `TradeRefused` while the other side is not known."""
    return settlement_of(trade.terms, trade.role, _known(trade.own), _known(trade.theirs))


def _known(contribution: Contribution | None) -> Contribution:
    if contribution is None:
        raise TradeRefused("TERMS", "the other side has not told what it brings")
    return contribution


def _check_proofs(terms: TradeTerms, theirs: Contribution, proofs: Sequence[OwnershipProof]) -> None:
    """Raises `TradeRefused`: somebody else's coins are not worth showing ours for."""
    message = proof_message(terms, theirs)
    witnesses = {proof.script: serialize_witness(proof.witness) for proof in proofs}
    for script in {coin.script for coin in theirs.coins}:
        if script not in witnesses or not bip322.verify_simple(script, message, witnesses[script]):
            raise TradeRefused("BAD_SIGNATURE", "no proof that the coins are the taker's")


def _plain(owned: WalletCoin) -> TradeInput:
    return TradeInput(owned.utxo.outpoint, owned.utxo.sats, owned.utxo.script)


def _check_rate(asked: int, today: int) -> None:
    """The taker names the rate at which both pay: it must not leave our coins waiting for a block that never comes.
    How dear it may be, the order bounds in sats. Two honest sides' servers estimate a little apart. Raises
    `TradeRefused`.
    """
    if asked * 10 < today * 9:
        raise TradeRefused("FEE_RANGE", f"{asked} sats per 1000 vB is below today's {today} for the next hour")


def _told(text: str) -> str:
    """What a trade keeps and shows of a server's, a wallet's or a host's words."""
    return encodable(text[:MAX_DETAIL])


def _why(error: DarkSwapError) -> tuple[str, str]:
    """Code and sentence. Whatever is no failure of a check, of the chain or of the wallet is a fault of ours."""
    match error:
        case VerificationFailed(rule=rule, detail=detail):
            return rule, _told(detail)
        case TradeRefused(reason=code, detail=detail):
            return code, _told(detail)
        case WalletRejected():
            return error.code, ""
        case InsufficientFunds():
            return "INSUFFICIENT_FUNDS", _told(str(error))
        case _:
            return error.code, _told(str(error))
