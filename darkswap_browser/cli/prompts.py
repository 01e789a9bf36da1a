"""What is asked of the person at the terminal; secrets never stand on the command line."""

from __future__ import annotations

import asyncio
import getpass
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Protocol

from darkswap_browser.errors import InvalidArgument

PASSPHRASE = "DARKSWAP_PASSPHRASE"
MAX_LINE = 4096


class Terminal(Protocol):
    @property
    def is_interactive(self) -> bool:
        """Whether somebody sits at it."""
        ...

    def secret(self, prompt: str) -> str:
        """A line that is not shown while it is typed; waits, with everything else."""
        ...

    def rest(self) -> str:
        """Of standard input, where nobody sits at it."""
        ...

    async def line(self, prompt: str) -> str:
        """A line, while everything else goes on; empty at the end of the input."""
        ...


class SystemTerminal:
    @property
    def is_interactive(self) -> bool:
        return sys.stdin is not None and sys.stdin.isatty()

    def secret(self, prompt: str) -> str:
        # The event loop's own handler would keep Ctrl-C for later, when the loop runs again.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return getpass.getpass(prompt)
        except EOFError:
            return ""
        finally:
            signal.signal(signal.SIGINT, before)

    def rest(self) -> str:
        return sys.stdin.read(MAX_LINE)

    async def line(self, prompt: str) -> str:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[str] = loop.create_future()

        def answer(text: str) -> None:
            if not answered.done():
                answered.set_result(text)

        def read() -> None:
            # Not sys.stdin: a thread that waits in it would be in the way of the interpreter's end.
            data = os.read(0, MAX_LINE)
            if not loop.is_closed():
                loop.call_soon_threadsafe(answer, data.decode("utf-8", "replace"))

        sys.stderr.write(prompt)
        sys.stderr.flush()
        threading.Thread(target=read, daemon=True, name="terminal").start()
        return await answered


def passphrase(environment: Mapping[str, str], terminal: Terminal, *, twice: bool = False) -> str:
    """`twice`: of a wallet to be. Raises `InvalidArgument` when there is nobody to ask."""
    given = environment.get(PASSPHRASE)
    if given is not None:
        return given
    if not terminal.is_interactive:
        hint = f"Set {PASSPHRASE}, to nothing for an empty one, or run it at a terminal."
        raise InvalidArgument("passphrase", "cannot be asked for: there is no terminal", hint)
    first = terminal.secret("Passphrase of the wallet: ")
    if twice and terminal.secret("The same again: ") != first:
        raise InvalidArgument("passphrase", "was typed in two ways", "Try again.")
    return first


def prompt_mnemonic(terminal: Terminal) -> str:
    """Twelve or more, in one line."""
    given = terminal.secret("Words of the wallet: ") if terminal.is_interactive else terminal.rest()
    return " ".join(given.split())


async def confirm(terminal: Terminal, question: str) -> bool:
    """Only y or yes is one; the end of the input is not."""
    return (await terminal.line(f"{question} [y/N] ")).strip().lower() in ("y", "yes")
