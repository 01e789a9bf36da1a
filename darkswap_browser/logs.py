"""What our own programs do with `logging`: levels from `DARKSWAP_LOG`, one handler on standard error.

The library itself configures nothing: its application does, on the logger "darkswap_browser" and those below it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

from darkswap_browser.errors import InvalidArgument

VARIABLE = "DARKSWAP_LOG"
ROOT = "darkswap_browser"
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
SILENT = logging.CRITICAL + 1
"""A level that no message has."""
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def parse_levels(text: str) -> dict[str, int]:
    """Level of each logger that `text` names.

    Args:
        text: Parts behind commas: a level for all ("debug"), or one of a logger ("darkswap_browser.net=debug").

    Raises:
        InvalidArgument: An unknown level, or a logger of somebody else.
    """
    levels: dict[str, int] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, level = part.rpartition("=")
        known = LEVELS.get(level.strip().lower())
        if known is None:
            raise InvalidArgument(VARIABLE, f"{level.strip()!r} is no level", f"One of {', '.join(LEVELS)}.")
        name = name.strip() or ROOT
        if name != ROOT and not name.startswith(f"{ROOT}."):
            raise InvalidArgument(VARIABLE, f"{name!r} is no logger of ours", f"They begin with {ROOT}.")
        levels[name] = known
    return levels


def configure(text: str, formatter: logging.Formatter, defaults: Mapping[str, int]) -> None:
    """Write what the package logs to standard error.

    Args:
        text: The value of `DARKSWAP_LOG`; it goes before `defaults`.
        defaults: Level of each logger by name.

    Raises:
        InvalidArgument: As `parse_levels`.
    """
    levels = {**defaults, **parse_levels(text)}
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.getLogger(ROOT).addHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
