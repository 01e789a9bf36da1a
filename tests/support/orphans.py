"""Ends the processes that tests started and that outlive pytest, however pytest itself ends, `kill -9` included.

Every pytest process, a worker of pytest-xdist too, gives its environment a mark of its own, which whatever it starts
inherits, and starts one watcher: this file as a program. The watcher's input is a pipe whose other end pytest alone
holds, so that it ends when pytest does. Then the watcher kills every process that still carries the mark.
Processes are found through /proc; where there is none, nothing is ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

# Not `DARKSWAP_…`: tests take those out of the environment of what they start.
MARK = "STARTED_BY_PYTEST"
# How long a process may take to end by itself after pytest has ended in order, seconds.
GRACE = 2.0
ORDERLY = b"ended in order\n"


class Watcher:
    """Begins with its making; `close` at an orderly end."""

    def __init__(self) -> None:
        mark = uuid.uuid4().hex
        os.environ[MARK] = mark
        # Without an environment, so that the watcher of a pytest that a test starts does not carry the mark of the
        # outer one; in a session of its own, so that Ctrl-C leaves it to its work.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={},
            start_new_session=True,
        )

    def close(self) -> str:
        """What had to be ended, a process a line."""
        said, _ = self._process.communicate(ORDERLY)
        return said.decode()


def marked(mark: str) -> dict[int, str]:
    """The running processes that carry the mark: number → command line."""
    line = f"{MARK}={mark}".encode()
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if line in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:
            continue  # it has ended, or is somebody else's
    return found


def end_all(mark: str) -> dict[int, str]:
    """Kills them until none is left, since one may start another meanwhile."""
    ended: dict[int, str] = {}
    while left := marked(mark):
        ended |= left
        for number in left:
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
    return ended


def main(mark: str) -> None:
    orderly = sys.stdin.buffer.read() == ORDERLY
    if orderly:
        until = time.monotonic() + GRACE
        while marked(mark) and time.monotonic() < until:
            time.sleep(0.05)
    ended = end_all(mark)
    if orderly:
        print("".join(f"{number} {command}\n" for number, command in ended.items()), end="")


if __name__ == "__main__":
    main(sys.argv[1])
