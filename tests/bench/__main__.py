"""`build.py bench`: every row beside a peer in the same run, as a table and as JSON.

Traffic stays on this machine's loopback addresses and ends by itself.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import hostile, rows, trading
from tests.bench.orders import orders
from tests.bench.row import Row, table
from tests.bench.runestones import runestones

PARTS: dict[str, Callable[[], list[Row]]] = {
    "size": rows.wheel_size,
    "start": rows.start_up,
    "channel": rows.channel,
    "far": rows.far_dial,
    "hop": rows.task_hop,
    "relayed": rows.relayed,
    "relay": rows.relay,
    "floods": hostile.floods,
    "returning": hostile.returning,
    "page-flood": hostile.page_under_flood,
    "costs": hostile.worst_costs,
    "runestones": runestones,
    "take": trading.take,
    "verify": trading.verification,
    "orders": orders,
    "trading": trading.start_up,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="build.py bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which parts (default: all)")
    parser.add_argument("--json", type=Path, default=Path("artifacts/bench.json"), help="where the figures go")
    options = parser.parse_args()
    found: list[Row] = []
    for name in options.parts or PARTS:
        started = time.monotonic()
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        found.extend(PARTS[name]())
        print(f"  {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    print(table(found))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "system": platform.platform(), "at": int(time.time())}
    options.json.write_text(json.dumps({"machine": machine, "rows": [row.to_json() for row in found]}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
