"""Errors and answers of wallets, as the extensions give them."""

from __future__ import annotations

from typing import Any

import pytest

from darkswap_browser.errors import Unsupported, WalletFailed, WalletRejected
from darkswap_browser.runtime.no_wallets import NoWalletProviders
from darkswap_browser.runtime.wallet_answers import result_of, wallet_error

CASES: list[tuple[Any, type[Exception]]] = [
    ({"code": 4001, "message": "User rejected the request."}, WalletRejected),
    ({"jsonrpc": "2.0", "id": "1", "error": {"code": 4001, "message": "no"}}, WalletRejected),
    ({"error": {"code": -32000, "message": "User rejected request"}}, WalletRejected),
    ({"message": "User canceled the request"}, WalletRejected),
    ("User declined", WalletRejected),
    ({"code": -32601, "message": "Method not found"}, Unsupported),
    ({"error": {"code": -32001, "message": "not supported"}}, Unsupported),
    ({"code": -32002, "message": "access denied"}, WalletFailed),
    ({"code": -32603, "message": "internal"}, WalletFailed),
    ({"code": "4001"}, WalletFailed),
    ({}, WalletFailed),
    (None, WalletFailed),
    (7, WalletFailed),
]


@pytest.mark.parametrize(("error", "kind"), CASES, ids=range(len(CASES)))
def test_what_a_wallet_threw(error: Any, kind: type[Exception]) -> None:
    assert type(wallet_error("wallet", error)) is kind


def test_a_wallets_own_words_are_shown_with_its_code_and_not_endlessly() -> None:
    assert str(wallet_error("leather", {"code": 7, "message": "locked"})) == "leather: locked (7)"
    assert len(str(wallet_error("leather", "x" * 10_000))) < 400


def test_answers_by_json_rpc() -> None:
    assert result_of("wallet", {"jsonrpc": "2.0", "id": 1, "result": {"a": 1}}) == {"a": 1}
    assert result_of("wallet", {"result": None, "error": None}) is None
    for answer in (None, [], "text", 7):
        with pytest.raises(WalletFailed):
            result_of("wallet", answer)
    with pytest.raises(WalletRejected):
        result_of("wallet", {"error": {"code": -32000}})


async def test_a_host_without_wallets_says_so() -> None:
    providers = NoWalletProviders()
    assert await providers.discover() == ()
    providers.subscribe_discovered(lambda name: None)()
    with pytest.raises(Unsupported):
        await providers.call("unisat", "getAccounts", [])
    with pytest.raises(Unsupported):
        providers.subscribe("unisat", lambda word: None)
