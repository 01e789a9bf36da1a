"""`build.py lab [--full] [NAME …]`: each row is measured, printed and judged; the exit code says whether all held."""

from __future__ import annotations

import argparse
import sys
import time

from tests.lab import endings, faults, holders, paths, urgent
from tests.lab.lab import ClientFailed, Lab


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="build.py lab", description="Real networks on this machine, as rows that must hold."
    )
    parser.add_argument("--full", action="store_true", help="every row; without it those of about four minutes")
    parser.add_argument("names", nargs="*", help="only rows whose name holds one of these texts")
    options = parser.parse_args()
    began = time.monotonic()
    failed = rows = 0
    with Lab() as lab:
        for row in [
            row
            for part in (paths, faults, endings, holders, urgent)
            for row in part.rows(options.names, full=options.full)
        ]:
            try:
                found = row(lab)
            except (ClientFailed, AssertionError) as error:
                print(f"FAILED: {error}", flush=True)
                failed, rows = failed + 1, rows + 1
                lab.fresh()
                continue
            for each in found:
                print(each, flush=True)
            failed += sum(bool(each.faults) for each in found)
            rows += len(found)
    print(f"{rows - failed} of {rows} rows held, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
