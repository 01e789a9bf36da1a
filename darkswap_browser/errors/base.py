"""What every error of this package is: fields, a sentence built from them, a stable code."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import ClassVar, Self

MAX_NAME = 80
"""Characters of a path, id or name that somebody else wrote, and that a message repeats."""
MAX_REASON = 300
MAX_SENTENCE = 200
"""Characters of a message that ends with another error's."""

NO_UNICODE = "holds half a surrogate pair, which is no Unicode"
NO_UNICODE_HINT = "Do not cut texts inside of a character."


def clipped(text: str, most: int = MAX_NAME) -> str:
    """`text`, cut where a message that repeats it would grow without bounds."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def encodable(text: str) -> str:
    """`text` of somebody else, for records and messages: half a surrogate pair, which JavaScript allows in its texts
    and UTF-8 does not, becomes "?".
    """
    return text.encode("utf-8", "replace").decode()


class DarkSwapError(Exception):
    """Base of all. `retryable`: the same call may succeed later without a change by the caller.

    Errors can be copied and pickled.
    """

    code: ClassVar[str] = "ERROR"
    retryable: ClassVar[bool] = False
    hint: str = ""

    def fresh(self) -> Self:
        """An equal error, to raise one that is kept.

        An exception that is raised again and again keeps every frame of each raise, and callers would share one
        traceback.
        """
        other = copy.copy(self)
        other.__cause__ = self.__cause__
        other.__suppress_context__ = self.__suppress_context__
        return other.with_traceback(self.__traceback__)

    def __reduce__(self) -> tuple[Callable[..., DarkSwapError], tuple[object, ...]]:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(kind: type[DarkSwapError], args: tuple[object, ...], fields: dict[str, object]) -> DarkSwapError:
    """The error with these fields; their constructors need not take what `args` holds."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error
