"""`darkswap-relay`: a libp2p circuit relay as one command. `--help` tells everything."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from asyncio import sslproto
from collections.abc import Sequence

from darkswap_browser import logs
from darkswap_browser.errors import DarkSwapError
from darkswap_browser.relayd.daemon import RelayDaemon
from darkswap_browser.relayd.log import DETAILS, EVENTS, JsonFormatter, LoopFaults, RelayLog
from darkswap_browser.relayd.options import RelayOptions, parse_options

TLS_BUFFER = 32 * 1024
"""Two TLS records. asyncio gives each connection 256 KiB before its first byte: 500 half-open ones had 160 MB."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 after an orderly end, 1 when the relay could not start."""
    options = parse_options(sys.argv[1:] if arguments is None else arguments)
    try:
        details = logging.INFO if options.verbose else logging.WARNING
        levels = {logs.ROOT: logging.WARNING, EVENTS.name: logging.INFO, DETAILS.name: details}
        logs.configure(os.environ.get(logs.VARIABLE, ""), JsonFormatter(), levels)
        return asyncio.run(_serve(options))
    except DarkSwapError as error:
        sys.stderr.write(f"darkswap-relay: {error}\n" + (f"{error.hint}\n" if error.hint else ""))
        return 1


async def _serve(options: RelayOptions) -> int:
    log = RelayLog()
    # This process is ours alone, and asyncio has no argument for it.
    sslproto.SSLProtocol.max_size = TLS_BUFFER
    asyncio.get_running_loop().set_exception_handler(LoopFaults(log).handle)
    node = await RelayDaemon.open(options, log)
    await node.start()
    ready = {
        "event": "ready",
        "peer_id": node.peer_id,
        "addresses": node.addresses,
        "admin": node.admin,
        "stun": node.stun_port,
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    log.info("started", peer=node.peer_id[-8:], reservations=options.limits.reservations)
    signals = _signals()
    log.info("draining", reason=await signals.get())
    started = time.monotonic()
    stopping, again = asyncio.create_task(node.stop()), asyncio.create_task(signals.get())
    await asyncio.wait((stopping, again), return_when=asyncio.FIRST_COMPLETED)
    again.cancel()
    if stopping.done():
        reason = "drained" if stopping.result() else "timeout"
    else:
        stopping.cancel()
        reason = "interrupted"
    log.info("stopped", reason=reason, dur_ms=round((time.monotonic() - started) * 1000))
    return 0


def _signals() -> asyncio.Queue[str]:
    """Names of the signals that ask us to end; the second one will not wait for circuits."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Queue[str] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.put_nowait, number.name)
    return asked
