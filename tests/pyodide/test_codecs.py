"""The codecs as they are compiled for the page: the golden bytes of every stored record and wire message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_pyodide import run_in_pyodide

from tests.golden.areas import PAGE

VECTORS = Path(__file__).parent.parent / "vectors" / "signatures.json"


@run_in_pyodide
async def check_golden(selenium: Any, area: str) -> int:
    """Encodes and decodes every case of an area; returns how many there are."""
    from tests.golden.areas import PAGE
    from tests.golden.case import kept

    golden = kept(area)
    for case in PAGE[area]:
        data = golden[case.name]
        assert case.encode(case.value) == data, case.name
        if case.decode is not None:
            value = case.decode(data)
            assert value == case.value and case.encode(value) == data, case.name
    return len(PAGE[area])


@pytest.mark.parametrize("area", PAGE)
def test_golden_bytes_are_the_same_in_the_page(selenium_equipped: Any, area: str) -> None:
    assert check_golden(selenium_equipped, area) == len(PAGE[area]) > 0


@run_in_pyodide
async def check_signed(selenium: Any, vectors: str) -> None:
    import json

    from darkswap_browser.runtime.select import load
    from darkswap_browser.testing.conformance import check_crypto

    await check_crypto.signed_by_others(load().crypto, check_crypto.read_signed(json.loads(vectors)))


def test_signatures_of_every_key_type_verify_in_the_page(selenium_equipped: Any) -> None:
    check_signed(selenium_equipped, VECTORS.read_text("utf-8"))
