"""Vectors: BIP84 and BIP86, "Test vectors" (both of the mnemonic of BIP39's all-zero entropy)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin import bip322, psbt_fields
from darkswap_browser.bitcoin.psbt import Psbt, create_psbt, signatures_of
from darkswap_browser.bitcoin.psbt_fields import PsbtMap
from darkswap_browser.bitcoin.transaction import OutPoint, TxOutput
from darkswap_browser.errors import InvalidArgument, MalformedMessage, VerificationFailed, WalletFailed
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.settlement.private_sale import check_witness
from darkswap_browser.settlement.terms import TradeInput
from darkswap_browser.testing.world import SimulatedWorld
from darkswap_browser.wallets.base import AccountPurpose
from darkswap_browser.wallets.seed import SeedWallet, SeedWalletStore
from darkswap_browser.wallets.seed_record import HEADER, MAX_ROUNDS, ROUNDS, SeedRecord, decrypt_seed, encrypt_seed
from tests.support.native_identity import CRYPTO
from tests.support.scripted_wallet import WORDS, Trade, opened

ROUNDS_HERE = 10


def vault(runtime: Runtime, rounds: int = ROUNDS_HERE) -> SeedWalletStore:
    return SeedWalletStore(runtime.store, runtime.crypto, runtime.entropy, runtime.locks, rounds=rounds)


def alice() -> Runtime:
    return SimulatedWorld(crypto=CRYPTO).runtime("alice")


def test_addresses_are_those_of_bip84_and_bip86() -> None:
    wallet = opened("mainnet")
    assert [(account.purpose, account.address) for account in wallet.accounts] == [
        (AccountPurpose.ASSETS, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"),
        (AccountPurpose.PAYMENT, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"),
    ]
    assert wallet.accounts[0].public_key[1:].hex() == "cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115"
    assert wallet.accounts[1].public_key.hex() == "0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c"


def test_test_networks_have_keys_of_their_own() -> None:
    first = opened("regtest").accounts
    assert [account.address[:5] for account in first] == ["bcrt1", "bcrt1"]
    assert {account.script for account in opened("signet").accounts} == {account.script for account in first}
    assert not {account.script for account in opened("mainnet").accounts} & {account.script for account in first}


def test_what_is_shown_of_a_wallet_is_no_secret() -> None:
    wallet = opened()
    assert repr(wallet) == f"<SeedWallet regtest {wallet.accounts[0].address}>"


async def test_a_wallet_is_made_kept_and_unlocked() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    first = await vault(world.runtime("alice")).create("regtest", "main", "")
    again = vault(world.reload("alice"))
    assert await again.names("regtest") == ["main"]
    assert await again.names("signet") == []
    second = await again.unlock("regtest", "main", "")
    assert second.accounts == first.accounts
    words = await again.words("regtest", "main", "")
    assert len(words.split()) == 12
    await again.forget("regtest", "main")
    await again.forget("regtest", "main")
    with pytest.raises(InvalidArgument):
        await again.unlock("regtest", "main", "")
    restored = await again.restore("regtest", "back", "", words)
    assert restored.accounts == first.accounts


async def test_each_wallet_has_words_of_its_own_and_none_of_them_lie_open() -> None:
    runtime = alice()
    keeper = vault(runtime)
    await keeper.create("regtest", "one", "secret")
    await keeper.create("regtest", "two", "secret")
    one, two = [await keeper.words("regtest", name, "secret") for name in ("one", "two")]
    assert one != two
    record = await runtime.store.get("wallet/regtest/one")
    assert record is not None
    assert not any(word.encode() in record for word in one.split() if len(word) > 4)


async def test_a_name_is_not_taken_twice_even_by_two_tabs_at_once() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    tabs = [vault(world.runtime("alice")), vault(world.tab("alice 2", site="alice"))]
    made = await asyncio.gather(*(tab.create("regtest", "main", "") for tab in tabs), return_exceptions=True)
    assert [type(each) for each in made if isinstance(each, Exception)] == [InvalidArgument]
    wallet = next(each for each in made if isinstance(each, SeedWallet))
    assert (await tabs[1].unlock("regtest", "main", "")).accounts == wallet.accounts


async def test_a_wrong_passphrase_and_any_change_of_the_record_are_told() -> None:
    runtime = alice()
    keeper, place = vault(runtime), "wallet/regtest/main"
    await keeper.create("regtest", "main", "right")
    record = await runtime.store.get(place)
    assert record is not None
    for passphrase in ("", "wrong", "right "):
        with pytest.raises(WalletFailed):
            await keeper.unlock("regtest", "main", passphrase)
    for at in range(len(record)):
        changed = bytearray(record)
        changed[at] ^= 1
        if 1 <= at < 4:
            continue  # the upper bytes of the rounds: refused below, or too slow for here
        await runtime.store.put(place, bytes(changed))
        with pytest.raises((WalletFailed, MalformedMessage)):
            await keeper.unlock("regtest", "main", "right")
    await runtime.store.put("wallet/regtest/other", record)
    with pytest.raises(WalletFailed):
        await keeper.unlock("regtest", "other", "right")


async def test_a_passphrase_is_the_same_however_it_was_typed() -> None:
    keeper = vault(alice())
    await keeper.create("regtest", "main", "Caf\u00e9 \u212b")
    assert await keeper.unlock("regtest", "main", "Cafe\u0301 A\u030a")


async def test_mainnet_wants_a_passphrase() -> None:
    keeper = vault(alice())
    with pytest.raises(InvalidArgument):
        await keeper.create("mainnet", "main", "1234567")
    assert (await keeper.create("mainnet", "main", "12345678")).network == "mainnet"


@pytest.mark.parametrize("name", ["", "Main", "a/b", "a" * 33, "-a", "ä", "a\n"])
async def test_names_that_are_none(name: str) -> None:
    with pytest.raises(InvalidArgument):
        await vault(alice()).create("regtest", name, "")


async def test_arguments_that_are_none() -> None:
    keeper = vault(alice())
    with pytest.raises(InvalidArgument):
        await keeper.create("moon", "main", "")
    with pytest.raises(InvalidArgument):
        await keeper.restore("regtest", "main", "", WORDS.replace("about", "abandon"))
    with pytest.raises(InvalidArgument):
        await keeper.create("regtest", "main", "x" * 1001)
    assert await keeper.names("regtest") == []


async def test_the_rounds_are_those_that_are_recommended() -> None:
    record = await encrypt_seed(CRYPTO, alice().entropy, "wallet/regtest/main", WORDS, "", ROUNDS)
    assert SeedRecord.decode(record).rounds == 600_000
    assert await decrypt_seed(CRYPTO, "wallet/regtest/main", record, "") == WORDS


async def test_a_record_of_version_1_is_read() -> None:
    """Made by this program once; those that users have look the same."""
    record = bytes.fromhex(RECORD_1)
    assert await decrypt_seed(CRYPTO, "wallet/regtest/main", record, "passphrase") == WORDS


RECORD_1 = (
    "010000000af5b165224a58b791df6af1d8303e61cdc4bb86c3d1c427103c344c41e5cc5db26655deee24199f536946875005"
    "4250a28852ee3e7c27c0ff775817a6c57631889b450a8a340ed152968f9d0e6a14299dfc614fc237bca893b76e662773b193"
    "b13ee9114be1d23a5c43fa745a3bff3ec1187acdb6bf8f546ffee39c9ab7629c87647451066da96b28f4"
)


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_whatever_the_store_holds_is_a_record_or_malformed(data: bytes) -> None:
    for candidate in (data, b"\x01" + data, b"\x01\x00\x00\x00\x07" + data):
        try:
            record = SeedRecord.decode(candidate)
        except MalformedMessage:
            continue
        assert record.encode() == candidate


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(HEADER + 17),
        b"\x02\x00\x00\x00\x07" + bytes(60),
        b"\x01\x00\x00\x00\x00" + bytes(60),
        b"\x01" + (MAX_ROUNDS + 1).to_bytes(4, "big") + bytes(60),
        b"\x01\x00\x00\x00\x07" + bytes(28 + 16),
        b"\x01\x00\x00\x00\x07" + bytes(2000),
    ],
    ids=range(7),
)
def test_malformed_records(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        SeedRecord.decode(data)


async def test_it_signs_both_kinds_of_inputs_and_no_other() -> None:
    wallet, trade = opened(), Trade.of(opened())
    signed = Psbt.parse(await wallet.sign_psbt(trade.psbt.serialize(), trade.inputs))
    assert set(signatures_of(signed, trade.psbt, trade.inputs)) == {0, 1}
    assert signed.inputs[2] == trade.psbt.inputs[2]
    only = Psbt.parse(await wallet.sign_psbt(trade.psbt.serialize(), {1: wallet.accounts[1]}))
    assert only.inputs[0] == trade.psbt.inputs[0]


async def test_it_signs_nothing_that_is_not_its_own_or_asked_for_in_another_way() -> None:
    wallet, trade = opened(), Trade.of(opened())
    assets, payment = wallet.accounts
    for inputs in ({2: payment}, {2: assets}, {0: payment}, {9: assets}, {-1: payment}):
        with pytest.raises(WalletFailed):
            await wallet.sign_psbt(trade.psbt.serialize(), inputs)
    for index, sighash in ((0, 0x83), (0, 1), (1, 0x83), (1, 2)):
        changed = trade.with_field(index, psbt_fields.SIGHASH_TYPE.key(), sighash.to_bytes(4, "little"))
        with pytest.raises(WalletFailed):
            await wallet.sign_psbt(changed.serialize(), trade.inputs)
    with pytest.raises(WalletFailed):
        await wallet.sign_psbt(trade.without_fields(2).serialize(), {0: assets})
    bare = trade.with_inputs({1: PsbtMap(((b"\x01", trade.prevouts[1].serialize()),))})
    with pytest.raises(WalletFailed):
        await wallet.sign_psbt(bare.serialize(), {1: payment})
    with pytest.raises(WalletFailed):
        await wallet.sign_psbt(b"psbt", {0: assets})


async def test_it_sells_a_coin_by_a_method_of_its_own_and_by_no_field_of_a_psbt() -> None:
    wallet = opened()
    payment = TxOutput(30_546, wallet.accounts[1].script)
    for account in wallet.accounts:
        lot = TradeInput(OutPoint("11" * 32, 0), 546, account.script, 100)
        witness = await wallet.sign_sale(lot, payment, account, b"")
        check_witness(lot, payment, witness)
        assert witness[0][-1] == 0x83
        with pytest.raises(VerificationFailed):
            check_witness(lot, replace(payment, sats=30_545), witness)
    with pytest.raises(WalletFailed, match="a coin that is not of"):
        await wallet.sign_sale(lot, payment, wallet.accounts[0], b"")
    trade = Trade.of(wallet)
    for index, account in trade.inputs.items():
        asked = trade.with_field(index, psbt_fields.SIGHASH_TYPE.key(), (0x83).to_bytes(4, "little"))
        with pytest.raises(WalletFailed, match="sighash type 131"):
            await wallet.sign_psbt(asked.serialize(), {index: account})
    await wallet.disconnect()
    with pytest.raises(WalletFailed, match="is closed"):
        await wallet.sign_sale(lot, payment, wallet.accounts[1], b"")


async def test_messages_are_signed_as_bip322_says() -> None:
    wallet = opened()
    for account in wallet.accounts:
        witness = await wallet.sign_message(account, "an order")
        assert bip322.verify_simple(account.script, "an order", witness)
        assert not bip322.verify_simple(account.script, "another order", witness)


async def test_a_closed_wallet_signs_nothing() -> None:
    wallet, trade = opened(), Trade.of(opened())
    unsubscribe = wallet.subscribe(lambda word: None)
    await wallet.disconnect()
    unsubscribe()
    with pytest.raises(WalletFailed):
        await wallet.sign_psbt(trade.psbt.serialize(), trade.inputs)
    with pytest.raises(WalletFailed):
        await wallet.sign_message(wallet.accounts[0], "text")


def test_the_psbt_of_a_trade_is_made_as_wallets_get_it() -> None:
    trade = Trade.of(opened())
    assert create_psbt(trade.tx, trade.prevouts, trade.previous, trade.keys) == trade.psbt
