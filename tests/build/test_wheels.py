"""What `dist/` is made of: the same bytes each time, every hash right, nothing of the host in what a page downloads."""

from __future__ import annotations

import ast
import base64
import csv
import hashlib
import json
import shutil
import zipfile
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from web.build import dist, wheels
from web.build.page_source import unfrozen, with_class_docs, without_annotations


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: the other worker may build it anew at any time."""
    with dist.alone():
        return Path(shutil.copy(wheels.source_wheel(), tmp_path_factory.mktemp("wheel")))


def _lock() -> dict[str, dict[str, object]]:
    packages: dict[str, dict[str, object]] = json.loads((dist.DIST / "pyodide-lock.json").read_text())["packages"]
    return packages


def test_the_wheel_is_the_same_bytes_each_time(wheel: Path) -> None:
    first = wheel.read_bytes()
    with dist.alone():
        assert wheels.source_wheel().read_bytes() == first


def test_with_class_docs_names_dataclasses_and_moves_no_line() -> None:
    source = '''\
@dataclass(frozen=True)
class Told:
    """Of more
    than one line: ä."""

    value: int  # line 6


@dataclasses.dataclass
class Plain:
    value: int = 11


class Other:
    """Stays."""


@dataclass
class Empty:
    pass


@dataclass
class Acting:
    def act(self): ...
'''
    changed = with_class_docs(source.encode()).decode()
    assert len(changed.splitlines()) == len(source.splitlines())
    for number, line in enumerate(source.splitlines()):
        assert changed.splitlines()[number].endswith(line.strip()) or number in (2, 3)
    found: dict[str, type] = {}
    exec(compile("import dataclasses\nfrom dataclasses import dataclass\n" + changed, "x", "exec", optimize=2), found)
    assert [found[name].__doc__ for name in ("Told", "Plain", "Other", "Empty")] == ["Told", "Plain", None, "Empty"]
    assert found["Acting"].__doc__ == "Acting()"


def test_unfrozen_keeps_hash_equality_and_lines_and_refuses_no_assignment() -> None:
    source = """\
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Plain:
    value: int = 1


@dataclass(
    slots=True,
    frozen=True,
)
class Hashed:
    value: int = 1

    def __hash__(self) -> int:
        return 7


@dataclass(frozen=True, eq=False)
class Same:
    value: int = 1


@dataclass
class Open:
    value: int = 1
"""
    changed = unfrozen(source.encode()).decode()
    assert len(changed.splitlines()) == len(source.splitlines())
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    exec(source, before)
    exec(changed, after)
    for name in ("Plain", "Hashed"):
        assert hash(after[name](3)) == hash(before[name](3))
        assert after[name](3) == after[name](3) != after[name](4)
        changed_one = after[name](3)
        changed_one.value = 4
        assert changed_one == after[name](4)
        assert not hasattr(changed_one, "__dict__")
    with pytest.raises(AttributeError):
        after["Same"]().value = 2
    with pytest.raises(TypeError):
        hash(after["Open"]())


def test_without_annotations_keeps_fields_behaviour_and_lines() -> None:
    source = """\
from __future__ import annotations
from dataclasses import dataclass

@dataclass
class Point:
    x: int
    y: "ä" = 1

    def moved(self, by: int = 2, *more: tuple[int,
            int], **names: str) -> tuple[
        int,
        int,
    ]:
        def inner(a: int, /, b: int = 1, *, c: str = "->") -> str: return f"{a}{b}{c}"

        return self.x + by, inner(1)

async def waits() -> None: raise ValueError
"""
    changed = without_annotations(source.encode()).decode()
    assert len(changed.splitlines()) == len(source.splitlines())
    found: dict[str, Any] = {}
    exec(changed, found)
    assert found["Point"](3).moved(4) == (7, "11->")
    assert found["Point"].__annotations__ == {"x": "int", "y": "'ä'"}
    assert found["Point"].moved.__annotations__ == found["waits"].__annotations__ == {}
    assert found["waits"].__code__.co_firstlineno == 18
    assert ast.unparse(ast.parse(changed)).count("->") == 1


def test_what_a_page_gets_of_the_api_and_of_trading_stays_frozen(wheel: Path) -> None:
    frozen: dict[str, set[bool]] = {}
    for path in (wheels.for_page(wheel), wheels.trading_wheel(wheel)):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".py") and (found := archive.read(name).decode()).count("@dataclass("):
                    frozen.setdefault(name.split("/")[1], set()).add("frozen=True" in found)
    assert True in frozen["api"] and True in frozen["settlement"] and frozen["net"] == {False}


@pytest.mark.parametrize("trades", [False, True], ids=["talking", "trading"])
def test_every_dataclass_of_a_page_names_itself_and_no_readme_comes_along(wheel: Path, trades: bool) -> None:
    with zipfile.ZipFile(wheels.trading_wheel(wheel) if trades else wheels.for_page(wheel)) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    dataclasses = 0
    for name, text in texts.items():
        if name.endswith("METADATA"):
            assert text.startswith("Metadata-Version: ") and "\n\n" not in text
        if name.endswith(".py"):
            lines = text.splitlines()
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(d) for d in node.decorator_list):
                    assert f'__doc__ = "{node.name}"' in lines[node.body[0].lineno - 1], (name, node.name)
                    dataclasses += 1
    assert dataclasses > 50


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
        metadata = BytesParser().parsebytes(archive.read(f"{info}/METADATA"))
        tags = BytesParser().parsebytes(archive.read(f"{info}/WHEEL"))
        scripts = archive.read(f"{info}/entry_points.txt").decode()
    assert (metadata["Name"], metadata["Requires-Python"]) == ("darkswap_browser", ">=3.11")
    assert metadata["License-Expression"] == "MIT"
    assert tags["Root-Is-Purelib"] == "true"
    assert "darkswap-relay=darkswap_browser.relayd.main:main" in scripts.replace(" ", "")
    assert "darkswap_browser/py.typed" in names
    assert not [name for name in names if name.endswith(".pyc")]


def test_every_line_of_record_is_right(wheel: Path) -> None:
    for path in (wheel, wheels.for_page(wheel), wheels.trading_wheel(wheel), wheels.embit_wheel()):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            record = next(name for name in names if name.endswith(".dist-info/RECORD"))
            rows = list(csv.reader(archive.read(record).decode().splitlines()))
            assert sorted(row[0] for row in rows) == sorted(names)
            for name, digest, size in rows:
                if name != record:
                    data = archive.read(name)
                    text = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                    assert (digest, size) == (f"sha256={text}", str(len(data))), name


@pytest.mark.parametrize("part", ["to talk", "to trade"])
def test_what_a_page_downloads_never_imports_what_was_left_out(wheel: Path, part: str) -> None:
    trades = part == "to trade"
    left_out = wheels.HOST_ONLY if trades else wheels.HOST_ONLY + wheels.TRADING
    gone = tuple(name.rstrip("/").removesuffix(".py").replace("/", ".") for name in left_out)
    with zipfile.ZipFile(wheels.trading_wheel(wheel) if trades else wheels.for_page(wheel)) as archive:
        for name in archive.namelist():
            if not name.endswith(".py"):
                continue
            assert not name.startswith(left_out)
            tree = ast.parse(archive.read(name))
            for node in tree.body:
                if isinstance(node, ast.ImportFrom):
                    targets = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
                    wrong = [
                        one for one in targets if one in gone or one.startswith(tuple(f"{part}." for part in gone))
                    ]
                    assert not wrong, f"{name} imports {wrong[0]}"


def test_the_wheel_made_of_embit_is_the_same_bytes_each_time_and_has_no_native_code() -> None:
    path = wheels.embit_wheel()
    first = path.read_bytes()
    assert wheels.embit_wheel().read_bytes() == first
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        license_text = archive.read(next(name for name in names if name.endswith("/LICENSE"))).decode()
    assert "Permission is hereby granted" in license_text
    assert not [name for name in names if not name.endswith(".py") and ".dist-info/" not in name]
    assert not [name for name in names if "liquid" in name or "prebuilt" in name or "slip39" in name]


def test_the_wheel_made_of_embit_has_all_that_the_package_imports_of_it() -> None:
    wanted = set()
    for path in (dist.ROOT / "darkswap_browser" / "bitcoin").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "embit":
                place = (node.module or "").replace(".", "/")
                wanted |= (
                    {f"{place}.py"}
                    if f"{place}.py" in wheels.EMBIT_PARTS
                    else {f"{place}/{alias.name}.py" for alias in node.names}
                )
    assert wanted and wanted <= set(wheels.EMBIT_PARTS)


def test_the_two_wheels_of_a_page_hold_the_whole_package_but_what_only_hosts_use(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        whole = {name for name in archive.namelist() if ".dist-info/" not in name}
    parts: list[str] = []
    for path in (wheels.for_page(wheel), wheels.trading_wheel(wheel)):
        with zipfile.ZipFile(path) as archive:
            parts += [name for name in archive.namelist() if ".dist-info/" not in name]
    assert sorted(parts) == sorted(name for name in whole if not name.startswith(wheels.HOST_ONLY))


def test_a_page_that_only_uses_the_network_loads_nothing_of_what_trades(built: Path) -> None:
    lock = _lock()
    assert (built / str(lock["embit"]["file_name"])).stat().st_size < 60_000
    assert lock["darkswap-browser-trade"]["depends"] == ["darkswap-browser", "embit"]
    for part in ("embit", "darkswap-browser-trade"):
        users = {name for name, entry in lock.items() if part in entry["depends"]}  # type: ignore[operator]
        assert users <= {"darkswap-browser-trade"}


def test_the_lock_names_every_file_by_its_hash(built: Path) -> None:
    lock = _lock()
    assert {"darkswap-browser", "msgpack", "pure-protobuf", "micropip", "packaging"} <= set(lock)
    for name, entry in lock.items():
        data = (built / str(entry["file_name"])).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"], name
        assert set(entry["depends"]) <= set(lock), name  # type: ignore[call-overload]
        assert entry["imports"], name


def test_the_lock_is_for_the_interpreter_beside_it(built: Path) -> None:
    core = json.loads((dist.MODULES / "pyodide" / "pyodide-lock.json").read_text())
    assert json.loads((built / "pyodide-lock.json").read_text())["info"] == core["info"]


def test_the_manifest_names_every_file_by_its_hash(built: Path) -> None:
    files = json.loads((built / "manifest.json").read_text())["files"]
    assert set(files) == {path.name for path in built.iterdir()} - {"manifest.json"}
    for name, entry in files.items():
        data = (built / name).read_bytes()
        digest = "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode()
        assert (entry["size"], entry["integrity"]) == (len(data), digest), name


def test_building_again_changes_nothing(node: Path, built: Path) -> None:
    assert dist.build(node) == 0


def test_lock_files_hold_hashes_and_no_addresses() -> None:
    locks = [dist.ROOT / "requirements.lock", *wheels.BUILD.glob("*.lock")]
    for lock in locks:
        text = lock.read_text()
        assert "://" not in text
        entries = [line for line in text.splitlines() if line and not line.startswith(("#", " "))]
        assert all("==" in line and line.endswith("\\") for line in entries), lock
    modules = (dist.WEB / "package-lock.json").read_text()
    assert '"resolved"' not in modules
