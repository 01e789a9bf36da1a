"""Addresses ⇄ output scripts: Base58Check (P2PKH, P2SH), bech32 (BIP173) and bech32m (BIP350)."""

from __future__ import annotations

from dataclasses import dataclass

from embit import base58, bech32

from darkswap_browser.bitcoin.script import ScriptKind, kind_of, witness_program
from darkswap_browser.errors import InvalidArgument

MAX_ADDRESS = 90
"""Characters: bech32's limit; Base58 addresses are shorter."""
MAX_BASE58 = 35


@dataclass(frozen=True, slots=True)
class AddressStyle:
    """`prefix` is the human-readable part; `p2pkh` and `p2sh` are Base58 version bytes."""

    prefix: str
    p2pkh: int
    p2sh: int


TEST_STYLE = AddressStyle("tb", 0x6F, 0xC4)
STYLES = {
    "mainnet": AddressStyle("bc", 0x00, 0x05),
    "testnet": TEST_STYLE,
    "testnet4": TEST_STYLE,
    "signet": TEST_STYLE,
    "regtest": AddressStyle("bcrt", 0x6F, 0xC4),
}


def script_of(address: str, network: str) -> bytes:
    """The output script. Raises `InvalidArgument` for anything that is no address of `network`."""
    style = _style(network)
    if not address.isascii() or not 0 < len(address) <= MAX_ADDRESS:
        raise InvalidArgument("address", f"{address[:100]!r} is not a bitcoin address")
    if "1" in address and address[: address.rfind("1")].lower() in {each.prefix for each in STYLES.values()}:
        return _segwit_script(address, style, network)
    return _base58_script(address, style, network)


def address_of(script: bytes, network: str) -> str | None:
    """None for a script that has no address."""
    style = _style(network)
    kind = kind_of(script)
    if kind is ScriptKind.P2PKH:
        return str(base58.encode_check(bytes([style.p2pkh]) + script[3:23]))
    if kind is ScriptKind.P2SH:
        return str(base58.encode_check(bytes([style.p2sh]) + script[2:22]))
    program = witness_program(script)
    if program is None or (program[0] == 0 and len(program[1]) not in (20, 32)):
        return None
    return str(bech32.encode(style.prefix, program[0], program[1]))


def _style(network: str) -> AddressStyle:
    if network not in STYLES:
        raise InvalidArgument("network", f"{network[:50]!r} is none of {', '.join(STYLES)}")
    return STYLES[network]


def _segwit_script(address: str, style: AddressStyle, network: str) -> bytes:
    if not address.lower().startswith(style.prefix + "1"):
        raise InvalidArgument("address", f"{address} is not an address of {network}")
    version, program = bech32.decode(style.prefix, address)
    if version is None:
        raise InvalidArgument("address", f"{address} has a wrong character or checksum")
    return bytes([version + 0x50 if version else 0, len(program), *program])


def _base58_script(address: str, style: AddressStyle, network: str) -> bytes:
    try:
        data = base58.decode_check(address) if len(address) <= MAX_BASE58 else b""
    except ValueError:
        data = b""
    if len(data) != 21:
        raise InvalidArgument("address", f"{address} is not a bitcoin address")
    if data[0] == style.p2pkh:
        return b"\x76\xa9\x14" + bytes(data[1:]) + b"\x88\xac"
    if data[0] == style.p2sh:
        return b"\xa9\x14" + bytes(data[1:]) + b"\x87"
    raise InvalidArgument("address", f"{address} is not an address of {network}")
