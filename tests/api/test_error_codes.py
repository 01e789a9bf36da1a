"""Every error's code is written in four places: its class, the package, darkswap.d.ts and the page's titles."""

from __future__ import annotations

import re
from pathlib import Path

from darkswap_browser import errors
from darkswap_browser.errors import DarkSwapError

WEB = Path(__file__).parents[2] / "web"
INTERNAL = "INTERNAL"
"""What JavaScript makes of an exception that is none of ours."""


def _tree(root: type[DarkSwapError]) -> list[type[DarkSwapError]]:
    return [root, *(each for child in root.__subclasses__() for each in _tree(child))]


# A module may have private ones, which are there once something has imported it.
CLASSES = [
    each
    for each in _tree(DarkSwapError)
    if each.__module__.startswith("darkswap_browser.") and not each.__name__.startswith("_")
]
CODES = {each.code for each in CLASSES} | {INTERNAL}


def _block(path: Path, begin: str) -> str:
    text = path.read_text()
    return text[text.index(begin) : text.index(";", text.index(begin))]


def _declared() -> set[str]:
    lines = re.sub("//.*", "", _block(WEB / "src" / "api" / "darkswap.d.ts", "export type DarkSwapErrorCode"))
    return set(re.findall('"([A-Z_]+)"', lines))


def test_error_class_has_a_code_of_its_own() -> None:
    assert len({each.code for each in CLASSES}) == len(CLASSES)


def test_error_class_is_exported_and_in_the_tree_of_the_docstring() -> None:
    names = {each.__name__ for each in CLASSES}
    assert set(errors.__all__) == names
    assert names <= set(re.findall("[A-Z][A-Za-z]+", errors.__doc__ or ""))


def test_error_code_is_declared_for_typescript() -> None:
    assert _declared() >= CODES


def test_error_code_declared_for_typescript_has_a_title_in_the_page() -> None:
    titles = re.findall("^ +([A-Z_]+): ", _block(WEB / "src" / "page" / "text.mjs", "const TITLES"), re.MULTILINE)
    assert len(titles) == len(set(titles))
    assert set(titles) == _declared()
