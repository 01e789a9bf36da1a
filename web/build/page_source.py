"""What a page's build leaves out of the source, line for line, as docstrings and assertions are left out.

`dataclasses` writes and compiles the methods of each class when its module is imported, half of what importing the API
costs in a page: what only guards or explains is left out there, and the types that functions tell. Every other host,
and so the tests, have them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator


def with_class_docs(source: bytes) -> bytes:
    """The same module, line for line, in which each dataclass names itself where its docstring is, or before its
    first field; a class that begins with a method stays as it is.

    A class without a docstring gets one of its signature from `dataclasses`: a sixth of what a small one costs.
    """
    starts = _line_starts(source)
    changes = []
    for node, _ in _dataclasses(source):
        first, doc = node.body[0], f'__doc__ = "{node.name}"'.encode()
        begin = starts[first.lineno - 1] + first.col_offset
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            assert first.end_lineno is not None and first.end_col_offset is not None
            end = starts[first.end_lineno - 1] + first.end_col_offset
            changes.append((begin, end, doc + b"\n" * (first.end_lineno - first.lineno)))
        elif isinstance(first, ast.AnnAssign | ast.Assign | ast.Pass):
            changes.append((begin, begin, doc + b"; "))
    return _replaced(source, changes)


def unfrozen(source: bytes) -> bytes:
    """The same module, line for line, whose frozen dataclasses have the same hash and equality and may be assigned to.

    The two methods that refuse that, and an `__init__` that goes round them, are a third of what a class costs, and
    double what making an instance does.
    """
    starts = _line_starts(source)
    changes = []
    for node, decorator in _dataclasses(source):
        flags = {each.arg: each for each in decorator.keywords} if isinstance(decorator, ast.Call) else {}
        frozen = flags.get("frozen")
        if frozen is None or "eq" in flags:
            continue
        assert frozen.end_lineno is not None and frozen.end_col_offset is not None
        begin = starts[frozen.lineno - 1] + frozen.col_offset
        end = starts[frozen.end_lineno - 1] + frozen.end_col_offset
        has_hash = any(isinstance(each, ast.FunctionDef) and each.name == "__hash__" for each in node.body)
        changes.append((begin, end, b"frozen=False" if has_hash else b"unsafe_hash=True"))
    return _replaced(source, changes)


def _line_starts(source: bytes) -> list[int]:
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


def _dataclasses(source: bytes) -> Iterator[tuple[ast.ClassDef, ast.expr]]:
    """Each with its decorator."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                if ast.unparse(decorator).partition("(")[0] in ("dataclass", "dataclasses.dataclass"):
                    yield node, decorator


def _replaced(source: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """`changes`: (begin, end, what is there instead)."""
    for begin, end, text in sorted(changes, reverse=True):
        source = source[:begin] + text + source[end:]
    return source


def without_annotations(source: bytes) -> bytes:
    """The same module, line for line, whose functions tell no types: a tenth of its bytecode, which nobody in a page
    reads. Fields of classes keep theirs, which make them dataclasses.
    """
    starts = _line_starts(source)
    changes = []

    def at(line: int | None, column: int | None) -> int:
        assert line is not None and column is not None
        return starts[line - 1] + column

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.arg) and node.annotation is not None:
            begin = at(node.lineno, node.col_offset) + len(node.arg.encode())
            end = at(node.annotation.end_lineno, node.annotation.end_col_offset)
            changes.append((begin, end, b"\n" * source.count(b"\n", begin, end)))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            end = at(node.returns.end_lineno, node.returns.end_col_offset)
            begin = source.rindex(b"->", 0, at(node.returns.lineno, node.returns.col_offset))
            changes.append((begin, end, b"\\\n" * source.count(b"\n", begin, end)))
    return _replaced(source, changes)
