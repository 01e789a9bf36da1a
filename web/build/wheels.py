"""The package as a wheel, the wheels beside it, and the lock by which Pyodide loads them.

Runs in the checkout's virtual environment. Everything made here is the same bytes from the same sources, so that a
hash names a build.
"""

from __future__ import annotations

import base64
import email.parser
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypedDict

from flit_core import buildapi
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from web.build.page_source import unfrozen, with_class_docs, without_annotations

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "web" / "build"
CACHE = ROOT / ".cache" / "build"
MODULES = ROOT / "web" / "node_modules"
# The oldest date a zip archive can hold.
EPOCH = "315532800"
# What the page imports at every start is compiled; the others are loaded rarely, or are machine code already.
COMPILED = ("darkswap_browser", "darkswap_browser_trade", "embit", "pure_protobuf", "typing_extensions")
# What only a CPython host or a test can use: in the wheel, but not in the one that a page downloads.
HOST_ONLY = (
    "darkswap_browser/cli/",
    "darkswap_browser/logs.py",
    "darkswap_browser/protocols/relay/server/",
    "darkswap_browser/regtest/",
    "darkswap_browser/relayd/",
    "darkswap_browser/runtime/native/",
    "darkswap_browser/testing/",
)
# What trades, with what only that needs: a page downloads it when it first trades, so that those that talk do not wait.
TRADING = (
    "darkswap_browser/api/darkswap.py",
    "darkswap_browser/api/trading/",
    "darkswap_browser/bitcoin/",
    "darkswap_browser/bridge/tab_wallets.py",
    "darkswap_browser/bridge/trading.py",
    "darkswap_browser/chain/",
    "darkswap_browser/market/",
    "darkswap_browser/orders/",
    "darkswap_browser/settlement/",
    "darkswap_browser/storage/",
    "darkswap_browser/trades/",
    "darkswap_browser/wallets/",
)
# Whose values a page's own Python gets: they refuse assignment there too.
PUBLIC = "darkswap_browser/api/"
TRADING_PACKAGE = "darkswap_browser_trade"
# Of embit, what `darkswap_browser.bitcoin` imports and what that imports: no native code, no second ledger, no PSBTs.
EMBIT_PARTS = (
    "embit/__init__.py",
    "embit/base58.py",
    "embit/bech32.py",
    "embit/hashes.py",
    "embit/misc.py",
    "embit/util/__init__.py",
    "embit/util/key.py",
    "embit/util/py_ripemd160.py",
    "embit/util/py_secp256k1.py",
    "embit/util/secp256k1.py",
    "embit/wordlists/__init__.py",
    "embit/wordlists/bip39.py",
)
TARGET_ENVIRONMENT = {
    "python_version": "3.14",
    "python_full_version": "3.14.2",
    "sys_platform": "emscripten",
    "platform_system": "Emscripten",
    "platform_machine": "wasm32",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "os_name": "posix",
    "extra": "",
}


class Entry(TypedDict):
    """A package of `pyodide-lock.json`."""

    name: str
    version: str
    file_name: str
    install_dir: str
    sha256: str
    package_type: str
    imports: list[str]
    depends: list[str]
    unvendored_tests: bool


def digest(*parts: Path | str) -> str:
    """SHA-256 over files, folders' files and texts, names included: the same answer means nothing to do."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            total.update(part.encode())
        elif part.is_dir():
            for path in sorted(part.rglob("*")):
                if path.is_file() and path.suffix != ".pyc":
                    total.update(str(path.relative_to(part)).encode() + b"\0" + path.read_bytes())
        else:
            total.update(part.name.encode() + b"\0" + part.read_bytes())
    return total.hexdigest()


def fetch(lock: Path, folder: Path) -> list[Path]:
    """The wheels that `lock` names, each checked against its hash; nothing is asked of the network twice."""
    stamp = folder / ".stamp"
    wanted = digest(lock)
    if not stamp.exists() or stamp.read_text() != wanted:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.whl"):
            old.unlink()
        command = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--only-binary", ":all:"]
        command += ["--platform", "pyemscripten_2026_0_wasm32", "--platform", "any", "--implementation", "cp"]
        command += ["--python-version", "3.14", "--require-hashes", "-r", str(lock), "-d", str(folder)]
        subprocess.run(command, check=True)
        stamp.write_text(wanted)
    return sorted(folder.glob("*.whl"))


def source_wheel() -> Path:
    """`darkswap_browser-…-py3-none-any.whl`, byte for byte the same from the same sources."""
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH
    folder = CACHE / "wheel"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    return folder / str(buildapi.build_wheel(str(folder)))


def for_page(wheel: Path) -> Path:
    """The same wheel without what is `HOST_ONLY` or `TRADING`, and without the README that is in its METADATA."""
    name, version = wheel.name.split("-")[:2]
    info = f"{name}-{version}.dist-info/"
    with zipfile.ZipFile(wheel) as source:
        names = [each for each in source.namelist() if not each.startswith((*HOST_ONLY, *TRADING, info))]
        files = {each: _for_page(each, source.read(each), is_public=each.startswith(PUBLIC)) for each in names}
        headers = source.read(f"{info}METADATA").partition(b"\n\n")[0] + b"\n"
        facts = {"METADATA": headers, "licenses/LICENSE": source.read(f"{info}licenses/LICENSE")}
    return _pure_wheel(name, version, files, facts)


def _for_page(name: str, data: bytes, *, is_public: bool) -> bytes:
    if not name.endswith(".py"):
        return data
    named = with_class_docs(without_annotations(data))
    return named if is_public else unfrozen(named)


def trading_wheel(wheel: Path) -> Path:
    """The rest of it for a page, as a package of its own that goes into the same folder."""
    version = wheel.name.split("-")[1]
    with zipfile.ZipFile(wheel) as source:
        names = [name for name in source.namelist() if name.startswith(TRADING)]
        # Nobody waits for these at the start, and what they hold is money.
        files = {name: _for_page(name, source.read(name), is_public=True) for name in names}
    needs = f"Requires-Dist: darkswap_browser =={version}\nRequires-Dist: embit\n"
    metadata = f"Metadata-Version: 2.1\nName: {TRADING_PACKAGE}\nVersion: {version}\n{needs}"
    return _pure_wheel(TRADING_PACKAGE, version, files, {"METADATA": metadata.encode()})


def embit_wheel() -> Path:
    """`embit-…-py3-none-any.whl` of the parts in use, from what is installed: embit is published as sources only."""
    installed = importlib.metadata.distribution("embit")

    def read(name: str) -> bytes:
        return Path(str(installed.locate_file(name))).read_bytes()

    info = f"embit-{installed.version}.dist-info"
    facts = {name: read(f"{info}/{name}") for name in ("METADATA", "licenses/LICENSE")}
    return _pure_wheel("embit", installed.version, {name: read(name) for name in EMBIT_PARTS}, facts)


def _pure_wheel(name: str, version: str, files: Mapping[str, bytes], facts: Mapping[str, bytes]) -> Path:
    """`facts`: files of the dist-info folder; WHEEL and RECORD come of themselves."""
    info = f"{name}-{version}.dist-info"
    kind = b"Wheel-Version: 1.0\nGenerator: darkswap\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    whole = {**files, **{f"{info}/{key}": data for key, data in facts.items()}, f"{info}/WHEEL": kind}
    rows = []
    for path, data in whole.items():
        text = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={text},{len(data)}\n")
    whole[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    target = CACHE / name / f"{name}-{version}-py3-none-any.whl"
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for path, data in whole.items():
            # A date of its own would make every archive another; the bits are those of a plain readable file.
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return target


def compiled(node: Path, wheels: Iterable[Path]) -> list[Path]:
    """The same wheels with bytecode in place of sources, made by Pyodide itself; unchanged ones are not made again."""
    fetch(BUILD / "compiler.lock", CACHE / "compiler")
    result = []
    stale = []
    for wheel in wheels:
        key = digest(wheel, BUILD / "compile.mjs", BUILD / "compiler.lock", MODULES / "pyodide" / "package.json")
        folder = CACHE / "compiled" / key[:20]
        result.append(folder)
        if not any(folder.glob("*.whl")):
            stale.append((wheel, folder))
    if stale:
        source, target = CACHE / "stale", CACHE / "fresh"
        for folder in (source, target):
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.iterdir():
                old.unlink()
        for wheel, _ in stale:
            (source / wheel.name).write_bytes(wheel.read_bytes())
        arguments = [str(node), str(BUILD / "compile.mjs"), str(CACHE / "compiler"), str(source), str(target)]
        subprocess.run(arguments, check=True)
        for wheel, folder in stale:
            folder.mkdir(parents=True, exist_ok=True)
            (made,) = target.glob(wheel.name.split("-")[0] + "-*.whl")
            made.rename(folder / made.name)
    return [next(folder.glob("*.whl")) for folder in result]


def specification(wheel: Path) -> Entry:
    """One entry of `pyodide-lock.json`, read from the wheel itself."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata_name = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = email.parser.BytesParser().parsebytes(archive.read(metadata_name))
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    needed = [r for r in requirements if r.marker is None or r.marker.evaluate(TARGET_ENVIRONMENT)]
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    return {
        "name": canonicalize_name(metadata["Name"]),
        "version": metadata["Version"],
        "file_name": wheel.name,
        "install_dir": "site",
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "package_type": "package",
        "imports": sorted(top.removesuffix(".pyc").removesuffix(".py") for top in tops),
        "depends": sorted(canonicalize_name(requirement.name) for requirement in needed),
        "unvendored_tests": False,
    }


def lock_text(wheels: Iterable[Path]) -> str:
    """A lock of our wheels alone, for the interpreter that the core's own lock describes."""
    core = json.loads((MODULES / "pyodide" / "pyodide-lock.json").read_text())
    entries = {entry["name"]: entry for entry in map(specification, wheels)}
    missing = {name for entry in entries.values() for name in entry["depends"] if name not in entries}
    if missing:
        raise SystemExit(f"The lock web/build/browser.lock lacks {', '.join(sorted(missing))}: add and hash it there.")
    packages = {name: entries[name] for name in sorted(entries)}
    return json.dumps({"info": core["info"], "packages": packages}, indent=1, sort_keys=True) + "\n"


def page_wheels(node: Path, source: Path) -> list[Path]:
    """Every wheel the page may load, compiled where that pays."""
    fetched = fetch(BUILD / "browser.lock", CACHE / "browser")
    ours = [for_page(source), trading_wheel(source), embit_wheel()]
    to_compile = [wheel for wheel in [*ours, *fetched] if wheel.name.split("-")[0] in COMPILED]
    rest = [wheel for wheel in fetched if wheel not in to_compile]
    return compiled(node, to_compile) + rest
