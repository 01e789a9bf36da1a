"""The rules V15 to V20: what must hold of signatures, of the finished transaction, and of the chain afterwards."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from darkswap_browser.bitcoin.psbt import Psbt, signatures_of
from darkswap_browser.bitcoin.sighash import Sighash
from darkswap_browser.bitcoin.signing import ALL_TYPES, SINGLE_ANYONECANPAY, verify_input, with_witnesses
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction
from darkswap_browser.errors import MalformedMessage, VerificationFailed
from darkswap_browser.settlement.messages import Witnesses
from darkswap_browser.settlement.private_sale import LOT
from darkswap_browser.settlement.rule import checked_by
from darkswap_browser.settlement.terms import Role
from darkswap_browser.settlement.transaction import Settlement


def v15_v16_wallet_answer(returned: bytes, expected: Psbt, settlement: Settlement, role: Role) -> Witnesses:
    """Our witnesses out of what the wallet gave back, in whatever manner it did. V15: each is by our key, over our own
    digest, with SIGHASH_DEFAULT or ALL. V16: it signed this very transaction.
    """
    try:
        answer = Psbt.parse(returned)
    except MalformedMessage as error:
        raise VerificationFailed("V16", f"the wallet answered with no PSBT: {error.reason}") from None
    return as_witnesses(wallet_signatures(answer, expected, settlement.inputs_of(role)))


def wallet_signatures(
    answer: Psbt, expected: Psbt, inputs: Iterable[int], types: Collection[Sighash] = ALL_TYPES
) -> dict[int, tuple[bytes, ...]]:
    """`signatures_of` what a wallet of ours answered. Raises `VerificationFailed`, V15 or V16."""
    if answer.unsigned.txid != expected.unsigned.txid:
        raise VerificationFailed("V16", f"the wallet returned the transaction {answer.unsigned.txid}")
    with checked_by("V15"):
        return signatures_of(answer, expected, inputs, types)


def as_witnesses(found: Mapping[int, tuple[bytes, ...]]) -> Witnesses:
    return tuple(sorted(found.items()))


def v17_their_signatures(settlement: Settlement, signer: Role, witnesses: Witnesses) -> None:
    """Exactly the signer's inputs, each signature good and of a kind that commits to everything; of a private sale the
    lot's, of the kind that commits to the payment, and none other.
    """
    places = tuple(index for index, _ in witnesses)
    if places != settlement.inputs_of(signer):
        raise VerificationFailed("V17", f"the {signer}'s signatures are for other inputs than its own")
    tx = with_witnesses(settlement.tx, settlement.prevouts, dict(witnesses))
    with checked_by("V17"):
        for index in places:
            verify_input(tx, index, settlement.prevouts, _types(settlement, index))


def complete(settlement: Settlement, maker: Witnesses, taker: Witnesses) -> Transaction:
    """The signed transaction, every input verified (V18)."""
    tx = with_witnesses(settlement.tx, settlement.prevouts, dict((*maker, *taker)))
    v18_final(settlement, tx.serialize())
    return tx


def v18_final(settlement: Settlement, raw: bytes) -> Transaction:
    """The finished transaction is the settlement, and every input's signature holds."""
    try:
        tx = Transaction.parse(raw)
    except MalformedMessage as error:
        raise VerificationFailed("V18", error.reason) from None
    if tx.txid != settlement.txid:
        raise VerificationFailed("V18", "the finished transaction is another one")
    with checked_by("V18"):
        for index in range(len(tx.inputs)):
            verify_input(tx, index, settlement.prevouts, _types(settlement, index))
    return tx


def _types(settlement: Settlement, index: int) -> Collection[Sighash]:
    return SINGLE_ANYONECANPAY if settlement.terms.private_sale and index == LOT else ALL_TYPES


def v19_spendable(depth: int, needed: int) -> None:
    """A coin of ours, maybe of an earlier trade, is spent when it is `needed` blocks deep: indexers see only blocks."""
    if depth < needed:
        raise VerificationFailed("V19", f"what the trade brought has {depth} of {needed} confirmations")


def v20_no_conflict(settlement: Settlement, spends: Mapping[OutPoint, str | None]) -> None:
    """`spends`: txid of what spends each input, mempool included, or None."""
    for each in settlement.tx.inputs:
        other = spends.get(each.outpoint)
        if other not in (None, settlement.txid):
            raise VerificationFailed("V20", f"{each.outpoint} was spent by {other}")
