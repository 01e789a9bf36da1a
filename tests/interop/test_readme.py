"""The README's Python, run as it stands but for the relay's address, or what its `main` is given."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from darkswap_browser import DarkSwap, NetworkConfig
from tests.interop.processes import ROOT, our_relay
from tests.support.readme import blocks
from tests.support.regtest import RegtestProcess

WORDS = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
"""Of BIP39's vectors."""


def test_the_python_of_the_readme_carries_a_message() -> None:
    code = blocks("python")[0]
    with our_relay() as relay:
        code, changed = re.subn(r'"/ip4/[^"]*"', f'"{relay}"', code)
        assert changed == 1
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.stdout, done.returncode) == ("b'hello'\n", 0), done.stderr


@pytest.mark.native
async def test_the_maker_of_the_readme_sells_to_a_taker(tmp_path: Path) -> None:
    with RegtestProcess(tmp_path) as chain, our_relay() as relay:
        config = {**chain.config, "network": {"relays": [relay]}, "identity": {"persist": False}}
        rune = next(each["asset"] for each in chain.assets if each["name"].startswith("DARK"))
        async with DarkSwap(NetworkConfig.from_mapping(config)) as taker:
            await taker.connect_wallet({"type": "seed", "mnemonic": WORDS})
            for purpose, asset in (("assets", rune), ("payment", "BTC")):
                await asyncio.to_thread(chain.faucet, await taker.get_address(purpose), asset)
            # The words are the maker's from here on.
            await taker.disconnect_wallet()
            await taker.connect_wallet({"type": "seed", "name": "takers"})
            await asyncio.to_thread(chain.faucet, await taker.get_address("payment"))
            given = json.dumps([config, WORDS, rune])
            (maker_code,) = (block for block in blocks("python") if "DarkSwap(" in block)
            code = f"{maker_code}\nimport json, sys\nasyncio.run(main(*json.loads(sys.argv[1])))"
            maker = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code, given, cwd=ROOT, stdout=subprocess.PIPE
            )
            assert maker.stdout is not None
            order = await taker.import_order((await maker.stdout.readline()).decode())
            trade = await taker.take_order(order.id)
            told: asyncio.Queue[None] = asyncio.Queue()
            taker.subscribe(lambda event: told.put_nowait(None))
            while (found := await taker.get_trade(trade.id)) is not None and found.raw is None:
                await told.get()
            assert found is not None and found.txid is not None
            await asyncio.to_thread(chain.mine_with, found.txid)
            assert (await taker.wait_for_trade(trade.id)).status == "completed"
            assert f"('{rune}', '900')" in (await maker.stdout.read()).decode()
            assert await maker.wait() == 0
