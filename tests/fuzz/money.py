"""What money is made of, decoder by decoder: bitcoin, runes, alkanes, chain servers, orders, trades and wallets."""

from __future__ import annotations

from contextlib import suppress

import darkswap_browser.settlement.messages as trade_messages
from darkswap_browser.bitcoin.address import address_of, script_of
from darkswap_browser.bitcoin.alkanes.flow import Allocated, allocate_alkanes
from darkswap_browser.bitcoin.alkanes.protostone import decode_protostones, encode_protostones
from darkswap_browser.bitcoin.psbt import Psbt
from darkswap_browser.bitcoin.runes.allocation import allocate
from darkswap_browser.bitcoin.runes.ids import RuneId
from darkswap_browser.bitcoin.runes.names import name_of, number_of, parse_spaced, with_spacers
from darkswap_browser.bitcoin.runes.runestone import Cenotaph, Runestone, decipher
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, parse_witness, serialize_witness
from darkswap_browser.chain.alkanes import view_balances
from darkswap_browser.chain.json_text import JsonValue, parse
from darkswap_browser.errors import ChainError, InvalidArgument, InvalidOrder
from darkswap_browser.market.amounts import format_amount, parse_amount
from darkswap_browser.market.assets import Asset
from darkswap_browser.market.order_codec import (
    decode_order,
    decode_text,
    encode_order,
    encode_text,
)
from darkswap_browser.market.orders import cancel_order
from darkswap_browser.regtest.indexes import runestones
from darkswap_browser.settlement import states
from darkswap_browser.settlement.step import effects_on_resume
from darkswap_browser.settlement.terms import Role
from darkswap_browser.storage import codec
from darkswap_browser.wallets.reservations import ReservationTable
from darkswap_browser.wallets.seed_record import SeedRecord
from tests.bitcoin.alkanes.cases import PAID, D, carrying, stone
from tests.bitcoin.runes.cases import PAYS, transaction
from tests.bitcoin.runes.cases import script_of as runestone_of
from tests.bitcoin.runes.test_deciphering import CALL, POINTED, SWAP
from tests.fuzz.target import Target, as_text, same_again
from tests.market.cases import CREATED, funded, order, signed, sold
from tests.soak.world import COINS, RAW, REQUEST, SIGNED, trade_of


def chain_json(data: bytes) -> None:
    """Every value by every accessor: each gives it or refuses it."""
    waiting = [parse(data, "server")]
    while waiting:
        node = waiting.pop()
        waiting += node.items() if node.is_list else [inner for _, inner in node.entries()] if node.is_object else []
        for read in (JsonValue.boolean, JsonValue.integer, JsonValue.number, JsonValue.text, JsonValue.hash):
            with suppress(ChainError):
                read(node)
        with suppress(ChainError):
            assert 0 <= node.fraction(1000) <= 1000
        with suppress(ChainError):
            assert len(node.data(100)) <= 100


def trade_message(data: bytes) -> None:
    """A body that was read, written and read again is the same."""
    message = trade_messages.decode(data)
    assert trade_messages.decode(trade_messages.encode(message)) == message
    body = trade_messages.body_of(message)
    if body is not None:
        again = trade_messages.envelope(message.trade_id, message.seq, body)
        assert trade_messages.body_of(again) == body


def trade_state(data: bytes) -> None:
    """Whatever was read can be written again, and tells what it wants done."""
    state = codec.decode(codec.STATE, data, states.VERSION)
    assert codec.decode(codec.STATE, codec.encode(codec.STATE, state, states.VERSION), states.VERSION) == state
    effects_on_resume(state)


def bitcoin_address(text: str) -> None:
    """An address of a script is an address of it again."""
    script = script_of(text, "mainnet")
    assert script_of(address_of(script, "mainnet") or "", "mainnet") == script


def runestone(data: bytes) -> None:
    """Both decoders read the same, and never fail; written and read again it is the same; nothing comes or goes."""
    tx = transaction(data, PAYS, b"\x6a")
    found, other = decipher(tx), runestones.decipher(tx)
    assert (found is None) == (other is None)
    if other is not None:
        assert other.flaw == (found.flaw if isinstance(found, Cenotaph) else None)
    if isinstance(found, Runestone) and other is not None:
        assert (found.pointer, found.protocol, len(found.edicts)) == (other.pointer, other.protocol, len(other.edicts))
        again = decipher(transaction(found.encipher(), PAYS, b"\x6a"))
        assert isinstance(again, Runestone) and again.encipher() == found.encipher()
    inputs = {RuneId(1, 1): 7, RuneId(840000, 1): 150_000}
    outputs, burned = allocate(tx, found, inputs)
    for rune, atoms in inputs.items():
        assert sum(each.get(rune, 0) for each in (*outputs, burned)) == atoms


def protostones(data: bytes) -> None:
    """Values of 16 bytes. What was read, written and read again is the same, and moves alkanes without making any."""
    values = tuple(int.from_bytes(data[at : at + 16], "little") for at in range(0, len(data), 16))
    stones = decode_protostones(values)
    if stones:
        again = encode_protostones(stones)
        assert encode_protostones(decode_protostones(again) or ()) == again
    moved = allocate_alkanes(transaction(*PAID, b"\x6a\x5d"), Runestone(protocol=values), {D: 10})
    if isinstance(moved, Allocated):
        assert sum(each.get(D, 0) for each in (*moved.outputs, moved.lost)) == 10


def rune_name(text: str) -> None:
    name, spacers = parse_spaced(text)
    assert name_of(number_of(name)) == name
    assert with_spacers(name, spacers) == text.replace(".", "•")


def asset(text: str) -> None:
    found = Asset.parse(text)
    assert Asset.parse(str(found)) == found


def amount(text: str) -> None:
    assert parse_amount(format_amount(parse_amount(text, 8), 8), 8) == parse_amount(text, 8)


def order_text(text: str) -> None:
    found = decode_text(text)
    assert decode_text(encode_text(found)) == found


TRANSACTION = bytes.fromhex(
    "01000000000101" + "db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a5477" + "0100000000feffffff"
    "01b8b4eb0b000000001976a914a457b684d7f0d539a46a45bbc043f35b59d0d96388ac" + "0202aabb01cc" + "92040000"
)
UNSIGNED = TRANSACTION[:4] + TRANSACTION[6:-10] + TRANSACTION[-4:]
PSBTS = (
    b"psbt\xff\x01\x00" + bytes((len(UNSIGNED),)) + UNSIGNED + b"\x00"
    b"\x01\x13\x40" + bytes(64) + b"\x01\x17\x20" + bytes(32) + b"\x01\x03\x04\x01\0\0\0\x01\x08\x02\x01\x00\x00\x00",
    b"psbt\xff\x01\x00" + bytes((len(UNSIGNED),)) + UNSIGNED + b"\x01\xfb\x04\x00\0\0\0\x00\x02\xfc\x01\x01v\x00\x00",
)

TRADE_BODIES: tuple[trade_messages.Body, ...] = (
    REQUEST,
    trade_messages.TakeAccept(COINS[Role.MAKER], "11" * 32),
    trade_messages.TakerSignatures(SIGNED),
    trade_messages.FinalTransaction(RAW),
    trade_messages.Cancel("TIMEOUT", "Offered"),
)
TRADE_MESSAGES = tuple(
    trade_messages.encode(trade_messages.envelope("ab" * 16, seq, body)) for seq, body in enumerate(TRADE_BODIES, 1)
)
TRADE_STATES = tuple(
    codec.encode(codec.STATE, state, states.VERSION)
    for state in (states.Validating(trade_of(Role.MAKER), 1), states.Expired(trade_of(Role.TAKER), "x"))
)
CANCELED = cancel_order(funded(), CREATED + 3)
ORDERS = tuple(encode_order(signed(each)) for each in (order(), funded(), sold(), CANCELED))
TEXTS = tuple(encode_text(signed(each)).encode() for each in (order(), funded(), sold()))
RUNESTONES = (
    SWAP,
    POINTED,
    CALL,
    runestone_of(2, 7, 4, 9, 1, 38, 3, 5, 5, 97, 6, 8, 10, 3, 8, 4, 12, 1, 14, 2, 16, 3, 18, 4, 20, 1, 20, 2, 22, 1),
    b"\x6a\x5d\x4c\x02\x16\x00\x4d\x02\x00\x7f\x01",
)


def _values(tx: Transaction) -> bytes:
    found = decipher(tx)
    assert isinstance(found, Runestone)
    return b"".join(value.to_bytes(16, "little") for value in found.protocol)


MONEY: dict[str, Target] = {
    "seed_record": Target(
        same_again(SeedRecord.decode, SeedRecord.encode), (b"\x01\x00\x09\x27\xc0" + bytes(28) + bytes(16 + 95),)
    ),
    "reservations": Target(
        same_again(ReservationTable.decode, ReservationTable.encode),
        (b'{"version": 1, "held": {"' + b"ab" * 32 + b':0": "trade"}, "frozen": ["' + b"cd" * 32 + b':1"]}',),
    ),
    "chain_json": Target(
        chain_json,
        (
            b'{"a": [1, -2, 1.5e3, "0xff", "340282366920938463463374607431768211455", null, true]}',
            b'[{"txid": "' + b"ab" * 32 + b'", "vout": 0, "status": {"confirmed": false}}]',
        ),
        ChainError,
    ),
    "transaction": Target(same_again(Transaction.parse, Transaction.serialize), (TRANSACTION,)),
    "witness": Target(same_again(parse_witness, serialize_witness), (b"\x02\x02ab\x01c", b"\x01\x40" + bytes(64))),
    "psbt": Target(same_again(Psbt.parse, Psbt.serialize), PSBTS),
    "bitcoin_address": Target(
        as_text(bitcoin_address),
        (
            b"bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
            b"BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        ),
        InvalidArgument,
    ),
    "alkanes_view": Target(
        lambda data: view_balances(data, OutPoint("11" * 32, 0)),
        (
            bytes.fromhex("0a140a120a0a0a080a02080212020800120408051001"),
            b"\x12\x22\x0a\x20" + b"\x11" * 32,
        ),
    ),
    "runestone": Target(runestone, RUNESTONES),
    "protostones": Target(
        protostones,
        (
            _values(carrying(stone((D, 4, 1), (D, 0, 4), pointer=0), stone(tag=7))),
            _values(transaction(CALL, PAYS)),
            _values(carrying((1, 2, 91, 2**32 + 1, 1, 6, 0, 2, 0, 5, 2**32))),
        ),
    ),
    "rune_name": Target(as_text(rune_name), ("UNCOMMON•GOODS".encode(), b"A.B", b"Z" * 27), InvalidArgument),
    "asset": Target(as_text(asset), (b"BTC", b"RUNE:840000:1", b"alkane:2:0"), InvalidArgument),
    "amount": Target(as_text(amount), (b"0.015", b"21000000", b"1.00000000"), InvalidArgument),
    "order": Target(same_again(decode_order, encode_order), ORDERS),
    "order_text": Target(as_text(order_text), (*TEXTS, b"http://darkswap:1234/#" + TEXTS[0] + b" !"), InvalidOrder),
    "trade_message": Target(trade_message, TRADE_MESSAGES),
    "trade_state": Target(trade_state, TRADE_STATES),
}
