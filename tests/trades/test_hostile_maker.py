"""A real taker against a maker who lies: only what was agreed is signed, and what comes after is checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from darkswap_browser.bitcoin.signing import with_witnesses
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.market.assets import BTC
from darkswap_browser.market.orders import Side
from darkswap_browser.orders.views import OrderView
from darkswap_browser.settlement.messages import Cancel, FinalTransaction, TakeRequest, TakerSignatures
from darkswap_browser.settlement.signature_checks import complete
from darkswap_browser.settlement.terms import Contribution, Role, TradeInput
from darkswap_browser.settlement.transaction import Settlement
from darkswap_browser.trades.views import TradeStatus, TradeView
from tests.support.attacker import Attacker, attacker
from tests.support.trade_world import DOG, TradeWorld, TradingPeer


class Scene:
    """`eve` offers 600 DOG for 30,000 sats, and the real taker has asked for them."""

    def __init__(self, world: TradeWorld, eve: Attacker, order: OrderView) -> None:
        self.world, self.eve, self.order = world, eve, order

    @classmethod
    async def set(cls, world: TradeWorld) -> Scene:
        eve = await attacker(world)
        eve.role = Role.MAKER
        eve.give(10_000, DOG, 1_000)
        scene = cls(world, eve, await eve.offers(DOG, 600, BTC, 30_000))
        scene.trade = await world.taker.takes(scene.order)
        scene.trade_id, scene.request = await eve.asked()
        return scene

    trade: TradeView
    trade_id: str
    request: TakeRequest

    async def accept(self, lie: Callable[[Contribution], Contribution] = lambda own: own) -> Settlement | None:
        settlement, answer = await self.eve.answer(self.order, self.trade_id, self.request, lie)
        await self.eve.say(self.trade_id, 1, answer)
        return settlement

    async def signed(self) -> tuple[Settlement, TakerSignatures]:
        """Honestly, up to the taker's signatures."""
        settlement = await self.accept()
        body = await self.eve.hears()
        assert settlement is not None and isinstance(body, TakerSignatures)
        return settlement, body

    def final(self, settlement: Settlement, theirs: TakerSignatures) -> bytes:
        return complete(settlement, self.eve.witnesses(settlement), theirs.witnesses).serialize()


async def _unharmed(taker: TradingPeer) -> None:
    await asyncio.sleep(1)
    assert taker.wallet.signed == [] and await taker.holds_nothing()


def _coin(own: Contribution, **changes: object) -> Contribution:
    coin, *others = own.asset_coins
    return replace(own, asset_coins=(replace(coin, **changes), *others))  # type: ignore[arg-type]


LIES: dict[str, tuple[str, Callable[[Scene, Contribution], Contribution]]] = {
    "more runes than there are": ("V11", lambda scene, own: _coin(own, atoms=2_000)),
    "fewer runes than there are": ("V11", lambda scene, own: _coin(own, atoms=600)),
    "too few runes": ("INSUFFICIENT_FUNDS", lambda scene, own: _coin(own, atoms=599)),
    "no runes": ("INSUFFICIENT_FUNDS", lambda scene, own: replace(own, asset_coins=())),
    "more sats": ("V9", lambda scene, own: _coin(own, sats=20_000)),
    "an output that is not there": ("V9", lambda scene, own: _coin(own, outpoint=OutPoint("ab" * 32, 1))),
    "a coin without runes": (
        "V11",
        lambda scene, own: _coin(own, outpoint=scene.world.chain.fund(own.asset_coins[0].script, 10_000)),
    ),
    "a coin of the taker": ("V4", lambda scene, own: replace(own, bitcoin_coins=(_mine(scene),))),
    "the very coin of the taker": (
        "TERMS",
        lambda scene, own: replace(own, bitcoin_coins=scene.request.declaration.bitcoin_coins),
    ),
    "an output that nodes do not relay": ("TERMS", lambda scene, own: replace(own, receive_script=b"\x6a\x01\x00")),
    "a coin twice": ("TERMS", lambda scene, own: replace(own, asset_coins=own.asset_coins * 2)),
}


def _mine(scene: Scene) -> TradeInput:
    script = scene.world.taker.wallet.payment.script
    return TradeInput(scene.world.chain.fund(script, 5_000), 5_000, script)


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_about_the_makers_coins_is_refused_before_the_taker_signs(lie: str) -> None:
    async with TradeWorld() as world:
        scene = await Scene.set(world)
        code, change = LIES[lie]
        await scene.accept(lambda own: change(scene, own))
        assert await scene.eve.hears_code() == code
        view = world.taker.only()
        assert (view.phase, view.status) == ("failed", TradeStatus.FAILED)
        assert view.reason is not None and view.reason.code == code
        await _unharmed(world.taker)


@pytest.mark.parametrize("state", ["spent", "unconfirmed"])
async def test_a_coin_of_the_maker_that_cannot_be_relied_on_is_refused(state: str) -> None:
    async with TradeWorld() as world:
        scene = await Scene.set(world)
        script = scene.eve.wallet.payment.script
        (coin,) = world.chain.utxos(script)
        source = coin.outpoint if state == "spent" else OutPoint("ee" * 32, 0)
        made = Transaction((TxInput(source, witness=(bytes(64),)),), (TxOutput(90_000, script),))
        world.chain.mempool[made.txid] = made
        brought = (
            TradeInput(coin.outpoint, coin.sats, script)
            if state == "spent"
            else TradeInput(OutPoint(made.txid, 0), 90_000, script)
        )
        await scene.accept(lambda own: replace(own, bitcoin_coins=(brought,)))
        assert await scene.eve.hears_code() == "V10"
        await _unharmed(world.taker)


async def test_a_txid_of_another_transaction_is_refused() -> None:
    async with TradeWorld() as world:
        scene = await Scene.set(world)
        _, answer = await scene.eve.answer(scene.order, scene.trade_id, scene.request, lambda own: own)
        await scene.eve.say(scene.trade_id, 1, replace(answer, txid="ab" * 32))
        assert await scene.eve.hears_code() == "V3"
        await _unharmed(world.taker)


@pytest.mark.parametrize("change", [{"fill": 500}, {"fee_rate": 9_000}], ids=["amount", "fee"])
async def test_an_answer_on_other_terms_is_another_transaction(change: dict[str, int]) -> None:
    """Price, amount and fee rate are of the taker's own copy: the maker's have no place to stand in the message."""
    async with TradeWorld() as world:
        scene = await Scene.set(world)
        asked = replace(scene.request, **change)  # type: ignore[arg-type]
        _, answer = await scene.eve.answer(scene.order, scene.trade_id, asked, lambda own: own)
        await scene.eve.say(scene.trade_id, 1, answer)
        assert await scene.eve.hears_code() == "V3"
        await _unharmed(world.taker)


async def test_an_answer_that_comes_late_or_twice_is_of_no_use() -> None:
    async with TradeWorld() as world:
        scene = await Scene.set(world)
        await asyncio.sleep(21)
        assert world.taker.only().phase == "expired"
        await scene.accept()
        assert await scene.eve.hears_code() == "TIMEOUT"
        await _unharmed(world.taker)
    async with TradeWorld() as world:
        scene = await Scene.set(world)
        settlement, _ = await scene.signed()
        await scene.eve.coins.release(scene.trade_id)
        _, other = await scene.eve.answer(
            scene.order, scene.trade_id, scene.request, lambda own: replace(own, bitcoin_coins=())
        )
        await scene.eve.say(scene.trade_id, 2, other)
        await scene.eve.say(scene.trade_id, 1, other)
        await asyncio.sleep(2)
        assert set(world.taker.wallet.signed) == {settlement.txid}


@pytest.mark.parametrize("kind", ["another", "unsigned", "half signed", "badly signed", "no transaction"])
async def test_a_final_transaction_that_is_none_ends_its_stream_and_the_good_one_is_still_taken(kind: str) -> None:
    async with TradeWorld() as world:
        scene = await Scene.set(world)
        settlement, theirs = await scene.signed()
        good = Transaction.parse(scene.final(settlement, theirs))
        match kind:
            case "another":
                raw = replace(good, outputs=good.outputs[:-1]).serialize()
            case "unsigned":
                raw = settlement.tx.serialize()
            case "half signed":
                raw = with_witnesses(settlement.tx, settlement.prevouts, dict(theirs.witnesses)).serialize()
            case "badly signed":
                raw = with_witnesses(good, settlement.prevouts, {0: (bytes(64),)}).serialize()
            case _:
                raw = b"\x02\x00"
        await scene.eve.say(scene.trade_id, 2, FinalTransaction(raw))
        await asyncio.sleep(2)
        view = world.taker.only()
        assert (scene.eve.broken, view.phase, view.raw) == (1, "signatures_out", None)
        assert world.chain.mempool == {}
        await scene.eve.open(world.taker)
        await scene.eve.say(scene.trade_id, 2, FinalTransaction(good.serialize()))
        view = await world.taker.until("pending")
        assert view.raw == good.serialize()
        await asyncio.sleep(2)
        assert list(world.chain.mempool) == [settlement.txid]


async def test_a_final_transaction_before_there_are_signatures_is_of_no_use() -> None:
    async with TradeWorld() as world:
        scene = await Scene.set(world)
        await scene.eve.say(scene.trade_id, 1, FinalTransaction(b"\x02\x00"))
        await asyncio.sleep(2)
        assert world.taker.only().phase == "requesting"
        await scene.eve.open(world.taker)
        await scene.accept()
        await world.taker.until("signatures_out")


async def test_a_cancel_after_the_signature_is_advice_and_the_makers_words_are_marked_as_its_own() -> None:
    async with TradeWorld() as world:
        scene = await Scene.set(world)
        settlement, theirs = await scene.signed()
        await scene.eve.say(scene.trade_id, 2, Cancel("<b>SAFE</b>", "your coins are free, go on"))
        view = await world.taker.until("exposed")
        assert view.reason is not None and view.reason.code == "OTHER"
        assert "free" not in view.reason.detail and "<" not in view.reason.detail
        assert await world.taker.reserved(scene.trade_id) > 0 and view.can_revoke
        world.chain.accept(scene.final(settlement, theirs))
        await world.taker.until("pending")
        await world.mined()
        assert world.taker.only().phase == "completed"


async def test_a_cancel_before_the_signature_frees_everything_and_quotes_the_maker() -> None:
    async with TradeWorld() as world:
        scene = await Scene.set(world)
        await scene.eve.say(scene.trade_id, 1, Cancel("PRICE_CHANGED", "sorry"))
        view = await world.taker.trades.wait(scene.trade_id)
        assert (view.phase, view.status) == ("canceled", TradeStatus.CANCELED)
        assert view.reason is not None and view.reason.code == "PRICE_CHANGED"
        assert (
            view.reason.detail.startswith("The maker ended it. The order was changed")
            and "“sorry”" in view.reason.detail
        )
        await _unharmed(world.taker)


async def test_a_maker_of_bitcoin_for_runes_is_checked_as_well() -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        eve.role = Role.MAKER
        world.taker.give(10_000, DOG, 600)
        order = await eve.offers(DOG, 600, BTC, 30_000, side=Side.BUY)
        scene = Scene(world, eve, order)
        await world.taker.takes(order)
        scene.trade_id, scene.request = await eve.asked()
        await scene.accept(
            lambda own: replace(
                own, bitcoin_coins=tuple(replace(coin, sats=coin.sats * 2) for coin in own.bitcoin_coins)
            )
        )
        assert await eve.hears_code() == "V9"
        await _unharmed(world.taker)
