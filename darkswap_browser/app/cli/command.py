"""`darkswap`: a node without a page, from a terminal. `--help` tells everything."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

from darkswap_browser.app.cli import order_verbs, trade_verbs, wallet_verbs
from darkswap_browser.app.cli.asking import SystemTerminal
from darkswap_browser.app.cli.options import Options, parse_options
from darkswap_browser.app.cli.output import Output
from darkswap_browser.app.cli.session import Session
from darkswap_browser.errors import DarkSwapError, InvalidArgument
from darkswap_browser.runtime.native.data_folder import DATABASE
from darkswap_browser.runtime.native.host import native_runtime

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130
VERBS: Mapping[tuple[str, str], Callable[[Session], Awaitable[int | None]]] = {
    ("wallet", "create"): wallet_verbs.create,
    ("wallet", "restore"): wallet_verbs.restore,
    ("wallet", "show"): wallet_verbs.show,
    ("wallet", "coins"): wallet_verbs.coins,
    ("wallet", "words"): wallet_verbs.words,
    ("wallet", "freeze"): wallet_verbs.freeze,
    ("wallet", "unfreeze"): wallet_verbs.unfreeze,
    ("wallet", "release"): wallet_verbs.release,
    ("wallet", "faucet"): wallet_verbs.faucet,
    ("order", "sell"): order_verbs.sell,
    ("order", "buy"): order_verbs.buy,
    ("order", "serve"): order_verbs.serve,
    ("order", "list"): order_verbs.listing,
    ("order", "show"): order_verbs.show,
    ("order", "cancel"): order_verbs.cancel,
    ("order", "pause"): order_verbs.pause,
    ("order", "resume"): order_verbs.resume,
    ("order", "change"): order_verbs.change,
    ("take", "take"): trade_verbs.take,
    ("trades", "list"): trade_verbs.listing,
    ("trades", "show"): trade_verbs.show,
    ("trades", "cancel"): trade_verbs.cancel,
    ("trades", "revoke"): trade_verbs.revoke,
    ("trades", "wait"): trade_verbs.wait,
    ("trades", "resume"): trade_verbs.resume,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status, as `--help` explains it."""
    environment = dict(os.environ)
    options = parse_options(sys.argv[1:] if arguments is None else arguments, environment)
    out = Output(sys.stdout, sys.stderr, json=options.json)
    try:
        return asyncio.run(_run(options, out, environment))
    except DarkSwapError as error:
        out.failure(error)
        return FAILED
    except (asyncio.CancelledError, KeyboardInterrupt):
        out.remark(
            "Interrupted. What was going on is kept: `darkswap trades` shows it, `darkswap trades resume` goes on."
        )
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read is gone; the interpreter must not try to write the rest when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


async def _run(options: Options, out: Output, environment: Mapping[str, str]) -> int:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    runtime = native_runtime(str(options.data / DATABASE))
    try:
        session = await Session.open(options, runtime, out, SystemTerminal(), environment)
    except InvalidArgument as error:
        out.failure(error)
        return MISUSED
    return await VERBS[options.verb](session) or DONE
