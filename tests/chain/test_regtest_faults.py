"""A whole regtest chain in the simulated world, asked through an honest server and one with a fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction
from darkswap_browser.chain.base import ChainConfig
from darkswap_browser.chain.quorum import Quorum, open_chain
from darkswap_browser.errors import (
    ChainError,
    ChainInconsistent,
    ChainUnreachable,
    ConnectionLost,
    IndexerLagging,
)
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.regtest.faucet import BITCOIN
from darkswap_browser.regtest.servers.faults import Fault, FaultKind
from darkswap_browser.regtest.servers.http import HttpRequest as RegtestRequest
from darkswap_browser.regtest.service import RegtestOptions, RegtestService
from darkswap_browser.runtime.base.http import HttpResponse
from darkswap_browser.testing.http import HttpHandler, HttpRequest
from tests.support.chain_servers import SCRIPT, Hosts

DIESEL = Asset.alkane(2, 0)


class Faulty:
    """One chain under https://honest and https://faulty; `rune` and `alkane` are outputs that hold 1000 of each."""

    def __init__(self, folder: Path) -> None:
        self.service = RegtestService(RegtestOptions(folder=folder))
        self.connect()
        self.asset = Asset.rune(*next(iter(self.service.runes.entries)))
        self.rune, self.alkane = self._give(self.asset), self._give(DIESEL)

    def connect(self) -> None:
        self.hosts = Hosts()
        for name in ("honest", "faulty"):
            self.hosts.world.serve_http(name, f"https://{name}", self._handler(honest=name == "honest"))

    def _give(self, asset: Asset) -> OutPoint:
        txid = self.service.faucet.give(SCRIPT, asset, 1000)
        self.service.node.mine(1, BITCOIN)
        outputs = self.service.node.ledger.transactions[txid].transaction.outputs
        return OutPoint(txid, next(vout for vout, output in enumerate(outputs) if output.script == SCRIPT))

    def _handler(self, *, honest: bool) -> HttpHandler:
        async def handle(request: HttpRequest) -> HttpResponse:
            active, self.service.faults.active = self.service.faults.active, []
            if not honest:
                self.service.faults.active = active
            answer = await self.service.answer(
                RegtestRequest(request.method, request.path, request.headers, request.body)
            )
            if honest:
                self.service.faults.active = active
            if answer is None:
                raise ConnectionLost("https://faulty", "broken off")
            return HttpResponse(answer.status, {}, answer.body)

        return handle

    def add(self, kind: FaultKind, server: str = "", path: str = "", left: int | None = None, amount: int = 1) -> None:
        self.service.faults.add(Fault(kind, server, path, left, amount))

    def chain(self, *names: str, indexes: str = "honest") -> Quorum:
        config = ChainConfig(
            esplora=tuple(f"https://{name}/api" for name in names),
            ord=(f"https://{indexes}/ord",),
            alkanes=(f"https://{indexes}/alkanes",),
            quorum=2,
        )
        page = self.hosts.page
        return open_chain(config, fetch=page.fetch, store=page.store, entropy=page.entropy)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    world = Faulty(tmp_path_factory.mktemp("chain"))
    yield world
    world.service.node.close()


@pytest.fixture
def faulty(shared: Faulty) -> Faulty:
    """Without faults, and on a network of its own."""
    shared.service.faults.reset()
    shared.connect()
    return shared


async def test_without_faults_all_is_agreed(faulty: Faulty) -> None:
    chain = faulty.chain("honest", "faulty")
    held = await chain.holdings([faulty.rune, faulty.alkane], verify=True)
    assert held[faulty.rune].assets == {faulty.asset: 1000} and held[faulty.alkane].assets == {DIESEL: 1000}
    assert await chain.spend(faulty.rune, verify=True) is None


async def test_a_hidden_spend_is_found(faulty: Faulty) -> None:
    spent = faulty.service.node.ledger.transactions[faulty.rune.txid].transaction.inputs[0].outpoint
    faulty.add(FaultKind.HIDE_SPEND, "api")
    with pytest.raises(ChainInconsistent, match="who spends"):
        await faulty.chain("faulty", "honest").spend(spent, verify=True)


async def test_a_lying_prevout_is_passed_over(faulty: Faulty) -> None:
    faulty.add(FaultKind.LIE, "api")
    raw = await faulty.chain("faulty", "honest").transaction(faulty.rune.txid)
    assert Transaction.parse(raw).txid == faulty.rune.txid
    with pytest.raises(ChainInconsistent):
        await faulty.chain("faulty").transaction(faulty.alkane.txid)


async def test_a_stale_tip_is_found_by_another_server_or_by_an_index(faulty: Faulty) -> None:
    faulty.add(FaultKind.STALE_TIP, "api", amount=5)
    with pytest.raises(IndexerLagging):
        await faulty.chain("faulty", "honest").tip(verify=True)
    with pytest.raises(ChainInconsistent, match="beyond"):
        await faulty.chain("faulty").holdings([faulty.rune], verify=True)


@pytest.mark.parametrize("index", ["ord", "alkanes"])
async def test_a_lagging_index_is_not_believed(faulty: Faulty, index: str) -> None:
    faulty.add(FaultKind.LAG, index, amount=2)
    with pytest.raises(IndexerLagging, match=index):
        await faulty.chain("honest", indexes="faulty").holdings([faulty.rune], verify=True)
    assert not (await faulty.chain("honest", indexes="faulty").holdings([faulty.rune]))[faulty.rune].complete


async def test_an_index_one_block_late_knows_nothing_of_that_block(faulty: Faulty) -> None:
    faulty.add(FaultKind.LAG, "alkanes", amount=1)
    held = await faulty.chain("honest", indexes="faulty").holdings([faulty.rune, faulty.alkane], verify=True)
    assert held[faulty.alkane].alkanes is None and held[faulty.rune].complete


async def test_an_index_switched_off_tells_nothing(faulty: Faulty) -> None:
    faulty.add(FaultKind.NULL, "ord")
    held = (await faulty.chain("honest", indexes="faulty").holdings([faulty.rune], verify=True))[faulty.rune]
    assert (held.runes, held.inscriptions, held.is_clean) == (None, None, False)


@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMIT, FaultKind.BROKEN, FaultKind.DROP, FaultKind.DELAY])
async def test_what_passes_is_waited_for(faulty: Faulty, kind: FaultKind) -> None:
    faulty.add(kind, left=3)
    held = await faulty.chain("faulty", indexes="faulty").holdings([faulty.rune], verify=True)
    assert held[faulty.rune].assets == {faulty.asset: 1000}


@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMIT, FaultKind.BROKEN, FaultKind.DROP, FaultKind.GARBAGE])
async def test_what_stays_is_an_error_of_the_chain(faulty: Faulty, kind: FaultKind) -> None:
    faulty.add(kind)
    with pytest.raises(ChainError):
        await faulty.chain("faulty", indexes="faulty").holdings([faulty.rune], verify=True)


async def test_a_server_that_never_answers_ends_in_time(faulty: Faulty) -> None:
    faulty.add(FaultKind.DELAY, amount=600_000)
    with pytest.raises(ChainUnreachable):
        await faulty.chain("faulty").tip()


async def test_a_broadcast_that_one_server_swallows_reaches_the_other(faulty: Faulty) -> None:
    node = faulty.service.node
    txid = faulty.service.faucet.give(SCRIPT, BTC, 50_000)
    raw = node.mempool.waiting[txid].transaction.serialize()
    node.forget(txid)
    faulty.add(FaultKind.SWALLOW, "api")
    assert await faulty.chain("faulty").broadcast(raw) == txid
    assert txid not in node.mempool.waiting
    assert await faulty.chain("faulty", "honest").broadcast(raw) == txid
    assert txid in node.mempool.waiting
