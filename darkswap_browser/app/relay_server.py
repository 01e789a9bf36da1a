"""`darkswap-relay`: a libp2p circuit relay as one command. `--help` tells everything."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence

from darkswap_browser.app.relay.log import JsonLog
from darkswap_browser.app.relay.node import RelayNode
from darkswap_browser.app.relay.options import RelayOptions, parse_options
from darkswap_browser.errors import DarkSwapError


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 after an orderly end, 1 when the relay could not start."""
    options = parse_options(sys.argv[1:] if arguments is None else arguments)
    try:
        return asyncio.run(_serve(options))
    except DarkSwapError as error:
        sys.stderr.write(f"darkswap-relay: {error}\n" + (f"{error.hint}\n" if error.hint else ""))
        return 1


async def _serve(options: RelayOptions) -> int:
    log = JsonLog(_to_stderr, time.time, verbose=options.verbose)
    node = RelayNode(options, log)
    ready = await node.start()
    announcement = {"event": "ready", "peer_id": ready.peer_id, "addresses": ready.addresses, "admin": ready.admin}
    sys.stdout.write(json.dumps(announcement) + "\n")
    sys.stdout.flush()
    log.info("started", peer=ready.peer_id[-8:], reservations=options.limits.reservations)
    name = await _asked_to_stop()
    log.info("draining", reason=name)
    started = time.monotonic()
    finished = await node.stop()
    log.info("stopped", reason="drained" if finished else "timeout", dur_ms=round((time.monotonic() - started) * 1000))
    return 0


async def _asked_to_stop() -> str:
    """The name of the signal."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[str] = loop.create_future()

    def ask(name: str) -> None:
        if not asked.done():
            asked.set_result(name)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask, number.name)
    return await asked


def _to_stderr(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
