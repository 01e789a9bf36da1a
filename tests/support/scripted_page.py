"""A page under test, in whichever browser: it runs JavaScript and Python and says what came of them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, Self

# The script's own text becomes an async function of `values`; an error comes back as fields, which a driver would lose.
_OUTCOME = """(async (...args) => { %s
})(...values).then(
  (value) => ({ value: value === undefined ? null : value }),
  (error) => ({ error: {
    name: String(error?.name ?? typeof error), message: String(error?.message ?? error),
    stack: String(error?.stack ?? ""),
    code: error?.code === undefined ? null : String(error.code),
    retryable: error?.retryable ?? null, hint: error?.hint ?? null } }),
).then((outcome) => JSON.stringify(outcome, (_, value) => {
  if (typeof value === "bigint") return { $bigint: value.toString() };
  if (value instanceof Uint8Array) return { $bytes: Array.from(value) };
  return value;
}))"""

# One command for a second of looking: asked from outside, twenty times a second, the asking costs as much as the page.
SEEN = """
const [selector, words, limit, done] = arguments;
const end = performance.now() + limit;
const look = () => {
  const element = document.querySelector(selector);
  if (element !== null && (element.innerText ?? "").includes(words)) done(true);
  else if (performance.now() > end) done(false);
  else setTimeout(look, 50);
};
look();
"""


class JsError(Exception):
    """A script in the page threw; the fields are those of the JavaScript error."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(f"{fields['name']}: {fields['message']}\n{fields.get('stack', '')}")
        self.name: str = fields["name"]
        self.message: str = fields["message"]
        self.code: str | None = fields.get("code")
        self.retryable: bool | None = fields.get("retryable")
        self.hint: str | None = fields.get("hint")
        self.stack: str = fields.get("stack", "")


def outcome_of(script: str) -> str:
    """An expression: the promise of the script's outcome as text. It reads its arguments from `values`."""
    return _OUTCOME % script


def for_script(arguments: Sequence[object]) -> list[object]:
    """The arguments as JSON can carry them: bytes as arrays of numbers."""
    return [list(each) if isinstance(each, bytes | bytearray) else each for each in arguments]


def value_of(text: str) -> Any:
    """The value in an outcome's text: bytes for a Uint8Array, int for a bigint. Raises `JsError` if it threw."""
    outcome = json.loads(text, object_hook=_plain)
    if "error" in outcome:
        raise JsError(outcome["error"])
    return outcome["value"]


def _plain(value: dict[str, Any]) -> Any:
    if set(value) == {"$bigint"}:
        return int(value["$bigint"])
    if set(value) == {"$bytes"}:
        return bytes(value["$bytes"])
    return value


class ScriptJob(Protocol):
    """A script that goes on in its page while the test does something else."""

    def wait(self, timeout: float = 30.0) -> Any:
        """Its plain value. Raises `JsError` if it threw, `TimeoutError` if it has not ended in time."""
        ...


class ScriptedPage(ABC):
    """A page that runs scripts, and that a person may use."""

    def focus(self) -> None:  # noqa: B027 - one page in a browser of its own needs nothing
        """From now on what drives the browser speaks to this page."""

    @abstractmethod
    def open(self, path: str) -> Self:
        """Goes to a path of the test site, or to a whole URL."""

    @abstractmethod
    def start(self, script: str, *args: object) -> ScriptJob:
        """Starts an async function body with `args` (plain values; bytes arrive as arrays of numbers)."""

    @abstractmethod
    def run_function(self, body: str, *args: object) -> Any:
        """Runs a function body with `arguments`, which does not wait; returns its plain value."""

    @abstractmethod
    def sees_within(self, selector: str, words: str, seconds: float) -> bool:
        """Whether an element with that selector says `words` by then; False also when the page was left meanwhile."""

    @abstractmethod
    def click(self, selector: str) -> None:
        """With the mouse, on an element that is seen."""

    @abstractmethod
    def fill(self, selector: str, text: str, *, enter: bool = False) -> None:
        """Types a text in place of what a field holds, and the Enter key after it."""

    @abstractmethod
    def console(self) -> list[str]:
        """What was logged since the last call, each line with its level first."""

    def faults(self) -> list[str]:
        """The errors among `console()`: policy violations, failed requests, uncaught exceptions."""
        return [line for line in self.console() if line.startswith("SEVERE")]

    def run_js(self, script: str, *args: object, timeout: float = 30.0) -> Any:
        """Runs an async function body and returns its plain value: bytes for a Uint8Array, int for a bigint."""
        return self.start(script, *args).wait(timeout)

    def load_python(self, timeout: float = 60.0) -> Self:
        """Loads the self-hosted Pyodide and the package, as `globalThis.pyodide`. Returns this page."""
        self.run_js(
            """const { loadPyodide } = await import(new URL("/pyodide.mjs", location.href));
            globalThis.pyodide = await loadPyodide();
            const loaded = await pyodide.loadPackage("darkswap_browser", { messageCallback: () => {} });
            if (!loaded.some((one) => one.name === "darkswap-browser")) throw new Error("the package did not load");""",
            timeout=timeout,
        )
        return self

    def run_python(self, code: str, timeout: float = 30.0) -> Any:
        """Runs Python in the page, `await` allowed; returns the last expression as a plain value."""
        return self.start_python(code).wait(timeout)

    def start_python(self, code: str) -> ScriptJob:
        """Starts Python in the page, as `start` does JavaScript."""
        return self.start(
            """const value = await pyodide.runPythonAsync(args[0]);
            if (!(value instanceof pyodide.ffi.PyProxy)) return value;
            const plain = value.toJs({ dict_converter: Object.fromEntries, create_pyproxies: false });
            value.destroy();
            return plain;""",
            code,
        )
