"""The regtest chain for tests: in this process (`regtest_service`), or as the process a user would start."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from darkswap_browser.regtest.service import RegtestOptions, RegtestService

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0


@asynccontextmanager
async def regtest_service(folder: Path, **options: Any) -> AsyncIterator[RegtestService]:
    """For tests marked native: it listens on a free port, `service.url`; `service.node` and `service.faucet.funds`
    are at hand. Blocks on demand only, unless `block_seconds` says otherwise.
    """
    async with RegtestService(RegtestOptions(folder=folder, **options)) as service:
        yield service


class RegtestProcess:
    """`python -m darkswap_browser.regtest` on a free port. A context manager; `kill` is kill -9."""

    def __init__(self, folder: Path, *arguments: str, port: int = 0) -> None:
        command = [sys.executable, "-m", "darkswap_browser.regtest", "--data", str(folder), "--port", str(port)]
        self._process = subprocess.Popen(
            [*command, "--block-seconds", "0", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the regtest service ended with {self._process.wait()}")
        said = json.loads(line)
        self.url: str = said["url"]
        self.assets: list[dict[str, Any]] = said["assets"]

    @property
    def page_config(self) -> dict[str, Any]:
        """As `/config.json` has it: with the assets that the page offers by name."""
        config = self.config
        return {**config, "chain": {**config["chain"], "assets": self.assets}}

    @property
    def config(self) -> dict[str, Any]:
        """A node's configuration."""
        return {
            "bitcoin": {"network": "regtest"},
            "chain": {
                "esplora": [f"{self.url}/api"],
                "ord": [f"{self.url}/ord"],
                "alkanes": [f"{self.url}/alkanes"],
                "faucet": f"{self.url}/regtest/faucet",
            },
        }

    def get(self, path: str) -> Any:
        """Text, or the value when the answer is JSON. Raises `HTTPError`."""
        return _ask(Request(self.url + path, headers={"Accept": "application/json"}))

    def post(self, path: str, value: Any) -> Any:
        """`value`: a text as it is, anything else as JSON. Raises `HTTPError`."""
        body = value if isinstance(value, str) else json.dumps(value)
        return _ask(Request(self.url + path, data=body.encode(), headers={"Content-Type": "application/json"}))

    def mine(self, blocks: int = 1) -> list[str]:
        return list(self.post("/regtest/mine", {"blocks": blocks})["hashes"])

    def mine_with(self, txid: str, blocks: int = 1) -> None:
        """As soon as the network has that transaction."""
        until = time.monotonic() + PATIENCE
        while txid not in self.get("/api/mempool/txids"):
            if time.monotonic() > until:
                raise TimeoutError(f"{txid} did not come")
        self.mine(blocks)

    def faucet(self, address: str, asset: str = "BTC", atoms: int | None = None) -> str:
        """The txid, confirmed by one block."""
        wanted = {"address": address, "asset": asset} | ({} if atoms is None else {"atoms": str(atoms)})
        return str(self.post("/regtest/faucet", wanted)["txid"])

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._finish()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self._process.terminate()
        return self._finish()

    def _finish(self) -> int:
        code = self._process.wait(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def __enter__(self) -> RegtestProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()


def _ask(request: Request) -> Any:
    try:
        with urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read().decode()
            return json.loads(text) if answer.headers.get_content_type() == "application/json" else text
    except HTTPError as error:
        error.add_note(error.read().decode())
        raise
