"""Trying several ways to a peer at once: a driver of `PathSearch`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from darkswap_browser.concurrency.tasks import Tasks, cancel_and_wait
from darkswap_browser.errors import DarkSwapError
from darkswap_browser.node.paths.machine import PathSearch

Way = TypeVar("Way")
T = TypeVar("T")


async def first_way(
    search: PathSearch[Way], follow: Callable[[Way], Coroutine[Any, Any, T]], owner: Tasks
) -> tuple[Way, T] | None:
    """The way that led to the peer first, and what it led to; None when all have failed, as `search.attempts` tell.

    The others are given up. Only a `DarkSwapError` counts as the failure of a way.

    Cancellation: Every way is given up.
    """
    loop = asyncio.get_running_loop()
    tasks: dict[asyncio.Task[T], Way] = {}
    try:
        while not search.is_over:
            while (way := search.begin(loop.time())) is not None:
                tasks[owner.spawn(follow(way), f"way {way}", expected=DarkSwapError)] = way
            done, _ = await asyncio.wait(tasks, timeout=search.wait(loop.time()), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                way = tasks.pop(task)
                try:
                    return way, task.result()
                except DarkSwapError as error:
                    search.failed(way, error, loop.time())
        return None
    finally:
        await cancel_and_wait(tasks)
