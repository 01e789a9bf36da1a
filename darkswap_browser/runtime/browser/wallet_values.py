"""What passes between Python and a wallet extension: plain values, copied, of bounded size.

Answers come from a stranger's program: they may be class instances with getters, huge, circular or no values at all.
"""

from __future__ import annotations

from typing import Any

import js
from pyodide.ffi import JsProxy, to_js

from darkswap_browser.errors import Unsupported, WalletFailed
from darkswap_browser.runtime.browser.ffi import js_object
from darkswap_browser.runtime.wallet_answers import wallet_error
from darkswap_browser.runtime.wallet_names import ERROR_FIELDS, MAX_DEPTH, MAX_LENGTH, MAX_VALUES


async def settled(wallet: str, js_target: Any, method: str, js_arguments: list[Any]) -> Any:
    """Calls a method and waits for its promise: the JavaScript value. Raises what `wallet_error` makes of a failure.

    The promise itself never comes to Python, where a reason that is no Error (4001 comes in a plain object) loses its
    fields or is never told: JavaScript calls the method, and `allSettled` makes data of what becomes of it. Twice, as
    a method may also throw at once.
    """
    js_method = getattr(js_target, method, None)
    if not callable(js_method):
        raise Unsupported(f"{method} of {wallet}")
    js_called = _list_of_result(js_method.bind(js_target, *js_arguments))
    js_settled = _list_of_result(js.Promise.allSettled.bind(js.Promise, js_called))
    (js_outcome,) = await js.Promise.allSettled(js_settled)
    if js_outcome.status == "fulfilled":
        (js_outcome,) = js_outcome.value
    if js_outcome.status == "rejected":
        raise wallet_error(wallet, thrown(wallet, js_outcome.reason))
    return getattr(js_outcome, "value", None)


def _list_of_result(js_function: Any) -> Any:
    """A list whose only item is what the function gives when JavaScript reads it."""
    js_getter = js_object({})
    js_getter.get = js_function
    js_list = js.Array.new()
    js.Object.defineProperty(js_list, 0, js_getter)
    return js_list


def js_argument(value: Any) -> Any:
    """Dicts become plain objects: wallets see nothing in a Map. No proxy of a Python object leaves."""
    return to_js(value, dict_converter=js.Object.fromEntries, create_pyproxies=False)


def plain(wallet: str, js_value: Any) -> Any:
    """A copy in Python's values: functions are left out, typed arrays become bytes. Raises `WalletFailed`."""
    return _Copier(wallet).copy(js_value, MAX_DEPTH)


def named(wallet: str, js_value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The named properties that are there, wherever they come from: a class may keep them as getters."""
    copier = _Copier(wallet)
    if not isinstance(js_value, JsProxy):
        return {}
    found = {name: getattr(js_value, name, None) for name in names}
    return {name: copier.copy(value, MAX_DEPTH) for name, value in found.items() if value is not None}


def thrown(wallet: str, js_reason: Any) -> Any:
    """A mapping as `wallet_error` takes it, or a text."""
    if isinstance(js_reason, JsProxy):
        return named(wallet, js_reason, ERROR_FIELDS)
    return str(js_reason)


class _Copier:
    def __init__(self, wallet: str) -> None:
        self._wallet = wallet
        self._left = MAX_VALUES

    def copy(self, js_value: Any, depth: int) -> Any:
        self._left -= 1
        if depth == 0 or self._left < 0:
            raise WalletFailed(self._wallet, "gave an answer that is too large")
        if js_value is None or isinstance(js_value, bool | int | float):
            return js_value
        if isinstance(js_value, str):
            self._judge(len(js_value))
            return js_value
        if not isinstance(js_value, JsProxy):
            return None  # null, which Pyodide keeps apart from undefined
        if js.ArrayBuffer.isView(js_value):
            self._judge(js_value.byteLength)
            return bytes(js.Uint8Array.new(js_value.buffer, js_value.byteOffset, js_value.byteLength).to_bytes())
        if js.Array.isArray(js_value):
            self._judge(js_value.length)
            return [self.copy(item, depth - 1) for item in js_value if not callable(item)]
        entries = js.Object.entries(js_value)
        return {str(name): self.copy(value, depth - 1) for name, value in entries if not callable(value)}

    def _judge(self, length: int) -> None:
        if length > MAX_LENGTH:
            raise WalletFailed(self._wallet, "gave an answer that is too large")
