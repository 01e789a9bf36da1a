// Compiles Pyodide's standard library, which npm's package holds as sources, inside that same Pyodide.
// node compile_stdlib.mjs SOURCE TARGET LEFT_OUT: the zip of sources, the folder for `python_stdlib.zip` (all of it) and
// `python_stdlib_small.zip`, and the names that the small one lacks, separated by commas.
import { dirname, basename } from "node:path";
import { loadPyodide } from "pyodide";

const [source, target, leftOut] = process.argv.slice(2);
const pyodide = await loadPyodide({ env: { PYTHONNODEBUGRANGES: "1", HOME: "/tmp" } });
for (const [place, root] of Object.entries({ "/source": dirname(source), "/target": target })) {
  pyodide.FS.mkdir(place);
  pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root }, place);
}
pyodide.globals.set("source_name", basename(source));
pyodide.globals.set("left_out", leftOut.split(","));
pyodide.runPython(`
import sys
import zipfile
from importlib._bootstrap_external import _code_to_hash_pyc
from importlib.util import source_hash

gone = set(left_out)
with zipfile.ZipFile(f"/source/{source_name}") as archive:
    sources = {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}


def module_name(path):
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def is_left_out(name):
    parts = name.split(".")
    return any(".".join(parts[:count]) in gone for count in range(1, len(parts) + 1))


def compiled(path, text, optimize):
    # The name under which Pyodide mounts the zip: tracebacks read as they do with the sources.
    code = compile(text, f"/lib/python{sys.version_info[0]}{sys.version_info[1]}.zip/{path}", "exec", dont_inherit=True, optimize=optimize)
    # Unchecked: the loader never looks for a source to compare with.
    return bytes(_code_to_hash_pyc(code, source_hash(text), False))


def write(name, files):
    with zipfile.ZipFile(f"/target/{name}", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)


unknown = gone - {module_name(path) for path in sources}
if unknown:
    raise SystemExit(f"not in the standard library: {', '.join(sorted(unknown))}")
lacking = {name for name in map(module_name, sources) if is_left_out(name)}
index = f"MODULES = frozenset({sorted(lacking)!r})\\n".encode()
small = {path: text for path, text in sources.items() if module_name(path) not in lacking}
write("python_stdlib.zip", {path + "c": compiled(path, text, 0) for path, text in sources.items()})
write(
    "python_stdlib_small.zip",
    {path + "c": compiled(path, text, 2) for path, text in [*small.items(), ("_darkswap_left_out.py", index)]},
)
`);
