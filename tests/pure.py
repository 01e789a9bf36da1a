"""`build.py test --pure`: the tests that neither wait nor ask the host, in two pytest processes at once.

Each collects its own folders alone and reports to nobody: two workers of pytest-xdist, which each collect everything
and send every report to a third process, took longer than one process for the same tests. With arguments for pytest
they run in one process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from tests.support.examples import QUICK

# Each takes about half of the time.
GROUPS = (
    ("tests/wire", "tests/identity", "tests/bitcoin", "tests/market", "tests/net", "tests/storage"),
    ("tests/protocols",),
)


def command(folders: Sequence[str], arguments: Sequence[str] = ()) -> list[str]:
    return [sys.executable, "-m", "pytest", "-q", *folders, *arguments]


def run(groups: Sequence[Sequence[str]]) -> int:
    """Run each group in a process of its own; print their outputs one after the other.

    Returns:
        The first exit code that is not 0, or 0.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory() as folder:
        outputs = [None, *(os.path.join(folder, str(number)) for number in range(1, len(groups)))]
        try:
            for group, output in zip(groups, outputs, strict=True):
                with open(output or os.devnull, "wb") as file:
                    out = file if output else None
                    processes.append(subprocess.Popen(command(group), stdout=out, stderr=out))
            codes = []
            for process, output in zip(processes, outputs, strict=True):
                codes.append(process.wait())
                if output:
                    with open(output, encoding="utf-8", errors="replace") as written:
                        print(written.read(), end="", flush=True)
            return next((code for code in codes if code), 0)
        finally:
            for process in processes:
                process.terminate()


def main(arguments: Sequence[str]) -> int:
    os.environ[QUICK] = "yes"
    if arguments:
        every = [folder for group in GROUPS for folder in group]
        os.execv(sys.executable, command(every, arguments))
    return run(GROUPS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
