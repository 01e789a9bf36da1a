"""Alkanes gateways of both generations; protocol buffers are written by hand here."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.alkanes import AlkanesClient, view_balances, view_request
from darkswap_browser.chain.base import UNKNOWN, OutputAssets
from darkswap_browser.chain.requests import Server
from darkswap_browser.errors import ChainError, ChainInconsistent, MalformedMessage
from darkswap_browser.market.assets import Asset, AssetMetadata
from darkswap_browser.runtime.base.http import HttpResponse
from darkswap_browser.wire.varint import encode_varint
from tests.support.chain_servers import ChainServer, Hosts

TXID = bytes(range(32))
OUT = OutPoint(TXID.hex(), 3)
DIESEL = Asset.alkane(2, 0)
U128 = st.integers(0, 2**128 - 1)


def number(field: int, value: int) -> bytes:
    out = bytearray([field << 3])
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def part(field: int, data: bytes) -> bytes:
    return bytes([field << 3 | 2]) + encode_varint(len(data)) + data


def u128(field: int, value: int) -> bytes:
    return part(field, number(1, value & (2**64 - 1)) + number(2, value >> 64))


def entry(block: int, tx: int, amount: int) -> bytes:
    rune = part(1, u128(1, block) + u128(2, tx)) + part(2, b"DIESEL") + number(3, 8) + part(5, b"D")
    return part(1, part(1, rune) + u128(2, amount))


def answer(*entries: bytes, txid: bytes = TXID[::-1], vout: int = 3) -> bytes:
    about = part(2, part(1, txid) + number(2, vout))
    return part(1, b"".join(entries)) + about + part(3, part(1, b"\x51") + number(2, 546)) + number(4, 880_000)


def reached(far: ChainServer) -> AlkanesClient:
    hosts = Hosts()
    return AlkanesClient(Server(hosts.serve("alkanes", far), fetch=hosts.page.fetch, entropy=hosts.page.entropy))


def test_the_request_is_the_txid_reversed_the_output_and_protocol_one() -> None:
    assert view_request(OUT) == part(1, TXID[::-1]) + number(2, 3) + part(3, number(1, 1) + number(2, 0))


@given(st.dictionaries(st.tuples(st.integers(1, 2**128 - 1), U128), U128, max_size=5))
@settings(max_examples=30)
def test_balances_keep_all_128_bits(atoms: dict[tuple[int, int], int]) -> None:
    data = answer(*(entry(*key, amount) for key, amount in atoms.items()))
    assert view_balances(data, OUT) == {Asset.alkane(*key): amount for key, amount in atoms.items() if amount}


def test_view_balances_output_without_alkanes_is_empty() -> None:
    assert view_balances(answer(), OUT) == {}


@pytest.mark.parametrize("data", [b"", part(1, b""), part(2, b""), part(2, number(2, 3))], ids=["", "1", "2", "vout"])
def test_view_balances_output_that_the_index_does_not_know_is_unknown(data: bytes) -> None:
    assert view_balances(data, OUT) is None


@pytest.mark.parametrize(
    "data",
    [
        answer(entry(2, 0, 5), entry(2, 0, 5)),
        answer(entry(0, 5, 5)),
        answer(part(1, u128(2, 5))),
        answer(txid=bytes(32)),
        answer(entry(2, 0, 5), txid=b""),
        answer(vout=4),
        answer(entry(2, 0, 5))[:-30],
        part(1, part(1, part(1, part(1, part(1, number(1, 2**64)))))),
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x08\x01",
        bytes(300_000),
    ],
    ids=lambda data: data[:9].hex(),
)
def test_a_sheet_that_cannot_be_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        view_balances(data, OUT)


async def test_balances_come_from_the_view() -> None:
    asked: list[Any] = []

    def view(params: Any) -> str:
        asked.append(params)
        return "0x" + answer(entry(2, 0, 2**127)).hex()

    far = ChainServer(**{"rpc metashrew_view": view})
    assert await reached(far).holdings([OUT]) == {OUT: OutputAssets(alkanes={DIESEL: 2**127})}
    assert asked == [["protorunesbyoutpoint", "0x" + view_request(OUT).hex(), "latest"]]


@pytest.mark.parametrize("result", ["0xzz", 5, "0x08", [], "0x" + answer(vout=9).hex()])
async def test_a_view_that_makes_no_sense_is_refused(result: Any) -> None:
    with pytest.raises(ChainInconsistent):
        await reached(ChainServer(**{"rpc metashrew_view": lambda _: result})).holdings([OUT])


@pytest.mark.parametrize("result", ["0x", ""])
async def test_holdings_empty_view_is_unknown(result: str) -> None:
    far = ChainServer(**{"rpc metashrew_view": lambda _: result})
    assert await reached(far).holdings([OUT]) == {OUT: UNKNOWN}


async def test_holdings_new_json_that_names_no_output_is_unknown() -> None:
    sheet = {"balance_sheet": {"cached": {"balances": []}}, "output": {"value": 0}}
    for about in ({}, {"outpoint": None}, {"outpoint": {"txid": "", "vout": 0}}):
        far = ChainServer(**{"rpc alkanes_protorunesbyoutpoint": lambda _, about=about: {**sheet, **about}})
        assert await reached(far).holdings([OUT]) == {OUT: UNKNOWN}


async def test_null_is_unknown() -> None:
    assert await reached(ChainServer(**{"rpc metashrew_view": lambda _: None})).holdings([OUT]) == {OUT: UNKNOWN}
    far = ChainServer(**{"rpc alkanes_protorunesbyoutpoint": lambda _: None})
    assert await reached(far).holdings([OUT]) == {OUT: UNKNOWN}


async def test_an_error_of_the_view_is_not_taken_for_a_missing_view() -> None:
    far = ChainServer(
        **{"rpc metashrew_view": HttpResponse(200, {}, b'{"error": {"code": -32000, "message": "busy"}}')}
    )
    with pytest.raises(ChainError, match="metashrew_view: busy"):
        await reached(far).holdings([OUT])


def new_generation(*balances: dict[str, Any]) -> ChainServer:
    """Takes txids in display order; amounts are cut to 64 bits."""

    def by_outpoint(params: Any) -> Any:
        known = params[0]["txid"] == OUT.txid
        sheet = {"cached": {"balances": list(balances) if known else []}}
        return {"balance_sheet": sheet, "outpoint": {"txid": OUT.txid, "vout": 3}, "output": {"value": 546}}

    return ChainServer(**{"rpc alkanes_protorunesbyoutpoint": by_outpoint})


def old_generation(*held: dict[str, Any]) -> ChainServer:
    """Takes txids in internal order."""

    def by_outpoint(params: Any) -> Any:
        return list(held) if params[0]["txid"] == TXID[::-1].hex() else []

    return ChainServer(**{"rpc alkanes_protorunesbyoutpoint": by_outpoint})


async def test_of_the_new_json_only_nothing_is_believed() -> None:
    far = new_generation({"block": 2, "tx": 0, "amount": 5})
    assert await reached(far).holdings([OUT]) == {OUT: UNKNOWN}
    assert await reached(new_generation()).holdings([OUT]) == {OUT: OutputAssets(alkanes={})}


async def test_the_old_json_is_asked_in_its_own_byte_order() -> None:
    token = {"id": {"block": "0x2", "tx": "0x0"}, "name": "DIESEL", "symbol": "D"}
    source = reached(old_generation({"token": token, "value": hex(2**100)}))
    for _ in range(2):
        assert await source.holdings([OUT]) == {OUT: OutputAssets(alkanes={DIESEL: 2**100})}
    assert await reached(old_generation()).holdings([OUT]) == {OUT: UNKNOWN}
    for wrong in ({"token": token}, {"token": {"id": {"block": "0x0", "tx": "0x1"}}, "value": "0x1"}, 5):
        with pytest.raises(ChainInconsistent):
            await reached(old_generation(wrong)).holdings([OUT])  # type: ignore[arg-type]


async def test_the_height_may_be_text_or_number() -> None:
    written: tuple[Any, ...] = (880_000, "880000")
    for height in written:
        assert await reached(ChainServer(**{"rpc metashrew_height": height})).height() == 880_000
    for height in ("x", -1, None, 2**40, {}):
        with pytest.raises(ChainError):
            await reached(ChainServer(**{"rpc metashrew_height": lambda _, height=height: height})).height()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"error": 5}', b'{"error": {"message": 5}}', b'{"jsonrpc": "2.0"', b"<html>"]
)
async def test_what_is_no_json_rpc_is_an_error_of_the_chain(body: bytes) -> None:
    far = ChainServer(**{"rpc metashrew_height": HttpResponse(200, {}, body)})
    with pytest.raises(ChainError):
        await reached(far).height()
    far.routes["rpc metashrew_height"] = HttpResponse(403, {}, b"key")
    with pytest.raises(ChainError, match="403"):
        await reached(far).height()


def contract(**answers: str) -> ChainServer:
    def simulate(params: Any) -> Any:
        call = params[0]
        data = answers.get("op" + call["inputs"][0]) if call["target"] == {"block": "2", "tx": "0"} else None
        return {"status": 0 if data else 1, "gasUsed": 1, "execution": {
            "alkanes": [], "storage": [], "error": None if data else "revert", "data": data or "0x"}}  # fmt: skip

    return ChainServer(**{"rpc alkanes_simulate": simulate})


async def test_a_contract_tells_its_name_symbol_and_supply() -> None:
    far = contract(
        op99="0x" + b"DIESEL".hex(), op100="0x" + b"D".hex(), op101="0x" + (2**90).to_bytes(16, "little").hex()
    )
    info = AssetMetadata(asset=DIESEL, name="DIESEL", symbol="D", decimals=8, supply=2**90)
    assert await reached(far).info(DIESEL) == info
    assert await reached(far).find("2:0") == info
    assert await reached(far).info(Asset.alkane(2, 1)) is None
    assert await reached(far).info(Asset.rune(2, 0)) is None
    assert await reached(far).find("DIESEL") is None
    assert await reached(ChainServer()).info(DIESEL) is None


async def test_info_contract_without_a_name_is_called_by_its_id() -> None:
    """METHANE, ALKANE:2:3, gives an empty one (Oyl-Wallet/oyl-sdk#421)."""
    info = await reached(contract(op99="0x", op100="0x")).info(DIESEL)
    assert info == AssetMetadata(asset=DIESEL, name="ALKANE:2:0", symbol="", decimals=8)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("EVIL\n\u202eTCB", "EVIL TCB"),
        ("DIE\u200bSEL\u00ad", "DIESEL"),
        ("\uff24\uff29\uff25", "DIE"),
        ("DIESEL ALKANE:2:0\u202e", "ALKANE:2:0"),
        ("840000:3", "ALKANE:2:0"),
        ("Bitcoin", "ALKANE:2:0"),
        ("\uff22.T.C", "ALKANE:2:0"),
        ("\u20bf", "ALKANE:2:0"),
        ("\u200b", "ALKANE:2:0"),
    ],
    ids=ascii,
)
async def test_info_name_that_misleads_is_cleaned_or_replaced_by_the_id(given: str, shown: str) -> None:
    info = await reached(contract(op99="0x" + given.encode().hex())).info(DIESEL)
    assert info is not None and info.name == shown
