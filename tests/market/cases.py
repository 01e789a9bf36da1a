"""An order as a maker would make it, with a real proof of its coins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from darkswap_browser.bitcoin import bip322
from darkswap_browser.bitcoin.script import ScriptKind
from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.identity.peer_id import KeyType, PublicKey
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.market.order_codec import SignedOrder
from darkswap_browser.market.orders import FeeRule, FundingProof, Order, PresignedSale, Side, ownership_message
from darkswap_browser.settlement.terms import Role
from tests.support.trade_fixture import AUX, key_of, script_of

MAKER = str(PublicKey(KeyType.ED25519, bytes(range(32))).peer_id())
RELAY = f"/dns4/relay.example.org/tcp/443/wss/p2p/{MAKER}"
CREATED = 1_800_000_000
RUNE, ALKANE = Asset.rune(840_000, 1), Asset.alkane(2, 0)
COINS = tuple(OutPoint(f"{number:02x}" * 32, number) for number in (7, 3))
SIGNATURE = bytes(range(64))
SALE = PresignedSale(script_of(Role.MAKER, "payment", ScriptKind.P2WPKH), b"\x01\x41" + bytes(64) + b"\x83")
"""Nobody's signature, of the right form."""


def order(**changes: Any) -> Order:
    return replace(
        Order(
            maker=MAKER,
            network="mainnet",
            base=RUNE,
            quote=BTC,
            side=Side.SELL,
            base_atoms=1_000_000,
            quote_atoms=250_000,
            open_atoms=changes.get("base_atoms", 1_000_000),
            min_fill=100_000,
            base_decimals=8 if changes.get("base") == BTC else 5,
            quote_decimals=8 if changes.get("quote", BTC) == BTC else 5,
            fee_rule=FeeRule.OWN_WEIGHT,
            max_fee_sats=5_000,
            created_at=CREATED,
            expires_at=CREATED + 86_400,
            seq=CREATED,
            nonce=bytes(range(16)),
        ),
        **changes,
    )


def funded(coins: Sequence[OutPoint] = COINS[:1], **changes: Any) -> Order:
    """By coins of one P2TR script, to be met at one relay."""
    made = order(funding=tuple(coins), relays=(RELAY,), **changes)
    return replace(made, proofs=(FundingProof(script_of(Role.MAKER, "assets", ScriptKind.P2TR), _proof(made)),))


def sold(**changes: Any) -> Order:
    """A private sale."""
    return funded(**{"min_fill": 1_000_000, "fee_rule": FeeRule.TAKER_PAYS, "tx_version": 2, "sale": SALE} | changes)


def signed(made: Order) -> SignedOrder:
    """Nobody's signature, of the right length."""
    return SignedOrder(made, SIGNATURE)


def _proof(made: Order) -> bytes:
    return _witness(ownership_message(made.order_id, made.funding))


@lru_cache
def _witness(message: str) -> bytes:
    return bip322.sign_simple(
        script_of(Role.MAKER, "assets", ScriptKind.P2TR), key_of(Role.MAKER, "assets"), message, AUX
    )
