"""Objects that a page passes, read by the API's own function in Node: what JSON would change in silence is refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

MODULE = Path(__file__).resolve().parents[2] / "web" / "src" / "api" / "arguments.mjs"

WIDE = """[...Array(9)].reduce((each) => Object.fromEntries([...Array(30).keys()].map((n) => [n, each])), {})"""
"""Few objects, each named thirty times by the next: 30 ** 9 values."""
REFUSED = {
    "{ at: new Date(NaN) }": "at",
    "{ at: { toJSON: () => undefined } }": "at",
    "{ list: [undefined, 1] }": "list[0]",
    "{ list: [1, , 2] }": "list[1]",
    "{ list: new Array(2 ** 32 - 1) }": "list",
    "{ list: new Proxy([], { get: (list, key) => (key === 'length' ? 2 ** 32 : list[key]) }) }": "list",
    "{ text: new String('x') }": "text",
    "{ number: new Number(5) }": "number",
    "{ flag: new Boolean(true) }": "flag",
    "{ data: new Uint8Array(3) }": "data",
    "{ data: new DataView(new ArrayBuffer(3)) }": "data",
    WIDE: "",
}
READ = {
    "{ a: [1, 'x', null, { b: true }], c: undefined }": {"a": [1, "x", None, {"b": True}]},
    "{ at: new Date(0) }": {"at": "1970-01-01T00:00:00.000Z"},
    "{ url: new URL('http://x.example') }": {"url": "http://x.example/"},
    "{ list: new Array(1000).fill(1) }": {"list": [1] * 1000},
}


def told(node: Path, source: str) -> dict[str, object]:
    script = f"""import {{ record }} from {json.dumps(MODULE.as_uri())};
    try {{ console.log(JSON.stringify({{ read: record("draft", {source}) }})); }}
    catch (error) {{ console.log(JSON.stringify({{ code: error.code, path: error.details?.path ?? "" }})); }}"""
    said = subprocess.run(
        [str(node), "--input-type=module", "--eval", script], capture_output=True, text=True, check=True, timeout=20
    )
    return dict(json.loads(said.stdout))


@pytest.mark.parametrize(("source", "path"), REFUSED.items(), ids=range(len(REFUSED)))
def test_record_with_what_json_would_change_is_refused(node: Path, source: str, path: str) -> None:
    answer = told(node, source)
    assert answer["code"] == "INVALID_ARGUMENT"
    assert str(answer["path"]) == path or not path


@pytest.mark.parametrize(("source", "copy"), READ.items(), ids=range(len(READ)))
def test_record_is_copied_as_json_holds_it(node: Path, source: str, copy: object) -> None:
    assert told(node, source) == {"read": copy}
