"""Consensus by the kernel, policy rule by rule, replacement, reorganisation, and what is on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxOutput, double_sha256
from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.regtest.chain.block import Block, Template, merkle_branch
from darkswap_browser.regtest.chain.journal import Journal, Kind
from darkswap_browser.regtest.chain.kernel import BlockRejected, failed_input, kernel_verifies
from darkswap_browser.regtest.chain.node import RegtestNode
from darkswap_browser.regtest.chain.policy import LENIENT, TransactionRejected, dust_limit
from darkswap_browser.regtest.faucet import BITCOIN
from tests.regtest.scenes import DATA, MINE, TAPROOT, funded, spend

NOW = 1_700_000_000
P2WPKH = b"\x00\x14" + b"\x22" * 20
P2PKH = b"\x76\xa9\x14" + b"\x33" * 20 + b"\x88\xac"
P2SH = b"\xa9\x14" + b"\x44" * 20 + b"\x87"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RegtestNode]:
    made = RegtestNode(tmp_path, lambda: NOW)
    made.mine(110, BITCOIN)
    yield made
    made.close()


def refusal(node: RegtestNode, transaction: Transaction) -> str:
    """Core's word; nothing may have changed."""
    before = list(node.mempool.waiting)
    with pytest.raises(TransactionRejected) as refused:
        node.submit(transaction.serialize())
    assert list(node.mempool.waiting) == before
    return refused.value.reason


# --- consensus


def test_the_genesis_block_is_regtests(node: RegtestNode) -> None:
    assert node.ledger.blocks[0].block_hash == "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"


def test_a_wrong_witness_is_refused(node: RegtestNode) -> None:
    (coin,) = funded(node, [50_000])
    wrong = spend([coin], [(40_000, MINE)], b"\x51")
    assert refusal(node, wrong).startswith("mandatory-script-verify-flag-failed (input 0 of ")
    assert failed_input(wrong, [TxOutput(50_000, MINE)]) == 0
    assert kernel_verifies(spend([coin], [(40_000, MINE)]), [TxOutput(50_000, MINE)])


def test_every_input_is_judged(node: RegtestNode) -> None:
    one, two = funded(node, [50_000, 60_000])
    made = spend([one, two], [(90_000, MINE)])
    broken = replace(made, inputs=(made.inputs[0], replace(made.inputs[1], witness=(b"\x51",))))
    assert failed_input(broken, [TxOutput(50_000, MINE), TxOutput(60_000, MINE)]) == 1
    with pytest.raises(ValueError, match="one prevout per input"):
        failed_input(broken, [])


def test_a_block_with_a_bad_spend_is_refused_and_the_chain_stays(node: RegtestNode) -> None:
    (coin,) = funded(node, [50_000])
    tip = node.ledger.tip.block_hash
    for bad in (spend([coin], [(40_000, MINE)], b"\x51"), spend([coin], [(60_000, MINE)])):
        with pytest.raises(BlockRejected):
            node.reorganise(1, MINE, [bad.serialize()])
        assert node.ledger.tip.block_hash == tip
    node.mine(1, MINE)


def test_blocks_come_back_from_their_bytes(node: RegtestNode) -> None:
    funded(node, [50_000])
    block = node.ledger.tip.block
    raw = block.serialize()
    assert Block.parse(raw) == block
    assert int(block.header.hash, 16) < 1 << 255
    for cut in range(0, len(raw), 7):
        with pytest.raises(MalformedMessage):
            Block.parse(raw[:cut])
    with pytest.raises(MalformedMessage):
        Block.parse(raw + b"\0")


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_a_merkle_branch_leads_to_the_root(count: int) -> None:
    coins = [OutPoint(f"{at:064x}", 0) for at in range(1, count)]
    block = Template(1, "00" * 32, 0, MINE, 0, tuple(spend([each], [(1, MINE)]) for each in coins), 0).mine()
    txids = [each.txid for each in block.transactions]
    for position, txid in enumerate(txids):
        found, at = bytes.fromhex(txid)[::-1], position
        for sibling in (bytes.fromhex(each)[::-1] for each in merkle_branch(txids, position)):
            found, at = double_sha256(sibling + found if at & 1 else found + sibling), at >> 1
        assert found[::-1].hex() == block.header.merkle_root


# --- policy


@pytest.mark.parametrize(
    ("script", "limit"), [(P2WPKH, 294), (TAPROOT, 330), (MINE, 330), (P2PKH, 546), (P2SH, 540), (DATA, 0)]
)
def test_dust_limits_are_cores(script: bytes, limit: int) -> None:
    assert dust_limit(TxOutput(0, script)) == limit


def test_an_output_one_sat_below_dust_is_refused(node: RegtestNode) -> None:
    (coin,) = funded(node, [50_000])
    assert refusal(node, spend([coin], [(40_000, MINE), (329, TAPROOT)])) == "dust"
    node.submit(spend([coin], [(40_000, MINE), (330, TAPROOT)]).serialize())


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ([(40_000, MINE), (0, DATA + b"\x4c\x51" + b"x" * 81)], "datacarrier"),
        ([(40_000, MINE), (0, DATA), (0, DATA)], "multi-op-return"),
        ([(40_000, MINE), (0, DATA + b"\x75")], "scriptpubkey"),
        ([(40_000, b"\x51" * 9)], "scriptpubkey"),
        ([(40_000, b""), (1_000, MINE)], "scriptpubkey"),
        ([(60_000, MINE)], "bad-txns-in-belowout"),
        ([(49_990, MINE)], "min relay fee not met, 10 < 98"),
    ],
)
def test_outputs_that_are_not_relayed(node: RegtestNode, outputs: list[tuple[int, bytes]], reason: str) -> None:
    (coin,) = funded(node, [50_000])
    assert refusal(node, spend([coin], outputs)) == reason


def test_83_bytes_of_data_are_relayed_and_more_when_lenient(node: RegtestNode) -> None:
    one, two = funded(node, [50_000, 50_000])
    node.submit(spend([one], [(40_000, MINE), (0, DATA + b"\x4c\x50" + b"x" * 80)]).serialize())
    node.mempool.rules = LENIENT
    long = DATA + b"\x4d" + (300).to_bytes(2, "little") + b"x" * 300
    node.submit(spend([two], [(40_000, MINE), (0, long), (0, DATA)]).serialize())


def test_forms_that_are_not_relayed(node: RegtestNode) -> None:
    (coin,) = funded(node, [50_000])
    good = spend([coin], [(40_000, MINE)])
    assert refusal(node, replace(good, version=4)) == "version"
    assert refusal(node, replace(good, inputs=good.inputs * 2)) == "bad-txns-inputs-duplicate"
    assert refusal(node, replace(good, outputs=(TxOutput(0, DATA),))) == "tx-size-small"
    assert refusal(node, replace(good, locktime=500)) == "non-final"
    assert refusal(node, replace(good, locktime=NOW + 7_200)) == "non-final"
    pushed = replace(good.inputs[0], script_sig=b"\x75")
    assert refusal(node, replace(good, inputs=(pushed,))) == "scriptsig-not-pushonly"
    young = replace(good.inputs[0], sequence=5)
    assert refusal(node, replace(good, inputs=(young,))) == "non-BIP68-final"
    assert refusal(node, replace(good, inputs=(replace(good.inputs[0], sequence=1 << 22 | 9),))) == "non-BIP68-final"
    big = [(400, MINE)] * 2_400
    assert refusal(node, spend([coin], big)) == "tx-size"
    with pytest.raises(TransactionRejected, match="TX decode failed"):
        node.submit(b"\x01")
    node.mine(5, MINE)
    node.submit(replace(good, inputs=(young,)).serialize())


def test_coins_must_exist_and_rewards_must_ripen(node: RegtestNode) -> None:
    (coin,) = funded(node, [50_000])
    assert refusal(node, spend([OutPoint("11" * 32, 0)], [(1_000, MINE)])) == "bad-txns-inputs-missingorspent"
    assert refusal(node, spend([OutPoint(coin.txid, 9)], [(1_000, MINE)])) == "bad-txns-inputs-missingorspent"
    node.mine(1, MINE)
    reward = OutPoint(node.ledger.tip.txids[0], 0)
    assert refusal(node, spend([reward], [(1_000, MINE)])) == "bad-txns-premature-spend-of-coinbase"
    node.mine(98, BITCOIN)
    assert refusal(node, spend([reward], [(1_000, MINE)])) == "bad-txns-premature-spend-of-coinbase"
    node.mine(1, BITCOIN)
    node.submit(spend([reward], [(1_000, MINE)]).serialize())
    node.mine(1, BITCOIN)


def test_what_is_known_is_said_to_be_known(node: RegtestNode) -> None:
    (coin,) = funded(node, [50_000])
    good = spend([coin], [(40_000, MINE)])
    node.submit(good.serialize())
    assert refusal(node, good) == "txn-already-in-mempool"
    node.mine(1, MINE)
    assert refusal(node, good) == "Transaction outputs already in utxo set"


def test_chains_of_unconfirmed_parents_end_at_25(node: RegtestNode) -> None:
    (coin,) = funded(node, [900_000])
    sats = 900_000
    for _ in range(25):
        sats -= 1_000
        coin = OutPoint(node.submit(spend([coin], [(sats, MINE)]).serialize()).txid, 0)
    assert refusal(node, spend([coin], [(sats - 1_000, MINE)])).startswith("too-long-mempool-chain")
    node.mine(1, MINE)
    assert not node.mempool.waiting


# --- replacement


def test_a_replacement_pays_more_in_sum_and_per_byte(node: RegtestNode) -> None:
    one, two = funded(node, [50_000, 50_000])
    first = node.submit(spend([one], [(49_000, MINE)]).serialize())
    child = node.submit(spend([OutPoint(first.txid, 0)], [(47_000, MINE)]).serialize())
    floor = 3_000 + first.vsize
    lower = spend([one], [(50_000 - floor + 1, MINE)])
    assert refusal(node, lower).startswith("insufficient fee, rejecting replacement")
    wide = spend([one], [(20_000, MINE), *[(700, MINE)] * 40])
    assert "; new feerate 0.000" in refusal(node, spend([one], [(44_000, MINE), *[(330, MINE)] * 14]))
    assert wide.vsize > first.vsize
    pending = node.submit(spend([two], [(40_000, MINE)]).serialize())
    adds = spend([one, OutPoint(pending.txid, 0)], [(60_000, MINE)])
    assert refusal(node, adds).startswith("replacement-adds-unconfirmed")
    exact = node.submit(spend([one], [(50_000 - floor, MINE)]).serialize())
    assert list(node.mempool.waiting) == [pending.txid, exact.txid]
    assert child.txid not in node.mempool.waiting
    assert node.mempool.spent[one] == (exact.txid, 0)


def test_a_replacement_may_not_stand_on_whom_it_replaces(node: RegtestNode) -> None:
    (one,) = funded(node, [50_000])
    first = node.submit(spend([one], [(49_000, MINE)]).serialize())
    both = spend([one, OutPoint(first.txid, 0)], [(50_000, MINE)])
    assert refusal(node, both) == "bad-txns-spends-conflicting-tx"


def test_a_replacement_evicts_at_most_a_hundred(node: RegtestNode) -> None:
    coins = funded(node, [200_000] * 5)
    for coin in coins:
        first = node.submit(spend([coin], [(3_000, MINE)] * 24).serialize())
        for vout in range(24):
            node.submit(spend([OutPoint(first.txid, vout)], [(2_800, MINE)]).serialize())
    assert len(node.mempool.waiting) == 125
    assert refusal(node, spend(coins, [(1_000, MINE)])).startswith("too many potential replacements")
    node.submit(spend(coins[:4], [(1_000, MINE)]).serialize())
    assert len(node.mempool.waiting) == 26


# --- reorganisation


def test_a_reorganisation_takes_confirmations_back(node: RegtestNode) -> None:
    (coin,) = funded(node, [50_000])
    paid = node.submit(spend([coin], [(40_000, TAPROOT)]).serialize())
    node.mine(2, MINE)
    height, old = node.ledger.height, node.ledger.tip.block_hash
    node.reorganise(2, MINE)
    assert (node.ledger.height, old in node.ledger.heights) == (height + 1, False)
    assert paid.txid in node.mempool.waiting
    assert OutPoint(paid.txid, 0) not in node.ledger.coins
    node.mine(1, MINE)
    assert OutPoint(paid.txid, 0) in node.ledger.coins


def test_a_reorganisation_can_pay_someone_else(node: RegtestNode) -> None:
    (coin,) = funded(node, [50_000])
    paid = node.submit(spend([coin], [(40_000, TAPROOT)]).serialize())
    node.mine(1, MINE)
    stolen = spend([coin], [(45_000, MINE)])
    node.reorganise(1, MINE, [stolen.serialize()])
    assert paid.txid not in node.mempool.waiting
    assert node.ledger.spent[coin] == (stolen.txid, 0)


def test_a_reorganisation_can_forget(node: RegtestNode) -> None:
    (coin,) = funded(node, [50_000])
    paid = node.submit(spend([coin], [(40_000, TAPROOT)]).serialize())
    node.mine(1, MINE)
    node.reorganise(1, MINE, forget=True)
    assert paid.txid not in node.mempool.waiting
    assert coin in node.ledger.coins


@pytest.mark.parametrize("depth", [0, 101])
def test_depths_that_make_no_sense_are_refused(node: RegtestNode, depth: int) -> None:
    with pytest.raises(InvalidArgument):
        node.reorganise(depth, MINE)


# --- disk


def test_a_node_starts_where_it_stopped_even_within_a_write(node: RegtestNode, tmp_path: Path) -> None:
    one, two = funded(node, [50_000, 50_000])
    kept = node.submit(spend([one], [(40_000, MINE)]).serialize())
    gone = node.submit(spend([two], [(40_000, MINE)]).serialize())
    node.forget(gone.txid)
    node.reorganise(1, MINE)
    waiting, coins, tip = list(node.mempool.waiting), dict(node.ledger.coins), node.ledger.tip.block_hash
    assert kept.txid in waiting
    node.close()
    path = tmp_path / "chain.journal"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[19:][:200])
    again = RegtestNode(tmp_path, lambda: NOW)
    assert (list(again.mempool.waiting), again.ledger.coins, again.ledger.tip.block_hash) == (waiting, coins, tip)
    again.mine(1, MINE)
    again.close()


def test_one_process_only_has_a_folder(node: RegtestNode, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="is in use by another process"):
        RegtestNode(tmp_path, lambda: NOW)


def test_a_journal_ends_at_its_first_torn_record(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    for data in (b"one", b"two" * 20, b""):
        journal.append(Kind.BLOCK, data)
    journal.close()
    whole = path.read_bytes()
    for cut in range(0, len(whole), 5):
        path.write_bytes(whole[:cut])
        torn = Journal(path)
        found = [data for _, data in torn.read()]
        assert found == [b"one", b"two" * 20, b""][: len(found)]
        torn.append(Kind.ENTER, b"more")
        assert [data for _, data in torn.read()] == [*found, b"more"]
        torn.close()
    path.write_bytes(whole[:30].replace(b"one", b"oNe"))
    assert list(Journal(path).read()) == []
