"""Seeded schedules of one trade: two machines, a bad network, crashes, users and a chain that reorganises.

`explore(seed)` plays one and returns its story; a broken promise is an `AssertionError` that tells seed and story.
Only the machine is under test: snapshot, keys and servers are single facts here.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.market.orders import FeeRule
from darkswap_browser.settlement import effects as do
from darkswap_browser.settlement import events as on
from darkswap_browser.settlement import machine
from darkswap_browser.settlement import states as at
from darkswap_browser.settlement.messages import Body, FinalTransaction, TakeRequest, TakerSignatures
from darkswap_browser.settlement.step import Step, StepOutcome, effects_on_resume
from darkswap_browser.settlement.terms import Contribution, Role, TradeInput, TradeTerms
from darkswap_browser.storage import codec

Stepping = Callable[[at.State, on.Event, int], Step]

DEADLINE = 1300
START = 1000
ROUNDS = 400
"""More than any schedule needs: chaos ends after CHAOS of them, then time and blocks go on."""
CHAOS = 40
MAKER, TAKER = Role.MAKER, Role.TAKER


def _script(fill: int) -> bytes:
    return b"\x51\x20" + bytes([fill]) * 32


def declared(fill: int, atoms: int) -> Contribution:
    coin = TradeInput(OutPoint(f"{fill:02x}" * 32, 0), 10_000, _script(fill), atoms)
    return Contribution(
        asset_coins=(coin,) if atoms else (),
        bitcoin_coins=() if atoms else (coin,),
        receive_script=_script(fill + 1),
        asset_change_script=_script(fill + 2),
        bitcoin_change_script=_script(fill + 3),
    )


COINS = {MAKER: declared(0x10, 7), TAKER: declared(0x20, 0)}
OUTPOINT = {role: COINS[role].coins[0].outpoint for role in Role}
SETTLEMENT = Transaction(
    tuple(TxInput(OUTPOINT[role]) for role in Role), (TxOutput(546, _script(1)), TxOutput(9000, _script(2)))
)
RAW = SETTLEMENT.serialize()
SETTLED = SETTLEMENT.txid
SIGNED = ((1, (bytes(64),)),)
TERMS = TradeTerms(
    trade_id="ab" * 16,
    order_id="01" * 32,
    order_hash="02" * 32,
    network="regtest",
    base=Asset.rune(840000, 1),
    base_atoms=7,
    quote=BTC,
    quote_atoms=9000,
    base_giver=MAKER,
    fee_rule=FeeRule.OWN_WEIGHT,
    fee_rate=2000,
    deadline=DEADLINE,
    maker_max_fee=50_000,
)
REQUEST = TakeRequest(
    order_id=TERMS.order_id,
    order_hash=TERMS.order_hash,
    fill=7,
    fee_rate=2000,
    deadline=DEADLINE,
    declaration=COINS[TAKER],
    proofs=(),
)


def trade_of(role: Role, *, auto: bool = False) -> at.Trade:
    return at.Trade(
        role=role,
        terms=TERMS,
        peer="peer",
        auto_sign=auto,
        sign_seconds=60,
        confirmations=2,
        created_at=START,
        max_fee=50_000,
        own=COINS[TAKER] if role is TAKER else None,
        theirs=COINS[TAKER] if role is MAKER else None,
    )


class Ledger:
    """Which transaction spends which coin: in blocks, newest last, and in one mempool."""

    def __init__(self) -> None:
        self.spends: dict[str, frozenset[OutPoint]] = {SETTLED: frozenset(OUTPOINT.values())}
        self.blocks: list[str | None] = []
        self.mempool: list[str] = []
        self.top = 0
        """The most blocks there ever were."""

    def in_chain(self, outpoints: frozenset[OutPoint]) -> str | None:
        return next((txid for txid in self.blocks if txid and self.spends[txid] & outpoints), None)

    def offer(self, txid: str, *, wins: bool = False) -> bool:
        wanted = self.spends[txid]
        rivals = [each for each in self.mempool if each != txid and self.spends[each] & wanted]
        if self.in_chain(wanted) not in (None, txid) or (rivals and not wins):
            return False
        self.mempool = [each for each in self.mempool if each not in rivals]
        if txid not in self.mempool and txid not in self.blocks:
            self.mempool.append(txid)
        return True

    def mine(self, *, empty: bool = False) -> None:
        self.blocks.append(None)
        self.top = max(self.top, len(self.blocks))
        if self.mempool and not empty:
            self.blocks[-1] = self.mempool.pop(0)
            # One coin is never in two transactions of the chain: what the mempool held against it is gone.
            self.mempool = [each for each in self.mempool if not self.spends[each] & self.spends[self.blocks[-1] or ""]]

    def reorganise(self, depth: int, *, forget: bool) -> None:
        # What was once buried stays: that is the one thing both sides rely on.
        fixed = max(0, self.top - machine.FINALITY_MARGIN_BLOCKS - 1)
        for _ in range(min(depth, len(self.blocks) - fixed)):
            gone = self.blocks.pop()
            if gone and not forget:
                self.offer(gone, wins=True)

    def depth(self, txid: str) -> int:
        return len(self.blocks) - self.blocks.index(txid) if txid in self.blocks else 0


class Side:
    """The driver of one machine, and what it must never do."""

    def __init__(self, world: World, role: Role) -> None:
        self.world = world
        self.role = role
        self.state: at.State | None = None
        self.saved: at.State | None = None
        self.work: list[do.Effect] = []
        self.reserved = role is TAKER
        self.released = 0
        self.verified = False
        self.exposed = False
        """Our signatures are somewhere else than here."""
        self.sent: dict[int, Body] = {}
        self.spent = 0

    def take(self, event: on.Event) -> None:
        if self.state is None:
            return
        before, was_end = self.state, isinstance(self.state, at.Ended)
        step = self.world.step(before, event, self.world.now)
        self.world.tell(f"{self.role} {type(event).__name__} → {step.answer} {type(step.state).__name__}")
        if was_end:
            assert step.state == before or step.state.trade.received > before.trade.received, "an end was left"
            assert do.Release() not in step.effects, "released again"
        if step.answer is StepOutcome.DUPLICATE:
            assert step.state == before and not step.effects, "a duplicate changed something"
        assert step.state.trade.sent >= before.trade.sent and step.state.trade.received >= before.trade.received
        self._enter(step)

    def begin(self, step: Step) -> None:
        self.world.tell(f"{self.role} begins")
        self._enter(step)

    def _enter(self, step: Step) -> None:
        self.state = self.saved = step.state
        self.released += sum(isinstance(each, do.Release) for each in step.effects)
        assert self.released == isinstance(step.state, at.Ended), "released not exactly once"
        self.work += step.effects
        if self.exposed and do.Release() in step.effects:
            ledger = self.world.ledger
            by = ledger.in_chain(ledger.spends[SETTLED])
            deep = (
                by is not None and ledger.depth(by) >= step.state.trade.confirmations + machine.FINALITY_MARGIN_BLOCKS
            )
            assert deep, "coins are free while our signature can still move them"

    def crash(self) -> None:
        if self.saved is None:
            return
        data = codec.encode(codec.STATE, self.saved, at.VERSION)
        self.state = codec.decode(codec.STATE, data, at.VERSION)
        assert self.state == self.saved
        self.work = list(effects_on_resume(self.state))
        self.world.tell(f"{self.role} restarts in {type(self.state).__name__}")

    def perform(self) -> None:
        if self.work:
            effect = self.work.pop(0)
            self._perform(effect)

    def _perform(self, effect: do.Effect) -> None:
        world, chance = self.world, self.world.chance
        match effect:
            case do.Send(seq, body):
                assert self.sent.setdefault(seq, body) == body, "one number, two messages"
                if isinstance(body, TakerSignatures | FinalTransaction):
                    assert self.verified, "signatures out before verification"
                    self.exposed = True
                world.send(self.role.other, on.MessageReceived(seq, body))
            case do.Validate() | do.Verify():
                if chance.random() < world.refusing:
                    self.take(on.CheckFailed("V11", "an asset is not there"))
                elif self.role is MAKER:
                    self.reserved = True
                    self.take(on.Validated(COINS[MAKER], SETTLED))
                else:
                    self.verified = True
                    self.take(on.Verified())
            case do.RequestApproval():
                self.take(on.Approved() if chance.random() < 0.9 else on.CancelRequested())
            case do.Sign():
                assert self.verified, "signed before verification"
                self._signed(on.Signed(SIGNED))
            case do.Countersign(witnesses):
                self.verified = witnesses == SIGNED
                self._signed(on.Countersigned(RAW))
            case do.Broadcast(txid, raw):
                if txid == SETTLED:
                    assert raw == RAW and self.verified
                    self.exposed = True
                if chance.random() < world.loss:
                    return  # no server answers
                if world.ledger.offer(txid, wins=txid != SETTLED) and chance.random() >= world.refusing:
                    self.take(on.BroadcastAccepted(txid))
                else:
                    self.take(on.BroadcastFailed(txid, "refused", chance.random() < 0.5, chance.choice((0, 900, 5000))))
            case do.SelfSpend():
                self.spent += 1
                txid = f"{'cd' if self.role is MAKER else 'ef'}{self.spent:02x}" * 16
                world.ledger.spends[txid] = frozenset({OUTPOINT[self.role]})
                refused = chance.random() < world.refusing
                self.take(on.SelfSpendFailed("locked") if refused else on.SelfSpendSigned(txid, b"spend"))
            case do.Release():
                self.reserved = False

    def _signed(self, result: on.Event) -> None:
        refused = self.world.chance.random() < self.world.refusing
        self.take(on.SigningFailed("USER_REJECTED", "") if refused else result)

    def look(self) -> None:
        """What a watcher would tell now."""
        if self.state is None or not isinstance(self.state, at.Committed):
            return
        ledger, spend = self.world.ledger, self.state.trade.spend_txid
        by = ledger.in_chain(ledger.spends[SETTLED])
        pooled = next((each for each in ledger.mempool if ledger.spends[each] & ledger.spends[SETTLED]), None)
        if by is not None and by in (SETTLED, spend):
            self.take(on.Confirmed(by, 100, ledger.depth(by)))
        elif by is not None:
            self.take(on.ConflictConfirmed(by, ledger.depth(by)))
        elif pooled in (SETTLED, spend) and pooled:
            self.take(on.SeenInMempool(pooled))
        elif pooled is None:
            self.take(on.NotSeenOnChain())
        else:
            self.take(on.RivalSeen(pooled))


class World:
    def __init__(self, seed: int, step: Stepping) -> None:
        self.seed = seed
        self.step = step
        self.chance = random.Random(seed)
        self.now = START
        self.story: list[str] = []
        self.wire: list[tuple[Role, on.MessageReceived]] = []
        self.ledger = Ledger()
        self.loss = self.chance.choice((0.0, 0.1, 0.4))
        self.refusing = self.chance.choice((0.0, 0.0, 0.1))
        self.rough = self.chance.choice((0.02, 0.1, 0.3))
        """How often something goes wrong instead of on."""
        self.sides = {role: Side(self, role) for role in Role}

    def tell(self, text: str) -> None:
        self.story.append(f"{self.now}: {text}")

    def send(self, to: Role, event: on.MessageReceived) -> None:
        if self.chance.random() >= self.loss:
            self.wire.append((to, event))
            if self.chance.random() < self.rough:
                self.wire.append((to, event))

    def deliver(self) -> None:
        if not self.wire:
            return
        place = self.chance.randrange(len(self.wire)) if self.chance.random() < self.rough else 0
        to, event = self.wire.pop(place)
        side = self.sides[to]
        if side.state is None and isinstance(event.body, TakeRequest):
            side.begin(machine.start_maker(trade_of(MAKER), event.seq, self.now))
        else:
            side.take(event)

    def disturb(self) -> None:
        side = self.sides[self.chance.choice((MAKER, TAKER))]
        match self.chance.randrange(9):
            case 0:
                side.crash()
            case 1:
                self.wire.clear()
                for each in self.sides.values():
                    each.take(on.Reconnected())
            case 2:
                side.take(on.CancelRequested())
            case 3:
                side.take(on.RevokeRequested())
            case 4:
                self.now += self.chance.choice((1, 15, 70, 400))
                self.tell("time passes")
            case 5:
                self.ledger.mine(empty=self.chance.random() < 0.3)
                self.tell("a block")
            case 6:
                self.ledger.reorganise(self.chance.randrange(1, 4), forget=self.chance.random() < 0.3)
                self.tell("blocks are replaced")
            case 7:
                txid = f"{'9' if side.role is MAKER else '8'}{self.chance.randrange(10)}" * 32
                self.ledger.spends[txid] = frozenset({OUTPOINT[side.role]})
                self.ledger.offer(txid, wins=self.chance.random() < 0.5)
                self.tell(f"{side.role} spends its coin elsewhere")
            case 8:
                side.take(on.TimerFired())

    def calm(self) -> None:
        """Nobody disturbs any more: users take back what hangs, time and blocks go on."""
        self.loss = self.refusing = 0.0
        self.now += 30
        self.ledger.mine()
        for side in self.sides.values():
            side.take(on.TimerFired())
            if isinstance(side.state, at.SignatureExposed) and self.now > DEADLINE:
                side.take(on.RevokeRequested())

    def run(self) -> None:
        self.sides[TAKER].begin(
            machine.start_taker(trade_of(TAKER, auto=self.chance.random() < 0.5), REQUEST, self.now)
        )
        for turn in range(ROUNDS):
            for side in self.sides.values():
                while side.work and (turn >= CHAOS or self.chance.random() < 0.9):
                    side.perform()
            self.deliver()
            if turn >= CHAOS:
                self.calm()
            elif self.chance.random() < self.rough:
                self.disturb()
            elif self.chance.random() < 0.2:
                self.ledger.mine()
            for side in self.sides.values():
                side.look()
            over = all(side.state is None or isinstance(side.state, at.Ended) for side in self.sides.values())
            if over and not self.wire and not any(side.work for side in self.sides.values()):
                break
        self.judge()

    def judge(self) -> None:
        ledger = self.ledger
        by = ledger.in_chain(ledger.spends[SETTLED])
        for side in self.sides.values():
            if side.state is None:
                continue
            assert isinstance(side.state, at.Ended), f"{side.role} never ended: {type(side.state).__name__}"
            assert not side.reserved, f"{side.role}: a reservation leaked"
            if isinstance(side.state, at.Settled):
                assert by == SETTLED, "settled, says one side, and the chain does not"
            elif side.exposed:
                assert by != SETTLED, f"{side.role} says {type(side.state).__name__} of a trade that settled"
        if by == SETTLED:
            assert all(side.verified for side in self.sides.values()), "settled without both sides' checks"
        used = [coin for txid in ledger.blocks if txid for coin in ledger.spends[txid]]
        assert len(used) == len(set(used)), "one coin, two spends"


def explore(seed: int, step: Stepping = machine.step) -> World:
    """Raises `AssertionError` with the seed and the story."""
    world = World(seed, step)
    try:
        world.run()
    except AssertionError as error:
        raise AssertionError("\n".join((f"seed {seed}: {error}", *world.story))) from error
    return world
