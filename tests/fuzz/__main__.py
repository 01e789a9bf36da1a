"""python -m tests.fuzz TARGET [--seconds N] [--seed N] | TARGET --input FILE | all | list"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.fuzz.engine import Finding, Fuzzer
from tests.fuzz.targets import TARGETS

SHOWN = 100
"""Bytes of a finding put on the screen; the whole is in a file."""


def report(name: str, finding: Finding) -> int:
    print(f"\n{name}: {type(finding.error).__name__} from {len(finding.data)} bytes")
    traceback.print_exception(finding.error)
    kept = Path(tempfile.gettempdir()) / f"darkswap-fuzz-{name}.bin"
    kept.write_bytes(finding.data)
    shown = finding.data.hex() if len(finding.data) <= SHOWN else f"{finding.data[:SHOWN].hex()}…"
    print(f"input: {shown}\nagain: python3 build.py fuzz {name} --input {kept}")
    return 1


def fuzz(name: str, seconds: float, seed: int) -> int:
    fuzzer = Fuzzer(TARGETS[name], seed)
    until = time.monotonic() + seconds
    finding = fuzzer.begin()
    told = time.monotonic()
    while finding is None and time.monotonic() < until:
        finding = fuzzer.step()
        if time.monotonic() - told > 2:
            told = time.monotonic()
            print(f"\r{name}: {fuzzer.executions} inputs, {len(fuzzer.edges)} edges", end="", flush=True)
    if finding is not None:
        return report(name, fuzzer.shrink(finding))
    print(f"\r{name}: {fuzzer.executions} inputs, {len(fuzzer.edges)} edges, {len(fuzzer.corpus)} kept, nothing found")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="build.py fuzz", description="Feed one decoder hostile bytes.")
    parser.add_argument("target", nargs="?", default="list", choices=[*TARGETS, "all", "list"], metavar="TARGET",
                        help="a decoder, `all`, or `list` for their names")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=30.0, help="per target (30)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another run (0)")
    parser.add_argument("--input", help="run this one input: a file, or hexadecimal")
    options = parser.parse_args()
    if options.target == "list":
        print("\n".join(TARGETS))
        return 0
    names = list(TARGETS) if options.target == "all" else [options.target]
    if options.input is not None:
        path = Path(options.input)
        data = path.read_bytes() if path.is_file() else bytes.fromhex(options.input)
        finding = Fuzzer(TARGETS[names[0]]).run(data)
        print("nothing found" if finding is None else "")
        return 0 if finding is None else report(names[0], finding)
    return max(fuzz(name, options.seconds, options.seed) for name in names)


if __name__ == "__main__":
    sys.exit(main())
