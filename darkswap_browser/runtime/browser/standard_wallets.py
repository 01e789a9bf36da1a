"""Wallets that register themselves with the page (wallet-standard): events of `window`, functions by feature.

Events: github.com/wallet-standard/wallet-standard, package `app`; features `bitcoin:…`: its Bitcoin extension.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import js

from darkswap_browser.errors import Unsupported
from darkswap_browser.runtime.browser.ffi import JsCallback, Listeners, js_object
from darkswap_browser.runtime.browser.wallet_values import js_argument, named, plain, settled
from darkswap_browser.runtime.wallet_names import ACCOUNT_FIELDS, MAX_NAME, MAX_STANDARD, STANDARD


class WalletStandardRegistry:
    """`announce_app` makes this page known; wallets may come at any time after it.

    Args:
        on_register: Called after wallets registered themselves.
    """

    def __init__(self, on_register: Callable[[], None]) -> None:
        self._on_register = on_register
        self._js_wallets: dict[str, Any] = {}
        self._js_accounts: dict[tuple[str, str], Any] = {}
        """Wallet and address → the account object that the wallet wants back."""
        self._listeners = Listeners()
        self._register: JsCallback | None = None
        """Lent to the page from `announce_app` to `close`."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._js_wallets)

    def knows(self, provider: str) -> bool:
        return provider in self._js_wallets

    def announce_app(self, js_window: Any) -> None:
        """Both ways: wallets that are there hear the page, later ones are heard by it."""
        self.close()
        self._register = JsCallback(self._add)
        js_api = js_object({})
        js_api.register = self._register.js_function
        self._listeners.add(js_window, "wallet-standard:register-wallet", lambda js_event: js_event.detail(js_api))
        js_options = js_object({})
        js_options.detail = js_api
        js_window.dispatchEvent(js.CustomEvent.new("wallet-standard:app-ready", js_options))

    def close(self) -> None:
        """Let go of the listener and the proxy; wallets that came stay known. Idempotent."""
        self._listeners.destroy()
        if self._register is not None:
            self._register.destroy()
            self._register = None

    async def call(self, provider: str, method: str, params: Any) -> Any:
        feature, _, function = method.rpartition(".")
        js_feature = getattr(self._js_wallets[provider].features, feature, None)
        if js_feature is None:
            raise Unsupported(f"{feature} of {provider}")
        js_params = js_argument(self._with_accounts(provider, params))
        js_answer = await settled(provider, js_feature, function, [js_params])
        if feature == "bitcoin:connect":
            return {"accounts": [self._account(provider, each) for each in getattr(js_answer, "accounts", ())]}
        return plain(provider, js_answer)

    def subscribe(self, provider: str, callback: Callable[[str], None]) -> Callable[[], None]:
        js_events = getattr(self._js_wallets[provider].features, "standard:events", None)
        if js_events is None:
            return lambda: None
        lent = JsCallback(lambda *_: callback("accounts"))
        js_end = js_events.on("change", lent.js_function)

        def end() -> None:
            if callable(js_end):
                js_end()
            lent.destroy()

        return end

    def _add(self, *js_wallets: Any) -> None:
        for js_wallet in js_wallets:
            name = STANDARD + str(getattr(js_wallet, "name", ""))[:MAX_NAME]
            speaks_bitcoin = hasattr(getattr(js_wallet, "features", None), "bitcoin:connect")
            if speaks_bitcoin and (name in self._js_wallets or len(self._js_wallets) < MAX_STANDARD):
                self._js_wallets[name] = js_wallet
        self._on_register()

    def _account(self, provider: str, js_account: Any) -> dict[str, Any]:
        account = named(provider, js_account, ACCOUNT_FIELDS)
        self._js_accounts[provider, str(account.get("address"))] = js_account
        return account

    def _with_accounts(self, provider: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._with_accounts(provider, each) for each in value]
        if not isinstance(value, dict):
            return value
        known = self._js_accounts
        return {
            name: known.get((provider, each), each) if name == "account" else self._with_accounts(provider, each)
            for name, each in value.items()
        }
