"""Wallets that refuse, fail, dawdle, finalise, re-order, or sign something else than they were asked to."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from dataclasses import replace

import pytest

from darkswap_browser.bitcoin import psbt_fields
from darkswap_browser.bitcoin.psbt import Psbt
from darkswap_browser.bitcoin.psbt_fields import PsbtMap
from darkswap_browser.bitcoin.sighash import Sighash
from darkswap_browser.bitcoin.transaction import TxOutput
from darkswap_browser.errors import InvalidArgument, WalletFailed, WalletNotConnected
from darkswap_browser.trades.views import TradeStatus
from tests.support.simulated_wallet import SimulatedWallet
from tests.support.trade_world import DOG, TradeWorld, TradingPeer, sells_dog

SIGNING = (psbt_fields.TAP_KEY_SIGNATURE.key()[:1], psbt_fields.PARTIAL_SIGNATURE.key()[:1])
BOTH = pytest.mark.parametrize("who", ["maker", "taker"])


def _remapped(psbt: Psbt, change: Callable[[dict[bytes, bytes]], dict[bytes, bytes]]) -> Psbt:
    maps = [PsbtMap(tuple(change(dict(each.pairs)).items())) for each in psbt.inputs]
    return replace(psbt, inputs=tuple(maps))


def _retyped(kind: Sighash) -> Callable[[Psbt], Psbt]:
    """Its signatures say that they are of another type."""

    def change(psbt: Psbt) -> Psbt:
        for index, fields in enumerate(psbt.inputs):
            pairs = {key: _typed(key, value, kind) for key, value in fields.pairs}
            maps = list(psbt.inputs)
            maps[index] = PsbtMap(tuple(pairs.items()))
            psbt = replace(psbt, inputs=tuple(maps))
        return psbt

    return change


def _typed(key: bytes, value: bytes, kind: Sighash) -> bytes:
    if key[:1] == psbt_fields.TAP_KEY_SIGNATURE.key()[:1]:
        return value[:64] + bytes([kind])
    if key[:1] == psbt_fields.PARTIAL_SIGNATURE.key()[:1]:
        return value[:-1] + bytes([kind])
    return value


def _bent(psbt: Psbt) -> Psbt:
    """One bit of every signature is another."""

    def flip(pairs: dict[bytes, bytes]) -> dict[bytes, bytes]:
        return {
            key: value[:20] + bytes([value[20] ^ 1]) + value[21:] if key[:1] in SIGNING else value
            for key, value in pairs.items()
        }

    return _remapped(psbt, flip)


def _unsigned(psbt: Psbt) -> Psbt:
    return _remapped(psbt, lambda pairs: {key: value for key, value in pairs.items() if key[:1] not in SIGNING})


def _elsewhere(psbt: Psbt) -> Psbt:
    """The answer is about a transaction that pays somebody else."""
    outputs = (TxOutput(546, b"\x51\x20" + bytes(32)), *psbt.unsigned.outputs[1:])
    other = replace(psbt.unsigned, outputs=outputs)
    globals_ = PsbtMap(((psbt_fields.UNSIGNED.key(), other.serialize(witness=False)),))
    return replace(psbt, unsigned=other, globals=globals_)


def _reordered(psbt: Psbt) -> Psbt:
    return _remapped(psbt, lambda pairs: dict(reversed(pairs.items())))


def _stripped(psbt: Psbt) -> Psbt:
    """Nothing but the signatures comes back."""
    return _remapped(psbt, lambda pairs: {key: value for key, value in pairs.items() if key[:1] in SIGNING})


def _same(psbt: Psbt) -> Psbt:
    return psbt


async def _fails(world: TradeWorld, who: str, code: str) -> None:
    """The trade of `who` ends with `code`, and the other side's as far as its signature lets it."""
    await world.taker.takes(await sells_dog(world))
    party: TradingPeer = getattr(world, who)
    view = await party.until("failed")
    assert view.status is TradeStatus.FAILED
    assert view.reason is not None and view.reason.code == code
    await asyncio.sleep(2)
    assert await party.holds_nothing() and world.chain.mempool == {}
    if who == "taker":
        assert world.maker.only().phase == "canceled" and world.maker.wallet.signed == []
        assert await world.maker.holds_nothing()
    else:
        assert world.taker.only().phase == "exposed" and world.taker.only().can_revoke


@BOTH
@pytest.mark.parametrize(
    ("forge", "code"),
    [(_bent, "V15"), (_unsigned, "V15"), (_elsewhere, "V16")]
    + [(_retyped(kind), "V15") for kind in Sighash if kind not in (Sighash.DEFAULT, Sighash.ALL)],
    ids=lambda value: getattr(value, "__name__", value),
)
async def test_what_a_wallet_returns_is_judged_before_it_leaves(
    forge: Callable[[Psbt], Psbt], code: str, who: str
) -> None:
    async with TradeWorld() as world:
        getattr(world, who).wallet.forge = forge
        await _fails(world, who, code)


@BOTH
@pytest.mark.parametrize("forge", [_reordered, _stripped, _same])
async def test_wallets_may_reorder_and_drop_what_is_not_a_signature(forge: Callable[[Psbt], Psbt], who: str) -> None:
    async with TradeWorld() as world:
        getattr(world, who).wallet.forge = forge
        await world.taker.takes(await sells_dog(world))
        await world.settles()
        assert world.taker.balance(DOG) == 600


@BOTH
async def test_wallet_that_goes_while_it_is_asked_is_waited_for(who: str) -> None:
    async with TradeWorld() as world:
        party: TradingPeer = getattr(world, who)

        def leave(psbt: Psbt) -> Psbt:
            party.trades.set_wallet(None)
            raise WalletNotConnected

        party.wallet.forge = leave
        await world.taker.takes(await sells_dog(world))
        await asyncio.sleep(20)
        assert not party.only().status.is_over and len(party.wallet.signed) == 1
        party.wallet.forge = None
        party.trades.set_wallet(copy.copy(party.wallet))
        await world.settles()
        # Nothing but the same transaction once more.
        assert len(set(party.wallet.signed)) == 1


@BOTH
async def test_wallets_may_finalise(who: str) -> None:
    async with TradeWorld() as world:
        party: TradingPeer = getattr(world, who)
        party.wallet.forge = _finalised
        await world.taker.takes(await sells_dog(world))
        await world.settles()
        assert world.taker.balance(DOG) == 600


def _finalised(psbt: Psbt) -> Psbt:
    """As wallets do that make the last step themselves."""
    maps = []
    for fields in psbt.inputs:
        pairs = dict(fields.pairs)
        taproot = pairs.pop(psbt_fields.TAP_KEY_SIGNATURE.key(), None)
        partial = next((key for key in pairs if key[:1] == psbt_fields.PARTIAL_SIGNATURE.key()[:1]), None)
        if taproot is not None:
            pairs[psbt_fields.FINAL_WITNESS.key()] = b"\x01" + bytes([len(taproot)]) + taproot
        elif partial is not None:
            signature, public = pairs.pop(partial), partial[1:]
            items = bytes([len(signature)]) + signature + bytes([len(public)]) + public
            pairs[psbt_fields.FINAL_WITNESS.key()] = b"\x02" + items
        maps.append(PsbtMap(tuple(pairs.items())))
    return replace(psbt, inputs=tuple(maps))


@BOTH
async def test_a_wallet_that_answers_with_rubbish_is_named(who: str) -> None:
    async with TradeWorld() as world:
        party: TradingPeer = getattr(world, who)

        class Rubbish(SimulatedWallet):
            async def sign_psbt(self, psbt: bytes, inputs: object) -> bytes:
                return b"70736274ff"

        party.wallet = Rubbish(who)
        party.open_wallet()
        await _fails(world, who, "V16")


@BOTH
async def test_a_wallet_that_is_out_of_order_fails_the_trade(who: str) -> None:
    async with TradeWorld() as world:
        getattr(world, who).wallet.broken = True
        await _fails(world, who, "WALLET_FAILED")
        other: TradingPeer = world.maker if who == "taker" else world.taker
        reason = other.only().reason
        assert reason is not None and reason.code == "WALLET_FAILED"
        assert "out of order" not in reason.detail and "simulated" not in reason.detail


async def test_a_taker_who_declines_in_the_wallet_cancels_the_trade_for_both() -> None:
    async with TradeWorld() as world:
        world.taker.wallet.refuses = True
        await world.taker.takes(await sells_dog(world))
        view = await world.taker.until("canceled")
        assert view.status is TradeStatus.CANCELED and view.reason is not None
        assert (view.reason.code, view.reason.detail) == ("USER_REJECTED", "You canceled it.")
        made = await world.maker.until("canceled")
        assert made.reason is not None and made.reason.detail == "The taker ended it. It was declined."
        await asyncio.sleep(1)
        assert await world.taker.holds_nothing() and await world.maker.holds_nothing()


async def test_a_signature_of_the_taker_that_comes_too_late_does_not_leave() -> None:
    async with TradeWorld() as world:
        world.taker.wallet.delay = 61
        await world.taker.takes(await sells_dog(world))
        view = await world.taker.until("expired")
        assert view.reason is not None
        assert (view.reason.code, view.reason.detail) == ("TIMEOUT", "The wallet did not sign in time.")
        await asyncio.sleep(120)
        assert world.maker.only().phase == "canceled"
        assert world.maker.wallet.signed == [] and world.chain.mempool == {}
        assert await world.taker.holds_nothing() and await world.maker.holds_nothing()


async def test_a_signature_of_the_maker_that_comes_too_late_does_not_leave() -> None:
    async with TradeWorld() as world:
        world.maker.wallet.delay = 61
        await world.taker.takes(await sells_dog(world))
        await world.maker.until("expired")
        await asyncio.sleep(120)
        assert world.chain.mempool == {} and await world.maker.holds_nothing()
        view = world.taker.only()
        assert view.phase == "exposed" and view.reason is not None and view.reason.code == "TIMEOUT"


async def test_a_wallet_in_which_people_read_has_its_time() -> None:
    async with TradeWorld() as world:
        for party in (world.maker, world.taker):
            party.wallet.sign_seconds, party.wallet.delay = 180.0, 170.0
        await world.taker.takes(await sells_dog(world, signing_seconds=240))
        await world.settles()
        assert world.taker.balance(DOG) == 600


async def test_another_wallet_than_the_trade_was_begun_with_signs_nothing_of_it() -> None:
    async with TradeWorld() as world:
        trade = await world.taker.takes(await sells_dog(world), review=True)
        await world.taker.until("reviewing")
        world.taker.wallet = SimulatedWallet("another")
        world.taker.open_wallet()
        await world.taker.trades.confirm(trade.id)
        view = await world.taker.until("failed")
        assert view.reason is not None and view.reason.code == "WALLET_FAILED"
        assert "another account or wallet" in view.reason.detail
        assert world.taker.wallet.signed == []


async def test_a_proof_that_is_declined_begins_no_trade() -> None:
    async with TradeWorld() as world:

        class Silent(SimulatedWallet):
            async def sign_message(self, account: object, message: str) -> bytes:
                raise WalletFailed(self.kind, "cannot sign messages")

        order = await sells_dog(world)
        world.taker.wallet = Silent("taker")
        world.taker.open_wallet()
        with pytest.raises(WalletFailed):
            await world.taker.takes(order)
        assert world.taker.trades.all() == [] and await world.taker.holds_nothing()


async def test_a_psbt_names_previous_transactions_where_amounts_are_not_signed() -> None:
    """BIP143 signatures of one coin commit to its amount, not to those of others: the wallet is shown the proof."""
    async with TradeWorld() as world:
        shown: list[Psbt] = []
        world.taker.wallet.forge = lambda psbt: shown.append(psbt) or psbt  # type: ignore[func-returns-value]
        await world.taker.takes(await sells_dog(world))
        await world.taker.until("pending")
        asked = shown[0]
        (index,) = [at for at, coin in enumerate(asked.unsigned.inputs) if _is_takers(world, asked, at)]
        assert psbt_fields.NON_WITNESS_UTXO.key() in dict(asked.inputs[index].pairs)


def _is_takers(world: TradeWorld, asked: Psbt, index: int) -> bool:
    prevout = asked.spent(index)
    return prevout is not None and prevout.script == world.taker.wallet.payment.script


async def test_wallet_that_fails_with_half_a_surrogate_pair_ends_the_trade_at_once() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        world.taker.wallet.broken, world.taker.wallet.trouble = True, "no \ud83d"
        view = await world.taker.takes(order)
        await world.taker.until("failed", 60)
        reason = world.taker.only().reason
        assert reason is not None and "no ?" in reason.detail
        await asyncio.sleep(30)
        assert await world.taker.reserved(view.id) == 0


async def test_cancel_with_a_reason_that_is_no_unicode_is_refused_and_another_cancels() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        view = await world.taker.takes(order, review=True)
        await world.taker.until("reviewing")
        with pytest.raises(InvalidArgument, match="reason"):
            await world.taker.trades.cancel(view.id, "bye \ud83d")
        assert (await world.taker.trades.cancel(view.id, "bye \U0001f600")).status is TradeStatus.CANCELED
