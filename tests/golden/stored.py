"""Every kind of value that goes through the host's key-value store."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from darkswap_browser.api import diagnostics, durable_messages
from darkswap_browser.api.trading import coin_recovery, wallet_manager
from darkswap_browser.bitcoin.transaction import Transaction
from darkswap_browser.chain import transaction_cache
from darkswap_browser.market import order_codec
from darkswap_browser.market.assets import AssetMetadata
from darkswap_browser.protocols.identify import identify
from darkswap_browser.settlement import messages
from darkswap_browser.settlement import states as at
from darkswap_browser.settlement.messages import TakeRequest, TakerSignatures
from darkswap_browser.settlement.states import phase_of
from darkswap_browser.settlement.terms import Role
from darkswap_browser.storage import codec, records
from darkswap_browser.storage.orders import ORDER_RECORD, SALE_BEGUN, Fill, OrderRecord, OrderStatus, PendingSale
from darkswap_browser.storage.trades import TAKE_BEGUN, TRADE_RECORD, PendingTake, TradeRecord
from darkswap_browser.wallets import reservations, seed
from darkswap_browser.wallets.reservations import ReservationTable
from darkswap_browser.wallets.seed_record import SeedRecord
from darkswap_browser.wire.fields import Kind
from tests.golden.case import Case
from tests.golden.trade import BODIES, CANCELLATION, TRADE_ID
from tests.market.cases import CREATED, RUNE, funded, signed, sold
from tests.soak.world import COINS, OUTPOINT, RAW, SETTLED, SIGNED, trade_of

MAKER, TAKER = Role.MAKER, Role.TAKER
UNTIL = CREATED + 20
OTHER = "ab" * 32
NEW = {role: trade_of(role) for role in Role}
MET = {role: replace(NEW[role], own=COINS[role], theirs=COINS[role.other], txid=SETTLED) for role in Role}
SIGNED_BY = {
    TAKER: replace(MET[TAKER], last_sent=TakerSignatures(SIGNED), sent=2, received=1, witnesses=SIGNED),
    MAKER: replace(MET[MAKER], raw=RAW, sent=2, received=2),
}
WHOLE = {role: replace(SIGNED_BY[role], raw=RAW) for role in Role}
REVOKED = replace(SIGNED_BY[TAKER], spend_txid=OTHER, spend_raw=RAW)
WIDE = replace(NEW[TAKER], terms=replace(NEW[TAKER].terms, base_atoms=2**128 - 1), auto_sign=True)
"""More atoms than msgpack has numbers for."""
SALE = replace(MET[TAKER], terms=replace(MET[TAKER].terms, private_sale=True), sale=SIGNED)

STATES: tuple[at.State, ...] = (
    at.AwaitingAcceptance(NEW[TAKER], UNTIL),
    at.AwaitingAcceptance(WIDE, UNTIL),
    at.Validating(NEW[MAKER], UNTIL),
    at.Verifying(MET[TAKER], UNTIL),
    at.Verifying(SALE, UNTIL),
    at.Reviewing(MET[TAKER], UNTIL),
    at.Reviewing(SALE, UNTIL),
    at.Signing(MET[TAKER], UNTIL),
    at.AwaitingTakerSignatures(MET[MAKER], UNTIL),
    at.Countersigning(MET[MAKER], UNTIL, SIGNED),
    at.Countersigning(SALE, UNTIL, SIGNED),
    at.AwaitingMakerSignatures(SIGNED_BY[TAKER], UNTIL),
    at.Broadcasting(SIGNED_BY[MAKER], UNTIL),
    *(at.AwaitingConfirmation(WHOLE[role], UNTIL, refusal="mempool full") for role in Role),
    *(at.AwaitingConfirmation(WHOLE[role], 0, seen=True, depth=1) for role in Role),
    at.AwaitingConfirmation(WHOLE[TAKER], 0, seen=True, rival=OTHER),
    *(at.Completed(WHOLE[role], 840_100, 2) for role in Role),
    *(at.Settled(WHOLE[role], 840_100) for role in Role),
    at.SignatureExposed(SIGNED_BY[TAKER], detail="no coin"),
    at.SignatureExposed(SIGNED_BY[TAKER], declined="BUSY"),
    at.SignatureExposed(WHOLE[MAKER], refused="min relay fee not met"),
    at.Revoking(SIGNED_BY[TAKER]),
    at.Revoking(REVOKED, 1, "fee too low"),
    at.Revoking(replace(REVOKED, revoke_fee=700, revoke_max=900, revoke_beat=650), remake=True),
    at.Revoking(WHOLE[MAKER]),
    at.Revoked(REVOKED),
    at.Revoked(replace(WHOLE[MAKER], spend_txid=OTHER, spend_raw=RAW)),
    *(at.Conflicted(WHOLE[role], OTHER, 3) for role in Role),
    *(at.Failed(MET[role], "V11", "an asset is not there") for role in Role),
    *(at.Canceled(MET[role], role.other, "USER_REJECTED", "not today") for role in Role),
    *(at.Expired(MET[role], phase) for role, phase in ((TAKER, "reviewing"), (MAKER, "offered"))),
)


def _record(kind: Kind[Any], name: str, value: Any) -> Case:
    return Case(
        name=name,
        value=value,
        encode=partial(codec.encode, kind, version=1),
        decode=lambda data: codec.decode(kind, data, 1),
    )


ASSET = AssetMetadata(
    asset=RUNE,
    name="DOG•GO•TO•THE•MOON",
    symbol="🐕",
    decimals=5,
    supply=2**128 - 1,
    created_height=840_000,
    agreed_by=2,
)


def _trades() -> list[Case]:
    order = order_codec.encode_text(signed(funded()))
    request = next(body for body in BODIES if isinstance(body, TakeRequest))
    cases = []
    for number, state in enumerate(STATES):
        record = TradeRecord(
            state=state,
            order=order,
            relays=("/dns4/relay.example.org/tcp/443/wss",) if number % 2 else (),
            request=request if state.trade.role is MAKER else None,
            updated_at=CREATED + number,
            completed_at=CREATED + 9 if isinstance(state, at.Completed | at.Settled) else None,
            released=isinstance(state, at.Ended),
        )
        cases.append(_record(TRADE_RECORD, f"trade {number}, {state.trade.role}: {phase_of(state)}", record))
    for body in BODIES:
        said = TradeRecord(
            state=at.Verifying(replace(MET[TAKER], last_sent=body, sent=1), UNTIL), order=order, updated_at=CREATED
        )
        kind = messages.envelope(TRADE_ID, 1, body).type
        cases.append(_record(TRADE_RECORD, f"trade that said {kind}", said))
    return cases


def _orders() -> list[Case]:
    text = order_codec.encode_text(signed(funded()))
    open_one = OrderRecord(text=text, seq=0, updated_at=CREATED)
    busy = replace(
        open_one,
        earlier=(text, text),
        funded=True,
        fills=(Fill(TRADE_ID, 2**127), Fill("cd" * 16, 100_000, done=True)),
        seq=3,
    )
    canceled = replace(busy, status=OrderStatus.CANCELED, cancellation=CANCELLATION, funded=False)
    private = OrderRecord(
        text=order_codec.encode_text(signed(sold())), seq=0, updated_at=CREATED, reclaim=RAW, released=True
    )
    cases = [("plain", open_one), ("with fills", busy), ("canceled", canceled), ("private sale", private)]
    cases += [(f"status {status}", replace(open_one, status=status)) for status in OrderStatus]
    return [_record(ORDER_RECORD, f"order, {name}", record) for name, record in cases]


def _others() -> list[Case]:
    claims = ReservationTable({OUTPOINT[MAKER]: TRADE_ID, OUTPOINT[TAKER]: "01" * 32}, {OUTPOINT[TAKER]})
    sealed = SeedRecord(600_000, bytes(range(16)), bytes(range(12)), bytes(range(95)))
    return [
        _record(TAKE_BEGUN, "take begun", PendingTake(CREATED)),
        _record(SALE_BEGUN, "sale begun", PendingSale(CREATED)),
        _record(codec.ASSET_INFO, "asset", ASSET),
        Case(
            name="coins reserved and frozen",
            value=claims,
            encode=ReservationTable.encode,
            decode=ReservationTable.decode,
        ),
        Case(name="seed wallet", value=sealed, encode=SeedRecord.encode, decode=SeedRecord.decode),
        Case(
            name="chain transaction",
            value=Transaction.parse(RAW),
            encode=Transaction.serialize,
            decode=Transaction.parse,
        ),
        Case(
            name="outgoing message",
            value=durable_messages.OutgoingMessage("12D3KooWpeer", b"message", is_written=True),
            encode=durable_messages.encode_outgoing,
            decode=durable_messages.decode_outgoing,
        ),
        Case(
            name="sequence of the peer record",
            value=CREATED * 10**9,
            encode=lambda value: value.to_bytes(8, "big"),
            decode=lambda data: int.from_bytes(data, "big"),
        ),
    ]


def _probes() -> list[Case]:
    """Written and deleted again."""
    return [Case(name="diagnostics probe", value=diagnostics.PROBE, encode=bytes, decode=bytes)]


CASES = [*_trades(), *_orders(), *_others(), *_probes()]

WRITERS = {
    records: ("trade", "order", "take begun", "sale begun", "asset"),
    reservations: ("coins reserved and frozen",),
    coin_recovery: ("coins reserved and frozen",),
    seed: ("seed wallet",),
    wallet_manager: ("seed wallet",),
    transaction_cache: ("chain transaction",),
    identify: ("sequence of the peer record",),
    durable_messages: ("outgoing message",),
    diagnostics: ("diagnostics probe",),
}
"""Every module that writes to the store, and the cases of what it writes."""
