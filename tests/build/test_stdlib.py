"""Python's standard library as `dist/` holds it: bytecode, whole and small, the same bytes each time."""

from __future__ import annotations

import ast
import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from web.build import dist, stdlib, wheels

STOCK = wheels.MODULES / "pyodide" / stdlib.FULL
# These ask for `ctypes` only to find native libraries of another system, and go on without.
OPTIONAL = {(name, "ctypes") for name in ("embit", "micropip", "packaging")}


def _names(archive: Path) -> set[str]:
    """`email/mime/text.pyc` → `email.mime.text`."""
    with zipfile.ZipFile(archive) as opened:
        names = [name for name in opened.namelist() if name.endswith((".py", ".pyc"))]
    return {name.rpartition(".")[0].removesuffix("/__init__").replace("/", ".") for name in names}


def _is_left_out(name: str) -> bool:
    return name in stdlib.LEFT_OUT or name.startswith(tuple(f"{one}." for one in stdlib.LEFT_OUT))


@pytest.mark.parametrize("name", [stdlib.FULL, stdlib.SMALL])
def test_library_holds_unchecked_bytecode_without_dates(built: Path, name: str) -> None:
    with zipfile.ZipFile(built / name) as archive:
        for entry in archive.infolist():
            assert entry.filename.endswith(".pyc")
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            # PEP 552: bit 0 says "named by a hash", bit 1 would say "look at the source".
            assert int.from_bytes(archive.read(entry)[4:8], "little") == 1, entry.filename


def test_full_library_holds_every_module_of_pyodides(built: Path) -> None:
    assert _names(built / stdlib.FULL) == _names(STOCK)


def test_small_library_lacks_what_is_declared_and_nothing_else(built: Path) -> None:
    small = _names(built / stdlib.SMALL) - {"_darkswap_left_out"}
    assert small == {name for name in _names(built / stdlib.FULL) if not _is_left_out(name)}
    assert (built / stdlib.SMALL).stat().st_size < 1_760_000


def _imports(source: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_wheel_of_a_page_imports_what_the_small_library_lacks(built: Path) -> None:
    with dist.alone():
        source = wheels.source_wheel()
        sources = [wheels.for_page(source), wheels.trading_wheel(source), wheels.embit_wheel()]
        sources += wheels.fetch(wheels.BUILD / "browser.lock", wheels.CACHE / "browser")
    packages = json.loads((built / "pyodide-lock.json").read_text())["packages"]
    assert {path.name.split("-")[0].replace("_", "-") for path in sources} == set(packages)
    wrong = set()
    for path in sources:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".py"):
                    wrong |= {(name.split("/")[0], one) for one in _imports(archive.read(name)) if _is_left_out(one)}
    assert wrong <= OPTIONAL


def test_compiling_again_gives_the_same_bytes(node: Path, built: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(STOCK) as stock:
        chosen = [name for name in stock.namelist() if name.startswith(("asyncio/", "json/", "dataclasses"))]
        (tmp_path / "target").mkdir()
        with zipfile.ZipFile(tmp_path / stdlib.FULL, "w") as few:
            for name in reversed(chosen):
                few.writestr(name, stock.read(name))
    command = [str(node), str(wheels.BUILD / "compile_stdlib.mjs"), str(tmp_path / stdlib.FULL)]
    subprocess.run([*command, str(tmp_path / "target"), "asyncio.tools"], check=True, timeout=120)
    for name in (stdlib.FULL, stdlib.SMALL):
        with zipfile.ZipFile(tmp_path / "target" / name) as fresh, zipfile.ZipFile(built / name) as before:
            shared = set(fresh.namelist()) & set(before.namelist()) - {"_darkswap_left_out.pyc"}
            assert len(shared) > 30
            assert all(fresh.read(one) == before.read(one) for one in shared)
