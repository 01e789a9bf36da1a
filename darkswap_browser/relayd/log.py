"""The relay's log: one JSON object a line. Peers appear by the end of their id, addresses not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

Value = str | int | float | bool | None


class JsonLog:
    """`write` takes whole lines. `detail` lines (one per reservation and circuit) appear only when `verbose`."""

    def __init__(self, write: Callable[[str], object], now: Callable[[], float], *, verbose: bool = False) -> None:
        self._write = write
        self._now = now
        self._verbose = verbose

    def info(self, event: str, **fields: Value) -> None:
        self._line("info", event, fields)

    def warning(self, event: str, **fields: Value) -> None:
        self._line("warning", event, fields)

    def detail(self, event: str, **fields: Value) -> None:
        if self._verbose:
            self._line("info", event, fields)

    def _line(self, level: str, event: str, fields: dict[str, Value]) -> None:
        moment = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds")
        known = {name: value for name, value in fields.items() if value is not None}
        self._write(json.dumps({"ts": moment, "level": level, "event": event, **known}, ensure_ascii=False) + "\n")
