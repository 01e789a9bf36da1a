"""Somebody who speaks /darkswap/trade/1.0.0 by hand: honest coins and keys, and whatever messages a test gives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from darkswap_browser.bitcoin import curve
from darkswap_browser.bitcoin.script import ScriptKind, kind_of
from darkswap_browser.bitcoin.sighash import Sighash, segwit_v0_digest, taproot_digest
from darkswap_browser.bitcoin.signing import sign_input, witness_of
from darkswap_browser.bitcoin.transaction import parse_witness
from darkswap_browser.errors import ConnectionLost, StreamError, TradeRefused
from darkswap_browser.market import order_codec
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.orders.views import OrderView
from darkswap_browser.protocols.trade_streams import TRADE_PROTOCOL
from darkswap_browser.settlement import messages
from darkswap_browser.settlement.messages import (
    Body,
    Cancel,
    OwnershipProof,
    TakeAccept,
    TakeRequest,
    TakerSignatures,
    TradeEnvelope,
    Witnesses,
)
from darkswap_browser.settlement.terms import Contribution, Role, TradeTerms, derive_terms, proof_message
from darkswap_browser.settlement.transaction import Settlement, build
from darkswap_browser.trades import envelopes
from darkswap_browser.trades.contribution import choose_contribution
from tests.support.simulated_wallet import SimulatedWallet
from tests.support.trade_world import TradeWorld, TradingPeer

AUX = bytes(32)
LARGEST = 1 << 20


class Attacker(TradingPeer):
    """Its trade manager is never started: the attacker reads and writes the streams itself."""

    role = Role.TAKER

    async def appear(self) -> None:
        self.heard: asyncio.Queue[TradeEnvelope] = asyncio.Queue()
        self.streams: list[BufferedStream] = []
        self.given = 0
        """Streams that the other side opened."""
        self.broken = 0
        """Streams that the other side broke off."""
        self._reading: set[asyncio.Task[None]] = set()
        await self.orders.start()
        self.orders.set_wallet(self.wallet, self.coins)
        self.peer.swarm.handle(TRADE_PROTOCOL, self._accept, allow_limited=True, max_inbound=8)

    async def stop(self) -> None:
        for task in self._reading:
            task.cancel()
        self.peer.swarm.unhandle(TRADE_PROTOCOL)
        await super().stop()

    # --- streams

    async def open(self, victim: TradingPeer) -> BufferedStream:
        connection = await self._reach(victim.peer.id, ())
        stream = (await self.peer.swarm.new_stream(connection, (TRADE_PROTOCOL,))).stream
        task = asyncio.create_task(self._read(stream))
        self._reading.add(task)
        self.streams.append(stream)
        return stream

    async def _accept(self, connection: Connection, stream: BufferedStream, protocol: str) -> None:
        self.streams.append(stream)
        self.given += 1
        await self._read(stream)

    async def _read(self, stream: BufferedStream) -> None:
        try:
            while True:
                self.heard.put_nowait(messages.decode(await stream.read_message(LARGEST)))
        except (StreamError, ConnectionLost):
            self.broken += 1
            self.streams.remove(stream)

    async def raw(self, data: bytes) -> None:
        await self.streams[-1].write_message(data)

    async def say(self, trade_id: str, seq: int, body: Body, role: Role | None = None) -> bytes:
        """Signed, in `role`, by its own key; returns the bytes."""
        sealed = await envelopes.sign_message(self.peer.swarm.identity, role or self.role, trade_id, seq, body)
        await self.raw(sealed)
        return sealed

    async def hears(self, seconds: float = 5.0) -> Body | None:
        """The next message to it; None: silence."""
        try:
            async with asyncio.timeout(seconds):
                return messages.body_of(await self.heard.get())
        except TimeoutError:
            return None

    async def hears_code(self, seconds: float = 5.0) -> str:
        """Of the next `Cancel`; "" when none comes."""
        while (body := await self.hears(seconds)) is not None:
            if isinstance(body, Cancel):
                return body.code
        return ""

    # --- as a taker

    async def request(
        self, order: OrderView, fill: int | None = None, *, rate: int = 5_000, seconds: int = 300, trade_id: str = ""
    ) -> tuple[TradeTerms, TakeRequest]:
        """An honest one; its coins stay reserved."""
        made = order_codec.decode_text(order.text).order
        amount = order.base_atoms if fill is None else fill
        name = trade_id or self.peer.runtime.entropy.bytes(16).hex()
        deadline = int(self.peer.runtime.clock.now()) + seconds
        terms = derive_terms(made, name, fill=amount, fee_rate=rate, deadline=deadline)
        own = await choose_contribution(terms, Role.TAKER, self.wallet, self.coins)
        return terms, await self.asking(terms, own)

    async def asking(self, terms: TradeTerms, own: Contribution) -> TakeRequest:
        """With proofs for whatever is declared, as far as its keys go."""
        message, scripts = proof_message(terms, own), {coin.script for coin in own.coins}
        proofs = [
            OwnershipProof(account.script, parse_witness(await self.wallet.sign_message(account, message)))
            for account in self.wallet.accounts
            if account.script in scripts
        ]
        return TakeRequest(
            order_id=terms.order_id,
            order_hash=terms.order_hash,
            fill=terms.base_atoms,
            fee_rate=terms.fee_rate,
            deadline=terms.deadline,
            declaration=own,
            proofs=tuple(proofs),
        )

    async def offered(self, order: OrderView) -> tuple[TradeTerms, Settlement]:
        """A trade up to the maker's answer, honestly."""
        terms, request = await self.request(order)
        await self.say(terms.trade_id, 1, request)
        answer = await self.hears()
        assert isinstance(answer, TakeAccept), answer
        settlement = build(terms, answer.declaration, request.declaration)
        assert settlement.txid == answer.txid
        return terms, settlement

    # --- signatures

    def witnesses(self, settlement: Settlement, role: Role | None = None) -> Witnesses:
        """Honest ones."""
        return tuple((index, self._sign(settlement, index)) for index in settlement.inputs_of(role or self.role))

    def _sign(self, settlement: Settlement, index: int) -> tuple[bytes, ...]:
        script = settlement.prevouts[index].script
        private = self.wallet.key(script)
        signature = sign_input(settlement.tx, index, settlement.prevouts, private, AUX)
        return witness_of(script, curve.public_key(private), signature)

    def typed(self, settlement: Settlement, index: int, sighash: Sighash) -> tuple[bytes, ...]:
        """A signature of any type, good by consensus."""
        script = settlement.prevouts[index].script
        private = self.wallet.key(script)
        public = curve.public_key(private)
        if kind_of(script) is ScriptKind.P2TR:
            digest = taproot_digest(settlement.tx, index, settlement.prevouts, sighash)
            return (curve.schnorr_sign(curve.taproot_private(private), digest, AUX) + bytes([sighash]),)
        code = b"\x76\xa9\x14" + curve.hash160(public) + b"\x88\xac"
        digest = segwit_v0_digest(settlement.tx, index, code, settlement.prevouts[index].sats, sighash)
        return (curve.ecdsa_sign(private, digest) + bytes([sighash]), public)

    async def signs(self, terms: TradeTerms, witnesses: Witnesses) -> None:
        await self.say(terms.trade_id, 2, TakerSignatures(witnesses))

    # --- as a maker

    async def asked(self) -> tuple[str, TakeRequest]:
        """The next request to it: trade id and body."""
        while True:
            envelope = await self.heard.get()
            body = messages.body_of(envelope)
            if isinstance(body, TakeRequest):
                return envelope.trade_id, body

    async def answer(
        self, order: OrderView, trade_id: str, request: TakeRequest, lie: Callable[[Contribution], Contribution]
    ) -> tuple[Settlement | None, TakeAccept]:
        """The answer with what `lie` makes of its declaration, and the settlement, if one can be built of it."""
        made = order_codec.decode_text(order.text).order
        terms = derive_terms(made, trade_id, fill=request.fill, fee_rate=request.fee_rate, deadline=request.deadline)
        declared = lie(await choose_contribution(terms, Role.MAKER, self.wallet, self.coins))
        try:
            settlement = build(terms, declared, request.declaration)
        except TradeRefused:
            return None, TakeAccept(declared, "ab" * 32)
        return settlement, TakeAccept(declared, settlement.txid)


async def attacker(world: TradeWorld, name: str = "eve") -> Attacker:
    """With bitcoin and runes of its own."""
    made = Attacker(world, await world.sim.peer(name, "ws"), SimulatedWallet(name), ("ws",))
    world.parties.append(made)
    await made.appear()
    made.give(100_000)
    return made
