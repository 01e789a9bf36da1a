"""What a wallet of ours is asked to sign, and what is taken of its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from darkswap_browser.bitcoin.psbt import Psbt, create_psbt
from darkswap_browser.bitcoin.script import ScriptKind, kind_of
from darkswap_browser.bitcoin.signing import with_witnesses
from darkswap_browser.bitcoin.transaction import Transaction, TxOutput
from darkswap_browser.chain.base import Chain
from darkswap_browser.errors import MalformedMessage, WalletFailed
from darkswap_browser.settlement.signature_checks import wallet_signatures
from darkswap_browser.wallets.base import Account, Wallet


def accounts_for(wallet: Wallet, prevouts: Sequence[TxOutput], indexes: Sequence[int]) -> dict[int, Account]:
    """Input → whose it is. Raises `WalletFailed` for coins of no account."""
    by_script = {account.script: account for account in wallet.accounts}
    missing = [index for index in indexes if prevouts[index].script not in by_script]
    if missing:
        raise WalletFailed(wallet.kind, "another account or wallet is connected than the trade was begun with")
    return {index: by_script[prevouts[index].script] for index in indexes}


async def create_signing_psbt(
    chain: Chain, tx: Transaction, prevouts: Sequence[TxOutput], accounts: Mapping[int, Account]
) -> Psbt:
    """For the inputs of `accounts`, with the transactions that those of version 0 spend from."""
    previous = {}
    for index in accounts:
        if kind_of(prevouts[index].script) is not ScriptKind.P2TR:
            txid = tx.inputs[index].outpoint.txid
            previous[txid] = await chain.transaction(txid)
    return create_psbt(tx, prevouts, previous, {index: account.public_key for index, account in accounts.items()})


async def sign_own_inputs(wallet: Wallet, chain: Chain, tx: Transaction, prevouts: Sequence[TxOutput]) -> Transaction:
    """A transaction of nobody's coins but ours. Raises `WalletRejected`, `WalletFailed`, `VerificationFailed`."""
    accounts = accounts_for(wallet, prevouts, range(len(prevouts)))
    wanted = await create_signing_psbt(chain, tx, prevouts, accounts)
    returned = await wallet.sign_psbt(wanted.serialize(), accounts)
    try:
        answer = Psbt.parse(returned)
    except MalformedMessage as error:
        raise WalletFailed(wallet.kind, error.reason) from None
    return with_witnesses(tx, prevouts, wallet_signatures(answer, wanted, accounts))
