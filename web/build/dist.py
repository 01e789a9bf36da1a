"""`dist/`: one flat folder of static files that any origin can serve, and the hashes of all of them."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from web.build import stdlib, wheels
from web.build.wheels import BUILD, CACHE, MODULES, ROOT

DIST = ROOT / "dist"
WEB = ROOT / "web"
CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm")
# Written by hand and served as they are: the name served, the file under web/.
STATIC = {
    "index.html": "src/page/index.html",
    "what-can-go-wrong.html": "src/page/what-can-go-wrong.html",
    "darkswap.d.ts": "src/api/darkswap.d.ts",
}


@contextmanager
def alone() -> Iterator[None]:
    """Builds of one checkout wait for each other."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def bundles(node: Path, build: str) -> dict[str, bytes]:
    """Name → contents of every esbuild output. `build` names what is built together."""
    target = CACHE / "bundles"
    target.mkdir(parents=True, exist_ok=True)
    for old in target.iterdir():
        old.unlink()
    subprocess.run([str(node), str(BUILD / "bundle.mjs"), str(target), build], check=True)
    return {path.name: path.read_bytes() for path in target.iterdir()}


def manifest(files: dict[str, bytes], version: str) -> bytes:
    """Size and subresource-integrity text of each file, for loaders that check and report progress."""
    core = json.loads((MODULES / "pyodide" / "package.json").read_text())
    entries = {
        name: {
            "size": len(data),
            "integrity": "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode(),
        }
        for name, data in sorted(files.items())
    }
    document = {"version": version, "pyodide": core["version"], "files": entries}
    return (json.dumps(document, indent=1) + "\n").encode()


def with_fetch(module: bytes) -> bytes:
    """`pyodide.mjs` that lets its caller fetch the binary files, and does not name a source map that is not served.

    Pyodide takes no `fetch`, and waits for ever when one of its own brings nothing: `init()` counts bytes and tells
    failures through this.
    """
    text = module.decode()
    own = "return{response:fetch(n,t?{integrity:t}:{})}"
    if text.count(own) != 1:
        raise SystemExit("pyodide.mjs is of another making: see with_fetch in web/build/dist.py.")
    text = text.replace(own, own.replace("fetch(", "darkswapFetch(")).replace(
        "//# sourceMappingURL=pyodide.mjs.map", ""
    )
    hook = "let darkswapFetch;export function setFetch(one=(...all)=>fetch(...all)){darkswapFetch=one}setFetch();"
    return f"{text.rstrip()}\n{hook}\n".encode()


def preloading(index: bytes, script: bytes) -> bytes:
    """index.html that asks at once for the parts which `page.mjs` would ask for only when it has come itself."""
    parts = re.findall(rb'from"\./(page-[^"]+)"', script)
    links = b"".join(b'<link rel="modulepreload" href="%s">\n' % part for part in dict.fromkeys(parts))
    mark = b'<link rel="modulepreload"'
    return index.replace(mark, links + mark, 1)


def lay(files: dict[str, bytes]) -> int:
    """Brings `dist/` to hold exactly `files`; each changed one is replaced in one step. Returns how many changed."""
    DIST.mkdir(exist_ok=True)
    changed = 0
    for name, data in files.items():
        path = DIST / name
        if path.exists() and path.read_bytes() == data:
            continue
        fresh = DIST / f".{name}.new"
        fresh.write_bytes(data)
        os.replace(fresh, path)
        changed += 1
    for path in DIST.iterdir():
        if path.name not in files:
            path.unlink()
            changed += 1
    return changed


def build(node: Path) -> int:
    """Builds what has changed. Returns how many files of `dist/` are new."""
    with alone():
        sources = [ROOT / "darkswap_browser", ROOT / "pyproject.toml", ROOT / "README.md", BUILD, WEB / "src"]
        sources += [WEB / "package-lock.json"]
        stamp = CACHE / "dist.stamp"
        key = wheels.digest(*[path for path in sources if path.exists()])
        if stamp.exists() and stamp.read_text() == key and (DIST / "manifest.json").exists():
            return 0
        source = wheels.source_wheel()
        page = wheels.page_wheels(node, source)
        files = {path.name: path.read_bytes() for path in [source, *page, *stdlib.compiled(node)]}
        files |= {name: (MODULES / "pyodide" / name).read_bytes() for name in CORE}
        files["pyodide.mjs"] = with_fetch(files["pyodide.mjs"])
        files |= {name: (WEB / path).read_bytes() for name, path in STATIC.items()}
        files |= bundles(node, key[:16])
        files["index.html"] = preloading(files["index.html"], files["page.mjs"])
        files["pyodide-lock.json"] = wheels.lock_text(page).encode()
        files["manifest.json"] = manifest(files, source.name.split("-")[1])
        changed = lay(files)
        stamp.write_text(key)
        return changed


if __name__ == "__main__":
    started = time.monotonic()
    count = build(Path(sys.argv[1]))
    print(f"dist/ is ready: {count} files are new ({time.monotonic() - started:.1f} s)")
