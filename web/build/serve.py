"""`build.py serve`: a relay, a regtest chain and the page that knows them, until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from web.build.dist import DIST
from web.build.server import Site, WebServer
from web.build.wheels import ROOT

IDENTITY = ROOT / ".cache" / "relay-identity"
LOG = ROOT / ".cache" / "relay.log"
CHAIN = ROOT / ".cache" / "regtest"
CHAIN_LOG = ROOT / ".cache" / "regtest.log"
RELAY = "darkswap_browser.relayd"
# What a relay gets to finish after it was told to end, before it is ended; seconds.
PATIENCE = 5.0


class Refused(Exception):
    """Serving cannot begin; says in one sentence what to do."""


def free(port: int, option: str) -> None:
    """Refuses with a sentence when someone listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise Refused(f"Port {port} {why}: choose another with {option} PORT.") from error


class Process:
    """A program beside the web server, which says in one line of JSON when it is ready."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path) -> None:
        self._name = name
        self._log = log
        log.parent.mkdir(exist_ok=True)
        with log.open("wb") as file:
            command = [sys.executable, "-m", *arguments]
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=file)

    def ready(self) -> dict[str, Any]:
        """Waits until it listens; what it said then."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(b"{") and (said := json.loads(line)).get("event") == "ready":
                return dict(said)
        raise self._ended("did not start")

    def wait(self) -> NoReturn:
        self._process.wait()
        raise self._ended("ended")

    def _ended(self, how: str) -> Refused:
        why = self._log.relative_to(ROOT) if self._log.is_relative_to(ROOT) else self._log
        return Refused(f"The {self._name} {how} (exit code {self._process.wait()}): read why in {why}.")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def relay(port: int, arguments: Sequence[str]) -> Process:
    """Addresses of a relay end with its peer id."""
    command = [RELAY, "--identity", str(IDENTITY), "--admin", "off"]
    return Process("relay", [*command, "--listen", f"/ip4/127.0.0.1/tcp/{port}/ws", *arguments], LOG)


def chain(port: int, folder: Path, block_seconds: float) -> Process:
    command = ["darkswap_browser.regtest", "--port", str(port), "--data", str(folder)]
    return Process("regtest chain", [*command, "--block-seconds", str(block_seconds)], CHAIN_LOG)


def chain_config(url: str, assets: Sequence[Any]) -> dict[str, Any]:
    """What `/config.json` says of a regtest service. `assets`: what its faucet gives, for the page to offer."""
    servers = {name: [f"{url}/{path}"] for name, path in (("esplora", "api"), ("ord", "ord"), ("alkanes", "alkanes"))}
    return {
        "bitcoin": {"network": "regtest"},
        "chain": {**servers, "faucet": f"{url}/regtest/faucet", "assets": assets},
    }


def chain_or_not(started: Process) -> dict[str, Any]:
    """Its part of the configuration; empty, and said, when it did not start: the page has a use without it."""
    try:
        said = started.ready()
    except Refused as refusal:
        print(f"{refusal} The page is served without trades.", file=sys.stderr, flush=True)
        return {}
    print(f"Chain  {said['url']}", flush=True)
    return chain_config(str(said["url"]), said["assets"])


def run(options: argparse.Namespace, relay_arguments: Sequence[str]) -> None:
    for name in ("port", "relay_port", "chain_port"):
        if getattr(options, name):
            free(getattr(options, name), f"--{name.replace('_', '-')}")
    with contextlib.ExitStack() as stack:
        introducer = relay(options.relay_port, relay_arguments)
        stack.callback(introducer.stop)
        coins = chain(options.chain_port, options.chain_data, options.block_seconds)
        stack.callback(coins.stop)
        addresses = introducer.ready()["addresses"]
        print(f"Relay  {addresses[0]}", flush=True)
        site = Site({"/": options.folder})
        site.configure({"relays": [*addresses, *options.relay], "network": {}, **chain_or_not(coins)})
        server = WebServer(site, options.port)
        stack.callback(server.close)
        print(f"Page   {server.url.replace('127.0.0.1', 'localhost')}/   (Ctrl-C ends all)", flush=True)
        introducer.wait()


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="build.py serve", description=__doc__, epilog="What follows -- goes to the relay; `-- --help` lists it."
    )
    parser.add_argument("--port", type=int, default=8000, help="of the page; 0 takes a free one (default 8000)")
    parser.add_argument("--relay-port", type=int, default=9095, help="of the relay; 0 takes a free one (default 9095)")
    parser.add_argument("--chain-port", type=int, default=9097, help="of the chain; 0 takes a free one (default 9097)")
    parser.add_argument("--chain-data", type=Path, default=CHAIN, help="its folder; delete it to begin anew")
    parser.add_argument("--block-seconds", type=float, default=10.0, help="between the chain's blocks (default 10)")
    parser.add_argument("--relay", action="append", default=[], metavar="MULTIADDR", help="one more relay for the page")
    parser.add_argument("--folder", type=Path, default=DIST, help="what is served (default dist/)")
    own = list(arguments)
    rest = own[own.index("--") + 1 :] if "--" in own else []
    options = parser.parse_args(own[: len(own) - len(rest) - ("--" in own)])
    if not {"-h", "--help"}.isdisjoint(rest):
        return subprocess.call([sys.executable, "-m", RELAY, "--help"], cwd=ROOT)
    signal.signal(signal.SIGTERM, _end)
    try:
        run(options, rest)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
