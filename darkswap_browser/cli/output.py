"""Standard output for people or for machines, standard error for remarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TextIO

from darkswap_browser.api.serialization import error_to_dict, to_json
from darkswap_browser.cli.tables import plain_text
from darkswap_browser.errors import DarkSwapError


class Output:
    """`json`: one value or event a line, in the shapes of darkswap.d.ts, amounts of any size as texts."""

    def __init__(self, out: TextIO, err: TextIO, *, json: bool) -> None:
        self._out = out
        self._err = err
        self._json = json

    def value(self, value: object, lines: Sequence[str]) -> None:
        """The one answer of a verb."""
        self._write([to_json(value)] if self._json else lines)

    def event(self, kind: str, fields: Mapping[str, object], lines: Sequence[str] = ()) -> None:
        """One of several things that a verb tells; without lines it is for machines alone."""
        self._write([to_json({"event": kind, **fields})] if self._json else lines)

    def print_note(self, text: str) -> None:
        self._err.write(plain_text(text) + "\n")
        self._err.flush()

    def failure(self, error: DarkSwapError) -> None:
        """A sentence and what to do about it; for machines, its code as well."""
        self.print_note(f"darkswap: {error}")
        if error.hint:
            self.print_note(error.hint)
        if self._json:
            self._write([to_json({"event": "error", **error_to_dict(error)})])

    def _write(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._out.write(plain_text(line) + "\n")
        self._out.flush()
