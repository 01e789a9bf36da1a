// Compiles wheels to bytecode inside the very Pyodide that will load them, so that the host's Python does not matter.
// node compile.mjs TOOLS SOURCE TARGET: folders of the compiler's own wheels, of the wheels to read and to write.
import { loadPyodide } from "pyodide";

const [tools, source, target] = process.argv.slice(2);
const pyodide = await loadPyodide({
  // Neither docstrings nor assertions, lines but no columns: a quarter less to download, and tracebacks stay readable.
  args: ["-OO"],
  // 1980-01-01, the oldest date a zip can hold: dates in the archives and in the bytecode are then always the same.
  env: { SOURCE_DATE_EPOCH: "315532800", PYTHONNODEBUGRANGES: "1", HOME: "/tmp" },
});
for (const [place, root] of Object.entries({ "/tools": tools, "/source": source, "/target": target })) {
  pyodide.FS.mkdir(place);
  pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root }, place);
}
pyodide.runPython(`
import sys
from pathlib import Path

sys.path += sorted(map(str, Path("/tools").glob("*.whl")))
from pyodide_build._py_compile import _compile, _py_compile_wheel_name

for wheel in sorted(Path("/source").glob("*.whl")):
    _compile(wheel, Path("/target") / _py_compile_wheel_name(wheel.name), verbose=False, compression_level=9)
`);
