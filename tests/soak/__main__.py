"""python -m tests.soak [SCHEDULES [FIRST_SEED]]: plays trades on all cores; ends with the first broken promise."""

from __future__ import annotations

import sys
import time

from tests.soak.crowd import play


def main(arguments: list[str]) -> int:
    count, first = ([int(each) for each in arguments] + [1_000_000, 0][len(arguments) :])[:2]
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
