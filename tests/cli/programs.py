"""`darkswap` as the process a user would start, beside a relay and a regtest chain."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import NO_FOLDER

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 40.0
"""Seconds for which the test waits for something of a program before it ends it, so that it fails and does not hang."""
Event = Mapping[str, Any]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "darkswap_browser.cli", *arguments]


def environment(**more: str) -> dict[str, str]:
    own = {key: value for key, value in os.environ.items() if not key.startswith("DARKSWAP_")}
    return {**own, "PYTHONPATH": str(ROOT), "DARKSWAP_DATA": NO_FOLDER, **more}


class Person:
    """Who has a wallet in a folder, opened without a passphrase."""

    def __init__(self, folder: Path, config: Path) -> None:
        self._where = ("--data", str(folder), "--config", str(config))

    def run(self, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
        """`answer`: what is typed, without a terminal."""
        return subprocess.run(
            command(*self._where, *arguments),
            cwd=ROOT,
            env=environment(DARKSWAP_PASSPHRASE=""),
            input=answer,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def ask(self, *arguments: str) -> Any:
        """The value of a verb that succeeds."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self, *arguments: str) -> Program:
        return Program(command(*self._where, *arguments, "--json"))


class Program:
    """A verb that goes on, telling a JSON object a line. A context manager."""

    def __init__(self, line: list[str]) -> None:
        self._process = subprocess.Popen(
            line,
            cwd=ROOT,
            env=environment(DARKSWAP_PASSPHRASE=""),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Only while something of this program is waited for: the time that others beside it take is not its own."""
        watchdog = threading.Timer(PATIENCE, self._process.kill)
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def until(self, wanted: Callable[[Event], bool]) -> Event:
        """The first event from here on that is wanted."""
        assert self._process.stdout is not None
        told = []
        with self._watched():
            for line in self._process.stdout:
                event: Event = json.loads(line)
                if wanted(event):
                    return event
                told.append(event["event"])
        raise AssertionError(f"it ended with {self._process.wait()} after {told}: {self._errors()}")

    def event(self, kind: str) -> Event:
        return self.until(lambda event: event["event"] == kind)

    def events(self, *kinds: str) -> dict[str, Event]:
        """The first of each kind, in whatever order they come."""
        found: dict[str, Event] = {}
        while len(found) < len(kinds):
            event = self.until(lambda event: event["event"] in set(kinds) - set(found))
            found[event["event"]] = event
        return found

    def sent(self) -> Event:
        """The trade whose transaction the network has."""
        return self.until(
            lambda event: {"name": "confirm", "state": "active"} in event.get("trade", {}).get("steps", ())
        )

    def ends(self) -> int:
        """By itself: its exit status."""
        return self._process.wait(PATIENCE)

    def end(self, number: int = signal.SIGTERM) -> int:
        self._process.send_signal(number)
        return self.ends()

    def errors(self) -> str:
        """What it said on standard error, once it has ended."""
        self.ends()
        return self._errors()

    def _errors(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.read()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
