"""Orders: what a maker offers, signed by the key of its peer id, with proof that the offered coins are its own.

`order_id` names an order through all its revisions, `order_hash` one revision; a last one, of nothing (`open_atoms` 0),
cancels it. Bytes and text forms are in `market.order_codec`. Times are unix seconds, amounts atoms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256

from darkswap_browser.bitcoin.script import ScriptKind, kind_of
from darkswap_browser.bitcoin.transaction import MAX_SATS, OutPoint, parse_witness
from darkswap_browser.errors import InvalidOrder, MalformedMessage
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.market.assets import BITCOIN_INFO, BTC, MAX_U128, Asset

POSTAGE = 546
"""Sats on an output that carries an asset, where an order says nothing else: market convention, above every script's
dust floor. Also the least that a side in bitcoin may be.
"""
MIN_POSTAGE, MAX_POSTAGE = 330, 10_000
MAX_INPUTS = 20
"""Coins one side may bring: both sides fetch and check each of them before they sign."""
MAX_PROOFS = 4
"""Scripts among the coins that an order names."""
MAX_FEE = 10_000_000
"""Sats: more than a maker could ever mean to pay the miners for one part."""
MIN_SIGNING_SECONDS, DEFAULT_SIGNING_SECONDS, MAX_SIGNING_SECONDS = 10, 60, 600
"""What the taker gets for its signature. The price stands still meanwhile, and the maker's coins are held."""
TX_VERSIONS = (2, 3)
"""Of the settlement. 3 is TRUC (BIP431): no large child of low fee can hang on it, and one small child speeds it up."""
MAX_DECIMALS = 38
MAX_EXTRAS = 256
"""Bytes of all extensions together, each with three bytes for its type and length."""


class FeeRule(StrEnum):
    """Who pays the miners: each side for the weight it adds, or the taker for all of it."""

    OWN_WEIGHT = "own_weight"
    TAKER_PAYS = "taker_pays"


DEFAULT_LIFETIME = 86_400
MAX_LIFETIME = 604_800
"""A week, as the original allows."""
CLOCK_SKEW = 120
"""Seconds by which two honest clocks may differ."""
NONCE_SIZE = 16
MAX_RELAYS = 3
MAX_RELAY_ADDRESS = 128
"""Bytes of a multiaddr in binary form."""
NETWORKS = ("mainnet", "testnet", "signet", "regtest")
PAID_KINDS = (ScriptKind.P2TR, ScriptKind.P2WPKH, ScriptKind.P2SH, ScriptKind.P2WSH)
ID_DOMAIN = b"darkswap order id 1"


class Side(StrEnum):
    """Of the maker: SELL gives base and gets quote, BUY the other way round."""

    SELL = "sell"
    BUY = "buy"


@dataclass(frozen=True, slots=True)
class FundingProof:
    """A BIP322 "simple" witness, serialised, by the key of `script` over `ownership_message`."""

    script: bytes
    witness: bytes


@dataclass(frozen=True, slots=True)
class PresignedSale:
    """What makes an order a private sale: the maker's part of the transaction, signed beforehand.

    `witness`, serialised, spends the one funding coin with SIGHASH_SINGLE|ANYONECANPAY, so that `payment_script` gets
    the price and the sats of that coin (`settlement.private_sale`). Whoever has the order can complete it.
    """

    payment_script: bytes
    witness: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    maker: str
    """Peer id, as text."""
    network: str
    base: Asset
    quote: Asset
    side: Side
    base_atoms: int
    quote_atoms: int
    """For all of `base_atoms`: the two are the price."""
    open_atoms: int
    """Base atoms that are not taken yet, when this revision was made; 0 cancels the order."""
    min_fill: int
    """Least base atoms of one trade; `base_atoms` where only all of it is offered."""
    max_fill: int = 0
    """Most base atoms of one trade; 0: no bound."""
    base_decimals: int
    """One display unit is 10**decimals atoms: what the maker was shown. A taker who is told otherwise refuses."""
    quote_decimals: int
    fee_rule: FeeRule
    max_fee_sats: int
    """Most that the maker pays the miners for one trade, whatever rate the taker names."""
    postage: int = POSTAGE
    """Sats on each output that carries an asset; whose output it is pays them, and has them."""
    signing_seconds: int = DEFAULT_SIGNING_SECONDS
    """From the maker's answer to the taker's signatures."""
    tx_version: int = 3
    created_at: int
    expires_at: int
    seq: int
    nonce: bytes
    relays: tuple[str, ...] = ()
    """Multiaddrs of relays where the maker can be met."""
    funding: tuple[OutPoint, ...] = ()
    proofs: tuple[FundingProof, ...] = ()
    """One for each script among the funding coins."""
    paused: bool = False
    sale: PresignedSale | None = None
    extras: tuple[tuple[int, bytes], ...] = ()
    """Extensions that are not known here, by their types, which are odd: whoever does not know one passes it on."""

    @property
    def order_id(self) -> str:
        """64 hex digits; the same for every revision, and nobody else's to take."""
        return sha256(ID_DOMAIN + PeerId.parse(self.maker).to_bytes() + self.nonce).hexdigest()

    @property
    def is_cancellation(self) -> bool:
        return self.open_atoms == 0

    @property
    def gives(self) -> tuple[Asset, int]:
        """What the maker brings for the whole order."""
        return (self.base, self.base_atoms) if self.side is Side.SELL else (self.quote, self.quote_atoms)

    @property
    def gets(self) -> tuple[Asset, int]:
        return (self.quote, self.quote_atoms) if self.side is Side.SELL else (self.base, self.base_atoms)


def next_seq(last: int, now: int) -> int:
    """The number of the next revision. By the clock, so that a restored backup does not use a number twice."""
    return max(last + 1, now)


def cancel_order(order: Order, seq: int) -> Order:
    """The last revision of an order; kept until the order would have expired, as older revisions may come late."""
    return replace(order, open_atoms=0, seq=seq, paused=False, relays=(), funding=(), proofs=(), sale=None, extras=())


def quote_for(order: Order, fill: int) -> int:
    """Quote atoms for `fill` base atoms; a part of an atom is the maker's: up when the taker pays it, else down."""
    exact = order.quote_atoms * fill
    return -(-exact // order.base_atoms) if order.side is Side.SELL else exact // order.base_atoms


def ownership_message(subject: str, outpoints: Sequence[OutPoint]) -> str:
    """What the keys of coins sign. `subject`: the order, or the order and the trade, so that it proves nothing else."""
    return "darkswap: these coins are mine\n" + "\n".join([subject, *(str(each) for each in sorted(outpoints))])


def check_order(order: Order) -> None:
    """Whether such an order can be at all, whenever. Raises `InvalidOrder` with the field."""
    for path, asset in (("base", order.base), ("quote", order.quote)):
        asset.checked(path)
    _demand(order.base != order.quote, "quote", "is the same asset as base")
    _demand(order.network in NETWORKS, "network", "is not one of Bitcoin's")
    for path, asset, atoms in (
        ("base_atoms", order.base, order.base_atoms),
        ("quote_atoms", order.quote, order.quote_atoms),
    ):
        most = MAX_SATS if asset == BTC else MAX_U128
        _demand(0 < atoms <= most, path, "is not between one atom and the most there can be")
    _demand(0 < order.min_fill <= order.base_atoms, "min_fill", "is not between one atom and the whole order")
    _demand(0 <= order.open_atoms <= order.base_atoms, "open_atoms", "are more than the whole order")
    most = order.base_atoms
    _demand(order.max_fill == 0 or order.min_fill <= order.max_fill <= most, "max_fill", "is less than the least part")
    # A bitcoin leg below the postage would be no output that nodes relay.
    if order.quote == BTC:
        _demand(quote_for(order, order.min_fill) >= POSTAGE, "min_fill", f"makes less than {POSTAGE} sats")
    if order.base == BTC:
        _demand(order.min_fill >= POSTAGE, "min_fill", f"is less than {POSTAGE} sats")
    _demand(quote_for(order, order.min_fill) > 0, "min_fill", "is worth less than one atom of quote")
    lifetime = order.expires_at - order.created_at
    _demand(0 < lifetime <= MAX_LIFETIME, "expires_at", f"is not within {MAX_LIFETIME} seconds of created_at")
    _demand(order.created_at >= 0 and order.expires_at < 2**40, "created_at", "is no time")
    _demand(0 <= order.seq < 2**32, "seq", "is not a number of 32 bits")
    _demand(len(order.nonce) == NONCE_SIZE, "nonce", f"has not {NONCE_SIZE} bytes")
    _check_conditions(order)
    _demand(len(order.relays) <= MAX_RELAYS, "relays", f"are more than {MAX_RELAYS}")
    _demand(len(set(order.funding)) == len(order.funding) <= MAX_INPUTS, "funding", f"is not up to {MAX_INPUTS} coins")
    _demand(len({each.script for each in order.proofs}) == len(order.proofs), "proofs", "name a script twice")
    proofs = min(MAX_PROOFS, max(1, len(order.funding)))
    _demand(len(order.proofs) <= proofs, "proofs", f"are more than {MAX_PROOFS}, or than there are coins")
    if order.is_cancellation:
        bare = order == cancel_order(order, order.seq)
        _demand(bare, "open_atoms", "are none, so that nothing else may be in it")
    if order.sale is not None:
        _check_sale(order, order.sale)


def _check_conditions(order: Order) -> None:
    decimals = (
        ("base_decimals", order.base, order.base_decimals),
        ("quote_decimals", order.quote, order.quote_decimals),
    )
    for path, asset, count in decimals:
        _demand(0 <= count <= MAX_DECIMALS, path, f"are not 0 to {MAX_DECIMALS}")
        _demand(asset != BTC or count == BITCOIN_INFO.decimals, path, "are not those of bitcoin")
    _demand(0 <= order.max_fee_sats <= MAX_FEE, "max_fee_sats", f"is not 0 to {MAX_FEE} sats")
    _demand(MIN_POSTAGE <= order.postage <= MAX_POSTAGE, "postage", f"is not {MIN_POSTAGE} to {MAX_POSTAGE} sats")
    least, most = MIN_SIGNING_SECONDS, MAX_SIGNING_SECONDS
    _demand(least <= order.signing_seconds <= most, "signing_seconds", f"is not {least} to {most}")
    _demand(order.tx_version in TX_VERSIONS, "tx_version", "is neither 2 nor 3")
    types = [kind for kind, _ in order.extras]
    _demand(types == sorted(set(types)), "extras", "are not in the order of their types, each once")
    _demand(
        all(0 < kind < 2**16 and kind % 2 for kind in types), "extras", "must be understood, and are not known here"
    )
    size = sum(3 + len(data) for _, data in order.extras)
    _demand(size <= MAX_EXTRAS, "extras", f"have more than {MAX_EXTRAS} bytes")


def check_whole_lot(order: Order) -> None:
    """Whether it could be a private sale. Raises `InvalidOrder` with the field."""
    _demand(order.side is Side.SELL, "side", "is not sell: only what is paid in bitcoin can be sold by a signature")
    _demand(order.base != BTC, "base", "is bitcoin: only runes and alkanes can be sold by a signature")
    _demand(order.quote == BTC, "quote", "is not bitcoin: a signature given away protects a payment in sats only")
    # No signature of this kind can say that a rest comes back.
    _demand(order.min_fill == order.base_atoms, "min_fill", "is a part: a private sale is of the whole lot")


def _check_sale(order: Order, sale: PresignedSale) -> None:
    """What was signed once cannot be revised, only taken back by spending the coin."""
    check_whole_lot(order)
    _demand(order.seq == order.created_at and not order.paused, "sale", "cannot be changed: its signature stands")
    _demand(order.tx_version == 2, "sale", "is signed for a transaction of version 2")
    _demand(
        order.fee_rule is FeeRule.TAKER_PAYS, "fee_rule", "is not taker_pays, as the maker's part is signed already"
    )
    _demand(len(order.funding) == 1, "funding", "is not the one coin that is sold")
    _demand(kind_of(sale.payment_script) in PAID_KINDS, "sale", "pays a script that is not standard")
    try:
        parse_witness(sale.witness)
    except MalformedMessage as error:
        raise InvalidOrder("sale", f"holds no witness: it {error.reason}") from None


def check_current(order: Order, now: float) -> None:
    """Whether it may be taken now. Raises `InvalidOrder`."""
    _demand(order.created_at <= now + CLOCK_SKEW, "created_at", "is in the future")
    _demand(now < order.expires_at, "expires_at", "has passed")
    _demand(not order.paused, "paused", "by its maker")


def check_fill(order: Order, fill: int, remaining: int) -> None:
    """Whether `fill` base atoms can be taken of what is left, and what is left then by somebody else. Raises
    `InvalidOrder`.
    """
    _demand(0 < fill <= remaining, "amount", "is more than is left of the order")
    _demand(fill >= min(order.min_fill, remaining), "amount", "is less than the order's least part")
    _demand(not order.max_fill or fill <= order.max_fill, "amount", "is more than the order's largest part")
    quote = quote_for(order, fill)
    _demand(quote > 0, "amount", "is worth less than one atom")
    _demand(_is_takeable(order, fill), "amount", f"makes a bitcoin side of less than {POSTAGE} sats")
    rest = remaining - fill
    if rest and not _is_takeable(order, rest):
        raise InvalidOrder("amount", "leaves a rest that nobody can take", f"Take all {remaining} atoms that are left.")


def _is_takeable(order: Order, atoms: int) -> bool:
    legs = {order.base: atoms, order.quote: quote_for(order, atoms)}
    return legs[order.quote] > 0 and legs.get(BTC, POSTAGE) >= POSTAGE


def supersedes(new: tuple[int, str], old: tuple[int, str]) -> bool:
    """Whether a revision replaces the one known; (number, hash) of each. Of two with one number, which two tabs or a
    restored backup can make, everybody keeps the one whose hash is lower.
    """
    return new[0] > old[0] or (new[0] == old[0] and new[1] < old[1])


def _demand(holds: bool, path: str, reason: str) -> None:
    if not holds:
        raise InvalidOrder(path, reason)
