"""`darkswap`: a node without a page, from a terminal. `--help` tells everything."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

from darkswap_browser import logs
from darkswap_browser.cli import doctor_command, order_commands, trade_commands, wallet_commands
from darkswap_browser.cli.options import Options, parse_options
from darkswap_browser.cli.output import Output
from darkswap_browser.cli.prompts import SystemTerminal
from darkswap_browser.cli.session import Session
from darkswap_browser.errors import DarkSwapError, InvalidArgument
from darkswap_browser.runtime.native.data_folder import DATABASE
from darkswap_browser.runtime.native.host import native_runtime

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130
VERBS: Mapping[tuple[str, str], Callable[[Session], Awaitable[int | None]]] = {
    ("wallet", "create"): wallet_commands.create,
    ("wallet", "restore"): wallet_commands.restore,
    ("wallet", "show"): wallet_commands.show,
    ("wallet", "coins"): wallet_commands.coins,
    ("wallet", "words"): wallet_commands.words,
    ("wallet", "freeze"): wallet_commands.freeze,
    ("wallet", "unfreeze"): wallet_commands.unfreeze,
    ("wallet", "release"): wallet_commands.release,
    ("wallet", "faucet"): wallet_commands.faucet,
    ("order", "sell"): order_commands.sell,
    ("order", "buy"): order_commands.buy,
    ("order", "serve"): order_commands.serve,
    ("order", "list"): order_commands.listing,
    ("order", "show"): order_commands.show,
    ("order", "cancel"): order_commands.cancel,
    ("order", "pause"): order_commands.pause,
    ("order", "resume"): order_commands.resume,
    ("order", "change"): order_commands.change,
    ("take", "take"): trade_commands.take,
    ("trades", "list"): trade_commands.listing,
    ("trades", "show"): trade_commands.show,
    ("trades", "cancel"): trade_commands.cancel,
    ("trades", "revoke"): trade_commands.revoke,
    ("trades", "bump"): trade_commands.bump,
    ("trades", "revoke-fee"): trade_commands.revoke_fee,
    ("trades", "wait"): trade_commands.wait,
    ("trades", "resume"): trade_commands.resume,
    ("doctor", "doctor"): doctor_command.doctor,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status, as `--help` explains it."""
    environment = dict(os.environ)
    options = parse_options(sys.argv[1:] if arguments is None else arguments, environment)
    out = Output(sys.stdout, sys.stderr, json=options.json)
    try:
        logs.configure(environment.get(logs.VARIABLE, ""), logging.Formatter(logs.FORMAT), {logs.ROOT: logs.SILENT})
        return asyncio.run(_run(options, out, environment))
    except DarkSwapError as error:
        out.failure(error)
        return FAILED
    except (asyncio.CancelledError, KeyboardInterrupt):
        out.print_note(
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
