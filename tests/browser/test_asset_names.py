"""Which names of assets look alike, judged by the page's own function in Node."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

MODULE = Path(__file__).resolve().parents[2] / "web" / "src" / "page" / "trade" / "asset_names.mjs"

ALIKE = [
    ("DOG•GO•TO•THE•MOON", "dog go to the moon"),
    ("DIESEL", "DІЕЅЕL"),
    ("DIESEL", "DlESEL"),
    ("DIESEL", "D1ESEL"),
    ("DIESEL", "ＤＩＥＳＥＬ"),
    ("DIESEL", "DIE\u200bSEL"),
    ("DIESEL", "DIE\u00adSEL"),
    ("DIESEL", "\u202eDIESEL"),
    ("DIESEL", "DIÉSËL"),
    ("DIESEL", "D\u0456esel"),
    ("DOGE", "D0GE"),
    ("DOGE", "DΟGE"),
    ("DOGE", "ᎠᎾGE".replace("Ꮎ", "O")),
    ("METHANE", "rnethane"),
    ("ALPHA", "αlphα"),
]
APART = [("DIESEL", "DIESELS"), ("DOG", "DOGE"), ("ABC", "ABD"), ("UNCOMMON•GOODS", "COMMON•GOODS"), ("A", "")]


def skeletons(*names: str, node: Path) -> list[str]:
    script = (
        f"import {{ skeleton }} from {json.dumps(MODULE.as_uri())};"
        f"console.log(JSON.stringify({json.dumps(names)}.map(skeleton)));"
    )
    done = subprocess.run([node, "--input-type=module", "-e", script], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def shapes(node: Path) -> dict[str, str]:
    names = sorted({name for pair in ALIKE + APART for name in pair})
    return dict(zip(names, skeletons(*names, node=node), strict=True))


@pytest.mark.parametrize(("name", "imitation"), ALIKE)
def test_names_that_look_alike_have_one_skeleton(shapes: dict[str, str], name: str, imitation: str) -> None:
    assert shapes[name] == shapes[imitation] != ""


@pytest.mark.parametrize(("name", "other"), APART)
def test_names_that_look_different_have_two_skeletons(shapes: dict[str, str], name: str, other: str) -> None:
    assert shapes[name] != shapes[other]
