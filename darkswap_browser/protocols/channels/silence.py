"""A path on which nothing is heard any more, although something is expected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from darkswap_browser.net.limits import Limits

_TICK = 1.0
"""Seconds between two looks; a look that comes much later says that the host was asleep."""


class Silence:
    """`expects`: whether bytes are not acknowledged; `ask` demands a sign of life; `on_silent` is told once."""

    def __init__(
        self, limits: Limits, expects: Callable[[], bool], ask: Callable[[], None], on_silent: Callable[[], None]
    ) -> None:
        self._limits = limits
        self._expects = expects
        self._ask = ask
        self._on_silent = on_silent
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._is_asked = False
        self.is_silent = False

    def begin(self) -> None:
        """Something was sent."""
        if self._timer is None:
            self.heard()
            self._schedule()

    def heard(self) -> None:
        self._since = self._loop.time()
        self._is_asked = self.is_silent = False

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.is_silent = False

    def _schedule(self) -> None:
        self._timer = self._loop.call_later(_TICK, self._look, self._loop.time() + 2 * _TICK)

    def _look(self, latest: float) -> None:
        self._timer = None
        if not self._expects():
            return
        now = self._loop.time()
        if now > latest:
            self.heard()
        self._schedule()
        quiet = now - self._since
        if quiet >= self._limits.channel_silent and not self.is_silent:
            self.is_silent = True
            self._on_silent()
        elif quiet >= self._limits.channel_quiet and not self._is_asked:
            self._is_asked = True
            self._ask()
