"""The first blocks of a chain: mature coins, three runes etched by ord's rules, and the stock of alkanes."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from embit.util import py_secp256k1 as curve

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput, compact_size
from darkswap_browser.regtest.chain.mempool import MATURITY
from darkswap_browser.regtest.chain.node import RegtestNode
from darkswap_browser.regtest.faucet import ALKANES, BITCOIN, BITCOIN_WITNESS, POSTAGE, RUNES, FaucetFunds, unlocked
from darkswap_browser.regtest.indexes import rune_names
from darkswap_browser.regtest.indexes.runes import CONFIRMATIONS, RuneIndex
from darkswap_browser.regtest.indexes.runestones import ETCHING, FLAGS, POINTER, TERMS, write

MATURE = 20
"""Coinbases that can be spent once the chain is founded: 50 bitcoin each."""
INTERNAL_KEY = bytes.fromhex("50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0")
"""BIP341's point that nobody has a key for: what locks a commitment is its script alone."""
LEAF_VERSION = 0xC0
COMMITMENT_SATS = 20_000


@dataclass(frozen=True, slots=True)
class GenesisRune:
    """A rune to etch. `mint`: (amount, cap) of open minting."""

    name: str
    symbol: str
    divisibility: int
    premine: int
    mint: tuple[int, int] | None = None


ISSUES = (
    GenesisRune("DARK•TEST•COINS", "◐", 2, 10**15),
    GenesisRune("LIGHT•TEST•COINS", "◑", 0, 10**15),
    GenesisRune("FREE•TEST•MINTS", "○", 0, 10**9, (1_000, 1_000_000)),
)


def build_genesis(node: RegtestNode, runes: RuneIndex, funds: FaucetFunds) -> None:
    """Does what is not done yet; a process killed in the middle goes on at the next start."""
    if node.ledger.height == 0:
        node.mine(1, ALKANES)
    missing = 1 + MATURITY + MATURE - node.ledger.height
    if missing > 0:
        node.mine(missing, BITCOIN)
    issues = [each for each in ISSUES if rune_names.parse(each.name)[0] not in runes.by_name]
    if issues:
        _etch(node, funds, issues)


def _etch(node: RegtestNode, funds: FaucetFunds, issues: list[GenesisRune]) -> None:
    outpoint, held = funds.coin(COMMITMENT_SATS * (len(issues) + 1))
    outputs = [TxOutput(COMMITMENT_SATS, _commitment(each)[0]) for each in issues]
    outputs.append(TxOutput(held - COMMITMENT_SATS * (len(issues) + 1), BITCOIN))
    commit = Transaction((unlocked(outpoint, BITCOIN_WITNESS),), tuple(outputs))
    node.submit(commit.serialize())
    node.mine(CONFIRMATIONS - 1, BITCOIN)
    for vout, each in enumerate(issues):
        source = TxInput(OutPoint(commit.txid, vout), witness=_commitment(each)[1])
        reveal = Transaction((source,), (TxOutput(POSTAGE, RUNES), TxOutput(0, _runestone(each))))
        node.submit(reveal.serialize())
    node.mine(1, BITCOIN)


def _commitment(issue: GenesisRune) -> tuple[bytes, tuple[bytes, bytes]]:
    """A taproot output that commits to the name, and the witness that reveals it: `name OP_DROP OP_1`."""
    name = rune_names.commitment(rune_names.parse(issue.name)[0])
    script = bytes([len(name)]) + name + b"\x75\x51"
    leaf = _tagged("TapLeaf", bytes([LEAF_VERSION]) + compact_size(len(script)) + script)
    point = curve.ec_pubkey_parse(b"\x02" + INTERNAL_KEY)
    key = curve.ec_pubkey_serialize(curve.ec_pubkey_add(point, _tagged("TapTweak", INTERNAL_KEY + leaf)))
    return b"\x51\x20" + key[1:], (script, bytes([LEAF_VERSION | key[0] & 1]) + INTERNAL_KEY)


def _tagged(tag: str, data: bytes) -> bytes:
    prefix = sha256(tag.encode()).digest()
    return sha256(prefix + prefix + data).digest()


def _runestone(issue: GenesisRune) -> bytes:
    rune, spacers = rune_names.parse(issue.name)
    fields = [(FLAGS, ETCHING | (TERMS if issue.mint else 0)), (4, rune), (1, issue.divisibility), (3, spacers)]
    fields += [(5, ord(issue.symbol)), (6, issue.premine)]
    if issue.mint:
        fields += [(10, issue.mint[0]), (8, issue.mint[1])]
    return write([*fields, (POINTER, 0)])
