"""What the docstrings of the Python interface say of each coroutine: callers cannot see what goes on behind it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from darkswap_browser import Channel, DarkSwap, Network, PeerConnector

PACKAGE = Path(__file__).resolve().parents[2] / "darkswap_browser"


def _public_coroutines(path: Path) -> Iterator[tuple[str, str]]:
    """(name, docstring) of those of a module and of its public classes."""
    for node in ast.parse(path.read_text("utf-8")).body:
        owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        if isinstance(node, ast.ClassDef) and node.name.startswith("_"):
            continue
        for each in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(each, ast.AsyncFunctionDef) and not each.name.startswith("_"):
                yield f"{path.name}: {owner}{each.name}", ast.get_docstring(each) or ""


def test_public_coroutine_says_what_a_cancellation_leaves() -> None:
    found = [each for path in sorted((PACKAGE / "api").rglob("*.py")) for each in _public_coroutines(path)]
    assert len(found) > 90
    silent = [name for name, text in found if "Cancellation: " not in text]
    assert not silent, "no `Cancellation:` in the docstrings of\n" + "\n".join(silent)


@pytest.mark.parametrize("exported", [Channel, DarkSwap, Network, PeerConnector])
def test_coroutine_of_an_exported_class_says_what_a_cancellation_leaves(exported: type) -> None:
    texts = {
        name: inspect.getdoc(member) or ""
        for name, member in inspect.getmembers(exported, inspect.iscoroutinefunction)
        if not name.startswith("_")
    }
    assert texts
    assert [name for name, text in texts.items() if "Cancellation: " not in text] == []
