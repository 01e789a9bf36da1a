"""`darkswap-regtest`: a local chain as one command. `--help` tells everything."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from darkswap_browser import logs
from darkswap_browser.errors import DarkSwapError
from darkswap_browser.regtest.chain.policy import LENIENT, STRICT
from darkswap_browser.regtest.servers.control import assets_of
from darkswap_browser.regtest.service import RegtestOptions, RegtestService
from darkswap_browser.version import VERSION

DEFAULT_PORT = 9097
ABOUT = """\
A Bitcoin regtest chain of your own. Bitcoin Core's validation code judges every block and every signature; beside it
stand the servers that a page asks: Esplora (/api), ord (/ord), alkanes (/alkanes), and verbs to command it (/regtest).
"""
EPILOG = """\
The first line on standard output is JSON: {"event": "ready", "url": …}. SIGTERM or Ctrl-C ends it; a killed process
starts again where it was. Verbs are POSTs of JSON:
    /regtest/mine {"blocks": 6}      /regtest/faucet {"address": "bcrt1…", "asset": "BTC", "atoms": 100000}
    /regtest/reorg {"depth": 2}      /regtest/fault {"kind": "lag", "count": 3}
"""


def parse_options(arguments: Sequence[str]) -> RegtestOptions:
    """Exits with the usual message of a command line when an option is wrong."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("darkswap-regtest", description=ABOUT, epilog=EPILOG, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"darkswap-regtest {VERSION}")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("darkswap-regtest"), help="folder (default %(default)s)")
    parser.add_argument(
        "--block-seconds",
        type=float,
        default=10.0,
        help="a block this often while something waits and six blocks on; 0: on demand only (default %(default)s)",
    )
    rules = parser.add_mutually_exclusive_group()
    rules.add_argument(
        "--strict", action="store_const", const=STRICT, dest="rules", help="one OP_RETURN of 83 bytes (default)"
    )
    rules.add_argument(
        "--lenient", action="store_const", const=LENIENT, dest="rules", help="relay what Core 30 relays by default"
    )
    chosen = parser.parse_args(arguments)
    if chosen.block_seconds < 0:
        parser.error("--block-seconds cannot be negative")
    return RegtestOptions(
        folder=chosen.data,
        host=chosen.host,
        port=chosen.port,
        block_seconds=chosen.block_seconds,
        rules=chosen.rules or STRICT,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 after an orderly end, 1 when it could not start."""
    options = parse_options(sys.argv[1:] if arguments is None else arguments)
    try:
        logs.configure(os.environ.get(logs.VARIABLE, ""), logging.Formatter(logs.FORMAT), {logs.ROOT: logging.WARNING})
        return asyncio.run(_serve(options))
    except DarkSwapError as error:
        sys.stderr.write(f"darkswap-regtest: {error}\n" + (f"{error.hint}\n" if error.hint else ""))
        return 1
    except OSError as error:
        sys.stderr.write(f"darkswap-regtest: {error.strerror or error}\n")
        return 1


async def _serve(options: RegtestOptions) -> int:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with RegtestService(options) as service:
        ready = {"event": "ready", "url": service.url, "assets": assets_of(service.faucet)}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await ended.wait()
    return 0
