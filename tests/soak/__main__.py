"""Plays trades over a bad network on all cores; ends with the first broken promise.

`soak channels` visits every state of two channel ends instead, in worlds too large for the tests; `soak faults` tells
what becomes of messages when ends, the relay or paths fail.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

from tests.protocols.channels.explored_side import PromiseBroken
from tests.soak import faults
from tests.soak.channels import explore_all
from tests.soak.crowd import play


def main(arguments: list[str]) -> int:
    if arguments == ["channels"]:
        return explore_channels()
    if arguments == ["faults"]:
        logging.disable(logging.CRITICAL)
        return 0 if faults.all_rows() else 1
    parser = argparse.ArgumentParser(prog="build.py soak", description=__doc__)
    parser.add_argument("schedules", type=int, nargs="?", default=1_000_000, help="how many (default 1000000)")
    parser.add_argument("first_seed", type=int, nargs="?", default=0, help="of the first schedule (default 0)")
    options = parser.parse_args(arguments)
    count, first = options.schedules, options.first_seed
    started, done = time.monotonic(), 0
    try:
        for done in play(first, count):
            rate = done / (time.monotonic() - started)
            print(f"\r{done} of {count} schedules, {rate:.0f} a second", end="", file=sys.stderr, flush=True)
    except AssertionError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    print(f"\n{done} schedules kept every promise.", file=sys.stderr)
    return 0


def explore_channels() -> int:
    try:
        explore_all()
    except PromiseBroken as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
