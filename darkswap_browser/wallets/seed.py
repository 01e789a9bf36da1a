"""A wallet of this page's own: twelve words, kept encrypted in the browser's storage. FOR TEST NETWORKS AND SMALL SUMS.

While it is open its keys lie in the page's memory, where any script of the page could read them, and they sign in plain
Python, whose time depends on the key. Keep more than you would carry in a pocket in a wallet extension.

One address per purpose, the first of its account: m/86'/c'/0'/0/0 (P2TR) for assets, m/84'/c'/0'/0/0 (P2WPKH) for
sats; c is 0 on mainnet, else 1 (BIP86, BIP84). Any wallet that takes the words finds the coins there.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from darkswap_browser.bitcoin import bip322, hd, psbt_fields
from darkswap_browser.bitcoin.address import STYLES, address_of
from darkswap_browser.bitcoin.curve import public_key
from darkswap_browser.bitcoin.psbt import Psbt, with_witness
from darkswap_browser.bitcoin.script import ScriptKind, kind_of
from darkswap_browser.bitcoin.sighash import Sighash
from darkswap_browser.bitcoin.signing import script_for, sign_input, sign_single_anyonecanpay, witness_of
from darkswap_browser.bitcoin.transaction import TxOutput
from darkswap_browser.errors import InvalidArgument, MalformedMessage, WalletFailed
from darkswap_browser.runtime.base.crypto import Crypto, Entropy
from darkswap_browser.runtime.base.host import Locks
from darkswap_browser.runtime.base.storage import KeyValueStore
from darkswap_browser.settlement.private_sale import maker_template
from darkswap_browser.settlement.terms import TradeInput
from darkswap_browser.wallets.base import Account, AccountPurpose
from darkswap_browser.wallets.seed_record import ROUNDS, SeedRecord, decrypt_seed, encrypt_seed

KIND = "seed"
SIGN_SECONDS = 60.0
ENTROPY = 16
"""Bytes of chance in twelve words."""
MIN_PASSPHRASE = 8
"""Characters, on mainnet. Elsewhere even an empty one is taken: a first visit gets a wallet without a question."""
MAX_WALLETS = 100
"""Per network; the store holds other things too."""
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
SCRIPTS = {AccountPurpose.ASSETS: (86, ScriptKind.P2TR), AccountPurpose.PAYMENT: (84, ScriptKind.P2WPKH)}
"""Purpose → BIP44 purpose number, kind of script."""

SetAside = Callable[[str, bytes, str], Awaitable[None]]
"""(key, what lies there, why it cannot be read): keeps that elsewhere."""


class _SeedDamaged(WalletFailed):
    """The record of a wallet cannot be read, whatever the passphrase."""

    retryable = False
    hint = (
        "Its words put it back: connect_wallet with mnemonic. Without them its coins are lost, unless the bytes mend."
    )


class SeedWallet:
    """Open until `disconnect`. Signs nothing but the inputs asked for."""

    kind = KIND
    sign_seconds = SIGN_SECONDS

    def __init__(self, network: str, words: str, entropy: Entropy) -> None:
        self.network = network
        self._entropy = entropy
        self._private: dict[bytes, bytes] = {}
        """Script → private key."""
        seed = hd.seed_of(words)
        self.accounts = tuple(self._open(seed, purpose) for purpose in SCRIPTS)

    async def sign_psbt(self, psbt: bytes, inputs: Mapping[int, Account]) -> bytes:
        try:
            signed = Psbt.parse(psbt)
            prevouts = [signed.spent(index) for index in range(len(signed.inputs))]
            known = [prevout for prevout in prevouts if prevout is not None]
            if len(known) != len(prevouts):
                raise WalletFailed(KIND, "was not told what every input spends")
            for index in sorted(inputs):
                witness = self._sign(signed, index, known, inputs[index])
                signed = with_witness(signed, index, witness)
        except (InvalidArgument, MalformedMessage) as error:
            raise WalletFailed(KIND, str(error)) from error
        return signed.serialize()

    async def sign_sale(
        self, lot: TradeInput, payment: TxOutput, account: Account, previous: bytes
    ) -> tuple[bytes, ...]:
        if lot.script != account.script:
            raise WalletFailed(KIND, f"was asked to sell a coin that is not of {account.address}")
        prevouts = (TxOutput(lot.sats, lot.script),)
        private, chance = self._key(account.script), self._entropy.bytes(32)
        try:
            signature = sign_single_anyonecanpay(maker_template(lot, payment), 0, prevouts, private, chance)
        except InvalidArgument as error:
            raise WalletFailed(KIND, str(error)) from error
        return witness_of(account.script, account.public_key, signature)

    async def sign_message(self, account: Account, message: str) -> bytes:
        return bip322.sign_simple(account.script, self._key(account.script), message, self._entropy.bytes(32))

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Nothing changes here."""
        return lambda: None

    async def disconnect(self) -> None:
        """Forgets the keys, as far as Python can; the record in the store stays."""
        self._private.clear()

    def _open(self, seed: bytes, purpose: AccountPurpose) -> Account:
        number, kind = SCRIPTS[purpose]
        coin = 0 if self.network == "mainnet" else 1
        private = hd.derive(seed, f"m/{number}'/{coin}'/0'/0/0")
        public = public_key(private)
        script = script_for(kind, public)
        address = address_of(script, self.network)
        assert address is not None  # both kinds have one
        self._private[script] = private
        return Account(purpose, address, script, public)

    def _sign(self, psbt: Psbt, index: int, prevouts: Sequence[TxOutput], account: Account) -> tuple[bytes, ...]:
        if index not in range(len(prevouts)) or prevouts[index].script != account.script:
            raise WalletFailed(KIND, f"was asked to sign input {index}, which is not of {account.address}")
        is_taproot = kind_of(account.script) is ScriptKind.P2TR
        fields = psbt.inputs[index]
        wanted = fields.get(psbt_fields.SIGHASH_TYPE)
        if wanted not in (None, Sighash.DEFAULT if is_taproot else Sighash.ALL):
            raise WalletFailed(KIND, f"does not sign input {index} with sighash type {wanted}")
        if not is_taproot and fields.get(psbt_fields.NON_WITNESS_UTXO) is None:
            # Its signature would say nothing about the other inputs' amounts: the fee could be a lie.
            raise WalletFailed(KIND, f"was not given the transaction that input {index} spends from")
        private = self._key(account.script)
        signature = sign_input(psbt.unsigned, index, prevouts, private, self._entropy.bytes(32))
        return witness_of(account.script, account.public_key, signature)

    def _key(self, script: bytes) -> bytes:
        if script not in self._private:
            raise WalletFailed(KIND, "is closed, or has no such account")
        return self._private[script]

    def __repr__(self) -> str:
        return f"<SeedWallet {self.network} {self.accounts[0].address}>"


class SeedWalletStore:
    """The seed wallets of this device: records `wallet/<network>/<name>` in the store."""

    def __init__(
        self, store: KeyValueStore, crypto: Crypto, entropy: Entropy, locks: Locks, *, rounds: int = ROUNDS
    ) -> None:
        self._store = store
        self._crypto = crypto
        self._entropy = entropy
        self._locks = locks
        self._rounds = rounds

    async def names(self, network: str) -> Sequence[str]:
        prefix = f"wallet/{network}/"
        return [key.removeprefix(prefix) for key in await self._store.keys(prefix)]

    async def create(self, network: str, name: str, passphrase: str) -> SeedWallet:
        """With words of its own, which `words` shows. Raises `InvalidArgument` when the name is taken."""
        return await self.restore(network, name, passphrase, hd.new_mnemonic(self._entropy.bytes(ENTROPY)))

    async def restore(self, network: str, name: str, passphrase: str, words: str) -> SeedWallet:
        """Of words written down elsewhere (BIP39 without its own passphrase). Raises `InvalidArgument`."""
        words = hd.check_mnemonic(words)
        place = _place(network, name)
        async with self._locks.hold(f"darkswap/{place}"):
            if await self._store.get(place) is not None:
                raise InvalidArgument("name", f"{name} is taken", "Unlock that wallet, or choose another name.")
            await self._keep(network, name, passphrase, words)
        return SeedWallet(network, words, self._entropy)

    async def unlock_or_create(self, network: str, name: str, passphrase: str) -> tuple[SeedWallet, bool]:
        """The wallet of that name, and whether it was made just now: by one of the tabs that ask at once."""
        place = _place(network, name)
        async with self._locks.hold(f"darkswap/{place}"):
            if is_new := await self._store.get(place) is None:
                await self._keep(network, name, passphrase, hd.new_mnemonic(self._entropy.bytes(ENTROPY)))
        return await self.unlock(network, name, passphrase), is_new

    async def unlock_or_restore(
        self, network: str, name: str, passphrase: str, words: str, set_aside: SetAside
    ) -> SeedWallet:
        """The wallet of that name, of these words. A record that cannot be read is set aside for them.

        Raises:
            InvalidArgument: `name` is another wallet's, or something is wrong with the words.
            WalletFailed: The passphrase is wrong.
        """
        words = hd.check_mnemonic(words)
        place = _place(network, name)
        async with self._locks.hold(f"darkswap/{place}"):
            record = await self._store.get(place)
            if record is not None and (damage := _damage(record)):
                await set_aside(place, record, damage)
                record = None
            if record is None:
                await self._keep(network, name, passphrase, words)
            elif await decrypt_seed(self._crypto, place, record, passphrase) != words:
                raise InvalidArgument("name", f"{name} is another wallet's", "Choose another name for these words.")
        return SeedWallet(network, words, self._entropy)

    async def _keep(self, network: str, name: str, passphrase: str, words: str) -> None:
        """In the place of what is there. Under the lock of the place only."""
        place = _place(network, name)
        if network == "mainnet" and len(passphrase) < MIN_PASSPHRASE:
            raise InvalidArgument("passphrase", f"has fewer than {MIN_PASSPHRASE} characters")
        if len({*await self.names(network), name}) > MAX_WALLETS:
            raise InvalidArgument("name", f"is one too many: {MAX_WALLETS} wallets are kept")
        record = await encrypt_seed(self._crypto, self._entropy, place, words, passphrase, self._rounds)
        await self._store.put(place, record)

    async def unlock(self, network: str, name: str, passphrase: str) -> SeedWallet:
        return SeedWallet(network, await self.words(network, name, passphrase), self._entropy)

    async def words(self, network: str, name: str, passphrase: str) -> str:
        """For the user to write down. Raises `WalletFailed` for a wrong passphrase or a damaged record."""
        place = _place(network, name)
        record = await self._store.get(place)
        if record is None:
            raise InvalidArgument("name", f"no wallet {name} is kept here for {network}")
        if damage := _damage(record):
            raise _SeedDamaged(KIND, f"the wallet {name} kept here cannot be read ({damage})")
        return await decrypt_seed(self._crypto, place, record, passphrase)

    async def forget(self, network: str, name: str) -> None:
        """Without its words written down, its coins are lost. Idempotent."""
        place = _place(network, name)
        async with self._locks.hold(f"darkswap/{place}"):
            await self._store.delete(place)


def _damage(record: bytes) -> str:
    """Why it cannot be read, whatever the passphrase; "" when it can."""
    try:
        SeedRecord.decode(record)
    except MalformedMessage as error:
        return str(error)
    return ""


def _place(network: str, name: str) -> str:
    if network not in STYLES:
        raise InvalidArgument("network", f"{network[:80]!r} is not one of {', '.join(STYLES)}")
    if not NAME.fullmatch(name):
        raise InvalidArgument("name", "has 1 to 32 of a-z, 0-9, _ and -, a letter or digit first")
    return f"wallet/{network}/{name}"
