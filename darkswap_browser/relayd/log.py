"""The relay's log: one JSON object a line. Peers appear by the end of their id, addresses not at all."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from typing import Any

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


REPEATED = 10.0
"""Seconds between two lines about the same fault of the event loop."""
MAX_KINDS = 64
"""Faults told apart."""


class LoopFaults:
    """What the event loop reports, one line for each kind of it in `REPEATED` seconds.

    A process out of descriptors has a hundred failed `accept` calls a turn, and asyncio tells each with a traceback.
    """

    def __init__(self, log: RelayLog) -> None:
        self._log = log
        self._told: dict[str, tuple[float, int]] = {}
        """Kind → when it was told last, and how often it came since."""

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's exception handler."""
        error = context.get("exception")
        kind = f"{context['message']}: {type(error).__name__}"
        at, since = self._told.get(kind, (loop.time() - REPEATED, 0))
        if loop.time() - at < REPEATED or (kind not in self._told and len(self._told) >= MAX_KINDS):
            self._told[kind] = at, since + 1
            return
        self._told[kind] = loop.time(), 0
        if isinstance(error, OSError):
            self._log.warning(context["message"], reason=error.strerror or type(error).__name__, repeated=since)
        else:
            EVENTS.error(context["message"], exc_info=error, extra={"fields": {"repeated": since}})
