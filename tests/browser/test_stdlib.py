"""The two standard libraries in a page: the small one holds all that our wheels import, and says what it lacks."""

from __future__ import annotations

import pytest

from tests.support.chrome import Page
from web.build.server import WebServer

pytestmark = pytest.mark.takes(20)

LOAD = """globalThis.lib = await import("/darkswap.mjs");
globalThis.pyodide = (await lib.default(args[0] ?? {})).pyodide;"""
# Imports every module below a folder, or of the standard library; returns what fails for want of a left-out module.
IMPORT_ALL = """
import importlib, site, sys, zipfile
from pathlib import Path
from _darkswap_left_out import MODULES

def names_of(paths):
    for path in sorted(paths):
        name = path.removesuffix(".pyc").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if not name.endswith("__main__"):
            yield name

folder = Path(site.getsitepackages()[0])
installed = [str(path.relative_to(folder)) for suffix in ("py", "pyc") for path in folder.rglob(f"*.{suffix}")]
library = zipfile.ZipFile(next(path for path in sys.path if path.endswith(".zip"))).namelist()
lost, done = [], 0
for name in [*names_of(installed), *names_of(library)]:
    try:
        importlib.import_module(name)
        done += 1
    except Exception as error:
        if getattr(error, "name", None) in MODULES:
            lost.append(f"{name} lacks {error.name}")
[lost, done, [name for name in sys.modules if name in MODULES and "importlib" not in name and name != "zipimport"]]
"""


def test_small_library_holds_what_every_module_of_the_page_imports(page: Page) -> None:
    page.run_js(LOAD, timeout=60)
    page.run_js('await pyodide.loadPackage(["darkswap_browser_trade", "micropip"])', timeout=60)
    lost, done, loaded = page.run_python(IMPORT_ALL, timeout=120)
    assert lost == []
    assert done > 500
    assert loaded == []


def test_small_library_is_what_init_fetches_and_the_full_one_when_told(page: Page) -> None:
    fetched = """return performance.getEntriesByType("resource").map((entry) => entry.name.split("/").at(-1))
      .filter((name) => name.startsWith("python_stdlib"));"""
    page.run_js(LOAD, timeout=60)
    assert set(page.run_js(fetched)) == {"python_stdlib_small.zip"}
    page.open("/blank.html").run_js(LOAD, {"stdlib": "full"}, timeout=60)
    assert set(page.run_js(fetched)) == {"python_stdlib.zip"}
    assert page.run_python("import pdb, xml.etree.ElementTree as tree\ntree.fromstring('<a/>').tag") == "a"


def test_import_of_a_left_out_module_names_the_way_out(page: Page) -> None:
    page.run_js(LOAD, timeout=60)
    told = page.run_python(
        """found = []
for name in ("pdb", "xml.etree.ElementTree", "no_such_module", "tkinter"):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        found.append([error.name, str(error), getattr(error, "__notes__", [])])
found"""
    )
    ours = "is left out of the small standard library · init({ stdlib: 'full' })"
    assert [name for name, _, _ in told] == ["pdb", "xml", "no_such_module", "tkinter"]
    assert told[0] == ["pdb", f"No module named 'pdb': it {ours}", []]
    assert ours in told[1][1]
    assert [ours in text for _, text, _ in told[2:]] == [False, False]


def test_bare_pyodide_has_the_full_library_with_its_docstrings_and_assertions(page: Page) -> None:
    page.load_python()
    assert page.run_python("import json, pdb, sys\n[bool(json.loads.__doc__), sys.flags.optimize]") == [True, 0]
    assert page.run_python(
        """import asyncio.queues
try:
    asyncio.queues.Queue().task_done()
except ValueError as error:
    frame = error.__traceback__
    while frame.tb_next:
        frame = frame.tb_next
[frame.tb_frame.f_code.co_filename, frame.tb_lineno > 100]"""
    ) == ["/lib/python314.zip/asyncio/queues.py", True]


def test_micropip_installs_under_the_small_library(page: Page, site: WebServer) -> None:
    page.run_js(LOAD, timeout=60)
    name = page.run_js(
        """await pyodide.loadPackage("micropip");
        const files = (await (await fetch("/manifest.json")).json()).files;
        const wheel = Object.keys(files).find((name) => /^embit-.*whl$/.test(name));
        const micropip = pyodide.pyimport("micropip");
        await micropip.install(new URL("/" + wheel, location.href).href);
        return pyodide.pyimport("embit.bech32").__name__;""",
        timeout=60,
    )
    assert name == "embit.bech32"


def test_unknown_library_is_refused(page: Page) -> None:
    code = page.run_js(
        """const lib = await import("/darkswap.mjs");
        return lib.default({ stdlib: "tiny" }).then(() => null, ({ code, details }) => [code, details.path]);"""
    )
    assert code == ["INVALID_ARGUMENT", "options.stdlib"]
