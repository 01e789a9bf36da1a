"""Records of the store that cannot be read or written, told as `error` events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import DarkSwapError, MalformedMessage

Publish = Callable[[str, Mapping[str, object]], None]


class RecordTrouble:
    """`reserved(key)` finds the coins that are reserved for whatever is kept under that key."""

    def __init__(self, publish: Publish, reserved: Callable[[str], Awaitable[Sequence[OutPoint]]]) -> None:
        self._publish = publish
        self._reserved = reserved
        self._tasks = Tasks()

    def set_aside(self, key: str, reason: str) -> None:
        hint = "What was kept there could not be read. Its bytes are still in the store, under quarantine/."
        self._tasks.spawn(self._tell(key, reason, hint), "quarantined record")

    def left(self, key: str, reason: str) -> None:
        hint = "What is kept there cannot be read by this program, which left it to the one that trades."
        self._tasks.spawn(self._tell(key, reason, hint), "unread record")

    async def _tell(self, key: str, reason: str, hint: str) -> None:
        if coins := await self._reserved(key):
            hint += f" It holds {', '.join(map(str, coins))}: release_coin frees them."
        self._event(MalformedMessage.code, f"{key}: {reason}", hint)

    def coins_recovered(self, key: str, reason: str, unexplained: Sequence[OutPoint]) -> None:
        hint = "Coins of the trades and private sales that are kept here stay reserved."
        if unexplained:
            coins = ", ".join(map(str, unexplained))
            hint += f" No record explains {coins}: release_coin, or freeze_coin with false, frees each."
        hint += " Look which coins of yours should be frozen. The bytes are still in the store, under quarantine/."
        self._event(MalformedMessage.code, f"{key}: {reason}", hint)

    def store_failed(self, error: DarkSwapError) -> None:
        hint = f"{error.hint} Trades go on as soon as it works; a trade that is not signed can be canceled."
        self._event(error.code, str(error), hint)

    def _event(self, code: str, message: str, hint: str) -> None:
        self._publish("error", {"code": code, "message": message, "hint": hint})
