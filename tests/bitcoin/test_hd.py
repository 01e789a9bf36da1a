"""Words (trezor/python-mnemonic, vectors.json), keys (BIP32), accounts (BIP84, BIP86; bitcoin/bips)."""

from __future__ import annotations

import hashlib

import pytest
from embit import base58
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.bitcoin import curve, hd, signing
from darkswap_browser.bitcoin.address import address_of
from darkswap_browser.bitcoin.script import ScriptKind
from darkswap_browser.errors import InvalidArgument
from tests.bitcoin.cases import vectors

ACCOUNTS = vectors("accounts")
WORDS = ACCOUNTS["mnemonic"]
SEED = hd.seed_of(WORDS)


@pytest.mark.parametrize("case", vectors("bip39"), ids=lambda case: case["entropy"][:8])
def test_entropy_becomes_its_words(case: dict[str, str]) -> None:
    assert hd.new_mnemonic(bytes.fromhex(case["entropy"])) == case["words"].strip()
    assert hd.check_mnemonic("  " + case["words"].upper().replace(" ", "\n ")) == case["words"].strip()


@pytest.mark.parametrize(("password", "salt"), [(b"", b""), (b"p" * 128, b"mnemonic"), (b"p" * 129, b"s" * 300)])
def test_stretching_is_pbkdf2(password: bytes, salt: bytes) -> None:
    assert hd.pbkdf2_hmac_sha512(password, salt) == hashlib.pbkdf2_hmac("sha512", password, salt, 2048)


def test_a_passphrase_is_normalised() -> None:
    assert hd.seed_of(WORDS, "caf\u00e9") == hd.seed_of(WORDS, "cafe\u0301") != SEED


@pytest.mark.parametrize("case", vectors("bip32"), ids=lambda case: case["seed"][:8])
def test_keys_are_derived_as_bip32_says(case: dict[str, dict[str, str]]) -> None:
    for path, text in case["keys"].items():
        key, chain = hd.extended(bytes.fromhex(str(case["seed"])), path)
        data = base58.decode_check(text)
        assert (chain, b"\0" + key) == (data[13:45], data[45:]), path


@pytest.mark.parametrize("case", ACCOUNTS["bip84"], ids=lambda case: case["path"])
def test_payment_accounts_are_bip84s(case: dict[str, str]) -> None:
    public = curve.public_key(hd.derive(SEED, case["path"]))
    assert public.hex() == case["public_key"]
    assert address_of(signing.script_for(ScriptKind.P2WPKH, public), "mainnet") == case["address"]


@pytest.mark.parametrize("case", ACCOUNTS["bip86"], ids=lambda case: case["path"])
def test_asset_accounts_are_bip86s(case: dict[str, str]) -> None:
    public = curve.public_key(hd.derive(SEED, case["path"]))
    script = signing.script_for(ScriptKind.P2TR, public)
    assert (public[1:].hex(), script[2:].hex()) == (case["internal_key"], case["output_key"])
    assert (script.hex(), address_of(script, "mainnet")) == (case["script"], case["address"])


@pytest.mark.parametrize(
    "words", ["", "abandon", WORDS.replace("about", "abandon"), WORDS.replace("about", "bitcoin"), "a " * 600]
)
def test_wrong_words_are_refused_without_repeating_them(words: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        hd.check_mnemonic(words)
    assert "abandon" not in str(caught.value) and "bitcoin" not in str(caught.value)


@pytest.mark.parametrize("passphrase", ["\ud800", "x" * 1001])
def test_passphrases_that_are_no_text_or_too_long_are_refused(passphrase: str) -> None:
    with pytest.raises(InvalidArgument):
        hd.seed_of(WORDS, passphrase)


@given(st.text(max_size=300))
def test_any_other_text_is_no_mnemonic(text: str) -> None:
    with pytest.raises(InvalidArgument):
        hd.check_mnemonic(text)


@pytest.mark.parametrize("path", ["", "m/", "m//0", "n/0", "m/-1", "m/2147483648", "m/0''", "m/0x1", "m" + "/0" * 256])
def test_wrong_paths_are_refused(path: str) -> None:
    with pytest.raises(InvalidArgument):
        hd.derive(SEED, path)
    with pytest.raises(InvalidArgument):
        hd.new_mnemonic(b"x" * 15)
