"""What people type as amounts, read by the page's own function in Node."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

MODULE = Path(__file__).resolve().parents[2] / "web" / "src" / "page" / "trade" / "read_amount.mjs"

UNDERSTOOD = {
    "0": "0",
    "1000": "1000",
    " 1000 ": "1000",
    "007": "7",
    "0.0005": "0.0005",
    "0,0005": "0.0005",
    "0,500": "0.5",
    "0.125": "0.125",
    "1.5": "1.5",
    "1,5": "1.5",
    "12,34": "12.34",
    "1234.567": "1234.567",
    "1234,567": "1234.567",
    "1.0000": "1",
    "1,0000": "1",
    "1,000,000": "1000000",
    "1.000.000": "1000000",
    "10 000": "10000",
    "10\u00a0000": "10000",
    "10\u202f000,5": "10000.5",
    "1 000.500": "1000.5",
    "1'000": "1000",
    "1’000’000.25": "1000000.25",
    "1_000_000": "1000000",
    "10,000.50": "10000.5",
    "10.000,50": "10000.5",
    "1,000.000": "1000",
    "1.000.000,5": "1000000.5",
    "12,34,567.5": "1234567.5",
    "1,00,000": "100000",
    "340282366920938463463374607431768211455": "340282366920938463463374607431768211455",
}
TWOFOLD = {
    "1,000": ["1000", "1"],
    "1.000": ["1000", "1"],
    "12,500": ["12500", "12.5"],
    "1.125": ["1125", "1.125"],
    "999,999": ["999999", "999.999"],
}
REFUSED = {
    "-5": "minus",
    "−5": "minus",
    ".0005": "Put a 0 before the point: 0.0005",
    ",5": "0.5",
    "5e-4": "exponent",
    "1E5": "exponent",
    "5.": "missing after the point",
    "1,": "missing after the point",
    "1,00,00": "groups",
    "1,0000.5": "groups",
    "10 00": "groups",
    "1 000 00": "groups",
    "1'000,000'000": "groups",
    "1.000,000.000": "groups",
    "1,000'000": "groups",
    "0,000,001": "groups",
    "1 000\u00a0000": "groups",
    "1..5": "groups",
    "1.5.2": "groups",
    "0.5 BTC": "not a number",
    "abc": "not a number",
    "+5": "not a number",
    "0x10": "not a number",
    "١٢": "not a number",
    "½": "not a number",
    "Infinity": "not a number",
    "NaN": "not a number",
    "1" * 81: "longer",
}


@pytest.fixture(scope="module")
def read(node: Path) -> dict[str, dict[str, object]]:
    typed = [*UNDERSTOOD, *TWOFOLD, *REFUSED, "", "   "]
    script = f"""import {{ readAmount }} from {json.dumps(MODULE.as_uri())};
    console.log(JSON.stringify({json.dumps(typed)}.map((text) => [text, readAmount(text)])));"""
    said = subprocess.run(
        [str(node), "--input-type=module", "--eval", script], capture_output=True, text=True, check=True, timeout=30
    )
    return dict(json.loads(said.stdout))


@pytest.mark.parametrize(("typed", "amount"), UNDERSTOOD.items())
def test_read_amount_of_one_meaning_returns_decimal_text(
    read: dict[str, dict[str, object]], typed: str, amount: str
) -> None:
    assert read[typed] == {"amount": amount, "problem": "", "choices": []}


@pytest.mark.parametrize(("typed", "choices"), TWOFOLD.items())
def test_read_amount_of_two_meanings_returns_both(
    read: dict[str, dict[str, object]], typed: str, choices: list[str]
) -> None:
    assert read[typed] == {"amount": "", "problem": "", "choices": choices}


@pytest.mark.parametrize(("typed", "says"), REFUSED.items())
def test_read_amount_without_meaning_says_why(read: dict[str, dict[str, object]], typed: str, says: str) -> None:
    assert (read[typed]["amount"], read[typed]["choices"]) == ("", [])
    assert says in str(read[typed]["problem"])


def test_read_amount_of_nothing_is_no_problem(read: dict[str, dict[str, object]]) -> None:
    assert read[""] == read["   "] == {"amount": "", "problem": "", "choices": []}
