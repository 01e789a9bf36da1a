"""The relay's log: one JSON object a line. Peers appear by the end of their id, addresses not at all."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

Value = str | int | float | bool | None

EVENTS = logging.getLogger("darkswap_browser.relayd")
DETAILS = logging.getLogger("darkswap_browser.relayd.details")
"""One line per reservation and circuit."""


class JsonFormatter(logging.Formatter):
    """`event` is the message; what `extra={"fields": …}` holds stands beside it, None left out."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Value] = {"ts": moment, "level": record.levelname.lower(), "event": record.getMessage()}
        fields: dict[str, Value] = getattr(record, "fields", {})
        line |= {name: value for name, value in fields.items() if value is not None}
        if record.exc_info:
            line |= {"logger": record.name, "traceback": self.formatException(record.exc_info)}
        return json.dumps(line, ensure_ascii=False)


class RelayLog:
    """Events with fields."""

    def info(self, event: str, **fields: Value) -> None:
        EVENTS.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: Value) -> None:
        EVENTS.warning(event, extra={"fields": fields})

    def detail(self, event: str, **fields: Value) -> None:
        DETAILS.info(event, extra={"fields": fields})
