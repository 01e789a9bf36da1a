"""`darkswap-regtest` as a process: ready, verbs, the end, and kill -9."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError

import pytest

from darkswap_browser.errors import ListenFailed
from tests.support.regtest import RegtestProcess

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def test_a_killed_process_starts_again_where_it_was(tmp_path: Path) -> None:
    with RegtestProcess(tmp_path) as first:
        paid = first.faucet(ADDRESS)
        first.mine(3)
        first.post("/regtest/reorg", {"depth": 1})
        waiting = first.post("/regtest/faucet", {"address": ADDRESS, "mine": False})["txid"]
        tip, coins = first.get("/api/blocks/tip/hash"), first.get(f"/api/address/{ADDRESS}/utxo")
        assert {each["txid"] for each in coins} == {paid, waiting}
        first.kill()
    journal = tmp_path / "chain.journal"
    with journal.open("ab") as file:
        file.write(b"B\xff\x00\x00\x00torn")
    with RegtestProcess(tmp_path) as second:
        assert second.get("/api/blocks/tip/hash") == tip
        assert second.get(f"/api/address/{ADDRESS}/utxo") == coins
        second.mine()
        assert second.get(f"/api/tx/{waiting}/status")["confirmed"] is True
        assert second.stop() == 0


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    with RegtestProcess(tmp_path) as service:
        with pytest.raises(HTTPError) as refused:
            service.faucet("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
        assert refused.value.code == 400
        assert "is not an address of regtest" in refused.value.__notes__[0]


def test_port_in_use_is_named_with_what_to_do(tmp_path: Path) -> None:
    with RegtestProcess(tmp_path / "first") as first:
        port = first.url.rpartition(":")[2]
        command = [sys.executable, "-m", "darkswap_browser.regtest", "--port", port, "--data", str(tmp_path / "second")]
        second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert second.returncode == 1
    assert f"darkswap-regtest: cannot listen on 127.0.0.1 port {port}: " in second.stderr
    assert second.stderr.endswith(f"{ListenFailed.hint}\n")
