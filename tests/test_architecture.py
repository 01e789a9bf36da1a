"""Which package may import which, what is pure, how long a file may be."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "darkswap_browser"

# Floor by floor: what a package may import, besides itself. A dot names a single module or package within one.
_NET = {"errors", "wire", "concurrency", "runtime.base", "identity"}
_CHAIN = {"errors", "wire", "concurrency", "runtime.base", "bitcoin", "market"}
_PROTOCOLS = {*_NET, "net"}
_WALLETS = {*_CHAIN, "wire.parsing", "settlement", "chain.base"} - {"wire"}
_TRANSPORTS = {*_PROTOCOLS, "protocols"}
_NODE = {*_TRANSPORTS, "transports", "version"}
_ORDERS = {*_WALLETS, "identity", "wallets", "storage", "chain.outputs"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "version": set(),
    # How our programs write logs: levels from the environment, one handler.
    "logs": {"errors"},
    "wire": {"errors"},
    "concurrency": {"errors"},
    "bitcoin": {"errors"},
    "runtime": {"errors", "concurrency"},
    "identity": {"errors", "wire", "runtime.base"},
    "net": _NET,
    "market": {"errors", "wire", "bitcoin", "identity"},
    "settlement": {"errors", "wire", "bitcoin", "market"},
    "chain": _CHAIN,
    "protocols": _PROTOCOLS,
    "wallets": _WALLETS,
    "storage": {"errors", "wire", "runtime.base", "bitcoin", "market", "settlement"},
    "transports": _TRANSPORTS,
    # The public order book: its place, as no such package is there yet.
    "book": {"errors", "concurrency", "bitcoin", "market", "chain.base"},
    "node": _NODE,
    "orders": _ORDERS,
    # Until the limits of all packages are cut apart, trades take theirs, and their streams, from the swarm.
    "trades": {*_ORDERS, "orders", "protocols.trade_streams", "net.limits", "net.swarm"},
    "relayd": {*_NODE, "logs", "node", "book", "chain", "runtime.native"},
    "regtest": {"errors", "version", "logs", "wire.parsing", "bitcoin", "market.assets"},
    "testing": {"errors", "concurrency", "runtime.base", "runtime.memory_store"},
}
_FLOORS = set(MAY_IMPORT) - {"relayd", "regtest", "testing"}
MAY_IMPORT |= {
    "api": {*_FLOORS, "runtime.select"},
    "bridge": {*_FLOORS, "runtime.select", "api"},
    "cli": {*_FLOORS, "runtime.select", "runtime.native", "api"},
}
# The hosts: none knows another, `select` alone sees them, and only who lists one above imports one.
HOSTS = {"native", "browser", "select"}
# What pure files may not import: no time, no chance, no waiting, no host, no talking.
IMPURE = {"asyncio", "time", "random", "os", "logging", "secrets", "socket", "threading", "js", "pyodide", "pyodide_js"}
PURE_NAMES = {"machine.py", "messages.py"}
PURE_FOLDERS = ("wire", "bitcoin", "market", "settlement")
FORBIDDEN_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "manager",
    "managers",
    "handlers",
    "types",
    "core",
}
HOST_MODULES = {"js", "pyodide", "pyodide_js"}
MAX_FILE = 400
MAX_FUNCTION = 60


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


@functools.cache
def _nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(_tree(path)))


@dataclass(frozen=True)
class Module:
    """One file of the package, parsed once."""

    path: Path
    name: str
    tree: ast.Module

    @property
    def parts(self) -> tuple[str, ...]:
        """`darkswap_browser.net.yamux.machine` → ("net", "yamux", "machine")."""
        return tuple(self.name.split(".")[1:])

    @property
    def nodes(self) -> list[ast.AST]:
        return _nodes(self.path)

    @functools.cached_property
    def imported(self) -> frozenset[str]:
        """Dotted names of everything imported, whether as a module or a name in one."""
        return frozenset(self._imports())

    def _imports(self) -> Iterator[str]:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.path}:{node.lineno}: imports are written in full, without dots"
                base = node.module or ""
                for alias in node.names:
                    inner = f"{base}.{alias.name}"
                    yield inner if inner in NAMES else base


def _module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


_FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = {_module_name(path) for path in _FILES}
MODULES = [Module(path, _module_name(path), _tree(path)) for path in _FILES]


def _ours(module: Module) -> set[str]:
    return {name for name in module.imported if name.split(".")[0] == PACKAGE.name}


def _allowed(module: Module, target: str) -> bool:
    """Whether `module` may import the module `target` of the package."""
    own, other = module.parts, tuple(target.split(".")[1:])
    if not other or not own:
        return True  # the package's own __init__ names what it exports
    if own[0] == other[0]:
        return own[0] != "runtime" or own[1:2] == ("select",) or other[1] not in HOSTS or own[1] == other[1]
    allowed = MAY_IMPORT[own[0]]
    if other[0] == "runtime" and other[1:2] and other[1] in HOSTS:
        return ".".join(other[:2]) in allowed
    return other[0] in allowed or ".".join(other[:2]) in allowed


def test_imports_go_down_only() -> None:
    wrong = [
        f"{module.name} may not import {target}"
        for module in MODULES
        for target in sorted(_ours(module))
        if not _allowed(module, target)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_folder_has_its_floor() -> None:
    folders = {module.parts[0] for module in MODULES if module.parts}
    assert folders <= set(MAY_IMPORT)


def test_no_import_goes_in_a_circle() -> None:
    graph = {module.name: _ours(module) & NAMES - {module.name} for module in MODULES}
    finished: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail[trail.index(name) :], name))
        if name not in finished:
            for target in graph[name]:
                visit(target, (*trail, name))
            finished.add(name)

    for name in graph:
        visit(name, ())


def test_only_darkswap_imports_the_trading_half_of_the_api() -> None:
    wrong = [
        f"{module.name} imports {name}"
        for module in MODULES
        if module.parts[:1] == ("api",) and module.parts[:2] not in {("api", "trading"), ("api", "darkswap")}
        for name in sorted(_ours(module))
        if name.split(".")[1:3] == ["api", "trading"]
    ]
    assert not wrong, "\n".join(wrong)


def _late_imports(module: Module) -> list[str]:
    top = {id(node) for node in module.tree.body}
    for block in module.tree.body:
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING":
            top |= {id(node) for node in block.body}
    return [
        f"{module.path}:{node.lineno}"
        for node in module.nodes
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in top
    ]


def test_imports_stand_at_the_top() -> None:
    late = [place for module in MODULES if module.parts != ("runtime", "select") for place in _late_imports(module)]
    assert not late, f"imports below the top: {', '.join(late)}"


def test_the_browser_is_seen_from_its_runtime_only() -> None:
    wrong = [
        f"{module.name} imports {name}"
        for module in MODULES
        if module.parts[:2] != ("runtime", "browser")
        for name in sorted(module.imported)
        if name.split(".")[0] in HOST_MODULES
    ]
    assert not wrong, "\n".join(wrong)


def _pure(module: Module) -> bool:
    return module.path.name in PURE_NAMES or module.parts[:1] in {(folder,) for folder in PURE_FOLDERS}


def test_pure_files_neither_wait_nor_ask_the_host() -> None:
    pure = [module for module in MODULES if _pure(module)]
    assert pure
    wrong = [
        f"{module.name} imports {name}"
        for module in pure
        for name in sorted(module.imported)
        if name.split(".")[0] in IMPURE
    ]
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    wrong += [
        f"{module.path}:{node.lineno}: waits" for module in pure for node in module.nodes if isinstance(node, waiting)
    ]
    assert not wrong, "\n".join(wrong)


def _too_long(path: Path) -> list[str]:
    """The file, if it is, and every function in it that is."""
    long = [f"{path} ({lines} lines)"] if (lines := len(path.read_text().splitlines())) > MAX_FILE else []
    return long + [
        f"{path}: {node.name} ({size} lines)"
        for node in _nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION
    ]


def test_files_and_functions_stay_short() -> None:
    long = [each for module in MODULES for each in _too_long(module.path)]
    assert not long, "\n".join(long)


@pytest.mark.parametrize("beside", ["build.py", "tests", "web/build"])
def test_what_stands_beside_the_package_stays_as_short(beside: str) -> None:
    place = ROOT / beside
    paths = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    assert paths and not [long for path in paths for long in _too_long(path)]


def test_names_say_what_is_inside() -> None:
    wrong = [module.name for module in MODULES if FORBIDDEN_NAMES & set(module.parts)]
    assert not wrong, "\n".join(wrong)


def test_files_that_hold_code_begin_with_what_they_are() -> None:
    bare = [str(module.path) for module in MODULES if module.tree.body and not ast.get_docstring(module.tree)]
    assert not bare, f"no docstring in {', '.join(bare)}"


def test_no_failure_is_swallowed_whole() -> None:
    broad = [
        f"{module.path}:{node.lineno}"
        for module in MODULES
        for node in module.nodes
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node) and not _raises(node)
    ]
    assert not broad, f"handlers that catch everything and go on: {', '.join(broad)}"


def test_only_the_guard_stops_every_exception() -> None:
    """A context manager can swallow exceptions as an `except` can; one place may, because it reports each."""
    guards = [
        module.name
        for module in MODULES
        for node in module.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name in {"__exit__", "__aexit__"}
        and not (isinstance(node.returns, ast.Constant) and node.returns.value is None)
    ]
    assert guards == ["darkswap_browser.concurrency.faults"]


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}) for kind in kinds
    )


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) for node in ast.walk(handler))


def test_tests_neither_mock_nor_patch() -> None:
    wrong = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in _nodes(path):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            if any(name.startswith("unittest.mock") for name in names):
                wrong.append(str(path))
            if isinstance(node, ast.arg) and node.arg in {"monkeypatch", "mocker"}:
                wrong.append(str(path))
    assert not wrong, f"these reach into what they test: {', '.join(wrong)}"


def test_foreign_texts_are_parsed_in_one_place() -> None:
    calls = [
        f"{module.path}:{node.lineno}"
        for module in MODULES
        # The suites of `testing` read what their own test server wrote.
        if module.parts != ("wire", "parsing") and module.parts[:1] != ("testing",)
        for node in module.nodes
        if isinstance(node, ast.Attribute)
        and node.attr in {"loads", "load", "unpackb", "unpack", "Unpacker"}
        and isinstance(node.value, ast.Name)
        and node.value.id in {"json", "msgpack"}
    ]
    assert not calls, f"parsed without a check of its nesting, use wire/parsing.py: {', '.join(calls)}"


def test_the_build_needs_the_standard_library_only() -> None:
    tree = ast.parse((ROOT / "build.py").read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)
