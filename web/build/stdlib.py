"""Pyodide's standard library as bytecode, whole and small.

npm's Pyodide brings it as a zip of sources, so that every start of a page compiles what it imports: three quarters of
the time a bare `loadPyodide` takes. `python_stdlib.zip` is all of it, with docstrings and assertions: what a bare
`loadPyodide`, micropip and pytest-pyodide find. `python_stdlib_small.zip` lacks `LEFT_OUT`, docstrings and assertions:
what `init()` loads unless told `stdlib: "full"`.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from web.build.wheels import BUILD, CACHE, MODULES, digest

FULL = "python_stdlib.zip"
SMALL = "python_stdlib_small.zip"
# Modules, and packages with all that is in them, that neither our wheels nor micropip import. Why:
LEFT_OUT = (
    # tools for developers, and their interactive sides
    *("__hello__", "__phello__", "_pyrepl", "antigravity", "bdb", "cProfile", "cmd", "code", "compileall"),
    *(
        "difflib",
        "doctest",
        "modulefinder",
        "pdb",
        "pickletools",
        "profile",
        "pstats",
        "pyclbr",
        "pydoc",
        "symtable",
        "tabnanny",
        "this",
    ),
    *("timeit", "trace", "unittest", "asyncio.__main__", "asyncio.tools", "json.__main__", "json.tool"),
    *("sqlite3.__main__", "sysconfig.__main__", "zipfile.__main__", "rlcompleter", "pyodide.console"),
    # processes, threads, terminals, native code: a page has none
    *("concurrent.interpreters", "concurrent.futures.interpreter", "concurrent.futures.process", "ctypes"),
    *("multiprocessing", "pty", "tty"),
    # Windows' half of asyncio
    *("asyncio.proactor_events", "asyncio.windows_events", "asyncio.windows_utils"),
    # protocols over raw sockets, and servers of them
    *("ftplib", "http.cookiejar", "http.cookies", "http.server", "imaplib", "mailbox", "netrc", "poplib", "smtplib"),
    *("socketserver", "urllib.robotparser", "webbrowser", "wsgiref", "xmlrpc"),
    # formats and jobs that nothing here has
    *("colorsys", "configparser", "email.mime", "filecmp", "fileinput", "graphlib", "logging.config"),
    *(
        "logging.handlers",
        "optparse",
        "plistlib",
        "sched",
        "shelve",
        "sqlite3",
        "statistics",
        "tomllib",
        "wave",
        "xml",
        "zipapp",
        "zoneinfo",
    ),
    # what the interpreter itself holds: frozen, or in C; and old names of modules
    *(
        "importlib._bootstrap",
        "importlib._bootstrap_external",
        "zipimport",
        "_pydatetime",
        "_pyio",
        "nturl2path",
        "sre_compile",
        "sre_constants",
        "sre_parse",
    ),
)


def compiled(node: Path) -> list[Path]:
    """The two zips; made anew only when Pyodide or what makes them has changed."""
    source = MODULES / "pyodide" / FULL
    script = BUILD / "compile_stdlib.mjs"
    folder = CACHE / "stdlib" / digest(source, script, MODULES / "pyodide" / "package.json", ",".join(LEFT_OUT))[:20]
    result = [folder / FULL, folder / SMALL]
    if not all(path.exists() for path in result):
        fresh = folder.with_suffix(".new")
        fresh.mkdir(parents=True, exist_ok=True)
        subprocess.run([str(node), str(script), str(source), str(fresh), ",".join(LEFT_OUT)], check=True)
        fresh.rename(folder)
    return result
