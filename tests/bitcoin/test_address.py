"""Addresses of BIP173 and BIP350 (bitcoin/bips) and their scripts, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.bitcoin.address import STYLES, address_of, script_of
from darkswap_browser.errors import InvalidArgument
from tests.bitcoin.cases import SCRIPTS, vectors


@pytest.mark.parametrize("case", vectors("bip350")["valid"], ids=lambda case: case["address"][:20])
def test_good_addresses_give_their_script_and_back(case: dict[str, str]) -> None:
    network = "mainnet" if case["address"].lower().startswith("bc1") else "signet"
    script = bytes.fromhex(case["script"])
    assert script_of(case["address"], network) == script
    assert address_of(script, network) == case["address"].lower()
    with pytest.raises(InvalidArgument, match="is not an address of regtest"):
        script_of(case["address"], "regtest")


@pytest.mark.parametrize("case", vectors("bip350")["invalid"], ids=lambda case: case["reason"])
def test_bad_addresses_are_refused_on_every_network(case: dict[str, str]) -> None:
    for network in STYLES:
        with pytest.raises(InvalidArgument):
            script_of(case["address"], network)


def test_base58_addresses_are_of_their_network() -> None:
    script = b"\x76\xa9\x14" + bytes.fromhex("62e907b15cbf27d5425399ebf6f0fb50ebb88f18") + b"\x88\xac"
    assert script_of("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "mainnet") == script
    assert address_of(script, "mainnet") == "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
    with pytest.raises(InvalidArgument, match="not an address of testnet4"):
        script_of("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "testnet4")


def test_every_script_that_we_sign_has_an_address_on_every_network() -> None:
    for network in STYLES:
        for script in SCRIPTS.values():
            assert script_of(address_of(script, network) or "", network) == script


def test_scripts_without_an_address_have_none() -> None:
    for script in (b"", b"\x6a\x01\x00", b"\x51", b"\x00\x15" + bytes(21), b"\x00\x02ab"):
        assert address_of(script, "mainnet") is None
    with pytest.raises(InvalidArgument):
        address_of(b"", "fractal")


@given(st.one_of(st.text(max_size=100), st.from_regex(r"(bc1|tb1|bcrt1|[123mn])[a-zA-Z0-9]{0,80}", fullmatch=True)))
def test_any_other_text_is_refused(text: str) -> None:
    for network in ("mainnet", "regtest"):
        with pytest.raises(InvalidArgument):
            script_of(text, network)
