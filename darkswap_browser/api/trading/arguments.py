"""One check of what an application passes to a method, before anything of the method runs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from darkswap_browser.wallets.base import AccountPurpose
from darkswap_browser.wallets.seed_record import MAX_PASSPHRASE
from darkswap_browser.wire.fields import Choice, Flag, Kind, Text
from darkswap_browser.wire.records import read_argument

TEXT = Text(1 << 24)
"""Ids, names, messages: each method has limits of its own below this."""
PASSPHRASE = Text(MAX_PASSPHRASE)
PURPOSE = Choice(AccountPurpose)
FLAG = Flag()

P = ParamSpec("P")
T = TypeVar("T")


def checked(
    **kinds: Kind[Any],
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """The arguments of these names are of these kinds; None passes where it is the default.

    The method then raises `InvalidArgument` with the argument's name in `path`.
    """

    def decorate(method: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        signature = inspect.signature(method)

        @functools.wraps(method)
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            given = signature.bind(*args, **kwargs).arguments
            for name, kind in kinds.items():
                if name in given and not (given[name] is None and signature.parameters[name].default is None):
                    read_argument(kind, name, given[name])
            return await method(*args, **kwargs)

        return call

    return decorate
