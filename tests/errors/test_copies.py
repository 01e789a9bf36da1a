"""Errors are raised in many places at once: each can be copied, pickled and raised anew without a growing traceback."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle

import pytest

from darkswap_browser import errors
from darkswap_browser.errors import DarkSwapError, EndOfStream
from darkswap_browser.net.stream import ReceiveBuffer

SAMPLES = {"str": "text", "int": 3, "float": 1.5, "bool": True, "bytes": b"bytes", "int | None": None}


def _tree(kind: type[DarkSwapError]) -> list[type[DarkSwapError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in _tree(child))]


def _sample(kind: type[DarkSwapError]) -> DarkSwapError:
    parameters = inspect.signature(kind).parameters.values() if "__init__" in _defined(kind) else ()
    values = [
        SAMPLES.get(str(each.annotation), ())
        for each in parameters
        if each.kind is each.POSITIONAL_OR_KEYWORD and each.name != "self"
    ]
    return kind(*values)


def _defined(kind: type[DarkSwapError]) -> set[str]:
    return {name for each in kind.__mro__ if issubclass(each, DarkSwapError) for name in vars(each)}


@pytest.mark.parametrize("kind", [kind for kind in _tree(DarkSwapError) if hasattr(errors, kind.__name__)])
def test_error_copied_or_pickled_keeps_its_fields(kind: type[DarkSwapError]) -> None:
    error = _sample(kind)
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error)), error.fresh()):
        assert type(twin) is kind and twin is not error
        assert (vars(twin), str(twin), twin.args) == (vars(error), str(error), error.args)


def test_fresh_error_keeps_its_cause_and_leaves_the_traceback_of_the_first_as_it_is() -> None:
    error = EndOfStream()
    error.__cause__ = ValueError("below")
    for _ in range(10):
        with pytest.raises(EndOfStream) as raised:
            raise error.fresh()
        assert raised.value.__cause__ is error.__cause__
    assert error.__traceback__ is None


def test_receive_buffer_read_at_its_end_raises_a_new_error_each_time() -> None:
    async def main() -> None:
        buffer, end = ReceiveBuffer(), EndOfStream()
        buffer.end(end)
        seen = set()
        for _ in range(100):
            with pytest.raises(EndOfStream) as raised:
                await buffer.read(1)
            seen.add(id(raised.value))
            assert _entries(raised.value) < 10
        assert _entries(end) == 0

    asyncio.run(main())


def _entries(error: BaseException) -> int:
    count, entry = 0, error.__traceback__
    while entry is not None:
        count, entry = count + 1, entry.tb_next
    return count
