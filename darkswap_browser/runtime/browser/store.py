"""Durable records and keys in the page's IndexedDB.

A private key is kept as the CryptoKey itself: the browser stores it without showing its bytes to anyone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import js
from pyodide.ffi import JsException

from darkswap_browser.errors import InvalidArgument, NodeMoved, StorageError, StorageFull, Unsupported
from darkswap_browser.runtime.base.crypto import SigningKey
from darkswap_browser.runtime.browser.crypto import Primitives, SeedKey, WebCryptoKey
from darkswap_browser.runtime.browser.ffi import Handlers, js_bytes

DATABASE = "darkswap"
VERSION = 1
RECORDS = "records"
KEYS = "keys"

PATIENCE_SECONDS = 30.0
"""A request that a browser has not answered by then has hung: no record of ours takes a second."""

_HINT = "Allow this site to store data; some private windows forbid it."
_PLACE = "IndexedDB"
_FORBIDDEN = ("SecurityError", "InvalidStateError", "NotAllowedError")


class IndexedDbStore:
    """Opened at first use, and again after the browser closed it (memory pressure, site data cleared)."""

    def __init__(self, primitives: Primitives, name: str = DATABASE, patience: float = PATIENCE_SECONDS) -> None:
        self._primitives = primitives
        self._name = name
        self._patience = patience
        self._js_database: Any = None
        self._handlers: Handlers | None = None
        self._opening = asyncio.Lock()
        self._taken = ""
        """Identity that this store writes for; "": without a fence."""
        self._epoch = 0

    async def get(self, key: str) -> bytes | None:
        js_value = await self._run(RECORDS, "readonly", lambda js_store: js_store.get(key))
        return None if js_value is None else bytes(js_value.to_bytes())

    async def put(self, key: str, value: bytes) -> None:
        await self._run(RECORDS, "readwrite", lambda js_store: js_store.put(js_bytes(value), key))

    async def delete(self, key: str) -> None:
        await self._run(RECORDS, "readwrite", lambda js_store: js_store.delete(key))

    async def move(self, key: str, to: str, value: bytes) -> bool:
        is_there = False
        handlers: list[Handlers] = []

        def begin(js_store: Any) -> Any:
            def go_on(js_event: Any) -> None:
                nonlocal is_there
                js_found = js_event.target.result
                is_there = js_found is not None and bytes(js_found.to_bytes()) == value
                if is_there:
                    js_store.put(js_found, to)
                    js_store.delete(key)

            js_request = js_store.get(key)
            handlers.append(Handlers(js_request, {"success": go_on}))
            return js_request

        try:
            await self._run(RECORDS, "readwrite", begin, is_whole=False)
        finally:
            for each in handlers:
                each.destroy()
        return is_there

    async def keys(self, prefix: str) -> list[str]:
        js_range = js.IDBKeyRange.bound(prefix, prefix + "\uffff")
        js_keys = await self._run(RECORDS, "readonly", lambda js_store: js_store.getAllKeys(js_range))
        # The browser sorts by UTF-16 units, which is another order for characters beyond 16 bits.
        return sorted(str(key) for key in js_keys.to_py() if str(key).startswith(prefix))

    async def load_signing_key(self, name: str) -> SigningKey | None:
        js_record = await self._run(KEYS, "readonly", lambda js_store: js_store.get(name))
        if js_record is None:
            return None
        js_seed = getattr(js_record, "seed", None)
        if js_seed is not None:
            return SeedKey(bytes(js_seed.to_bytes()), self._primitives)
        return WebCryptoKey(js_record.privateKey, bytes(js_record.publicKey.to_bytes()))

    async def save_signing_key(self, name: str, key: SigningKey) -> None:
        js_record = js.Object.new()
        if isinstance(key, WebCryptoKey):
            js_record.privateKey = key.js_private
            js_record.publicKey = js_bytes(key.public_bytes)
        elif isinstance(key, SeedKey):
            js_record.seed = js_bytes(key.seed)
        else:
            raise InvalidArgument("key", "was not made by this runtime")
        await self._run(KEYS, "readwrite", lambda js_store: js_store.put(js_record, name))

    # --- the fence: a number in the store, which whoever takes an identity over counts up (`web/src/api/epoch.mjs`)

    def guard(self, name: str, epoch: int) -> None:
        """See `Fence`."""
        self._taken, self._epoch = name, epoch

    async def check(self) -> None:
        """See `Fence`."""
        name = self._taken
        if not name:
            return
        epoch = await self._run(RECORDS, "readonly", lambda js_store: js_store.get(_epoch_key(name)))
        if epoch != self._epoch:
            raise NodeMoved(name)

    def close(self) -> None:
        """Idempotent; the next call opens the database again."""
        js_database, self._js_database = self._js_database, None
        if self._handlers is not None:
            self._handlers.destroy()
            self._handlers = None
        if js_database is not None:
            js_database.close()

    async def _run(self, store: str, mode: str, operation: Callable[[Any], Any], *, is_whole: bool = True) -> Any:
        """One operation in one transaction; returns once it is durable.

        Args:
            is_whole: All its requests are made by `operation` itself, and none by what happens then.
        Raises:
            NodeMoved: It would write, and another program has taken over.
        """
        js_database = await self._open()
        is_fenced = mode == "readwrite" and self._taken != ""
        js_stores = js.Array.of(store, RECORDS) if is_fenced else store
        write = _Operation(store, operation, self._relief_key() if is_fenced else None, is_whole=is_whole)
        try:
            try:
                js_transaction = js_database.transaction(js_stores, mode)
            except JsException as error:
                if not _text(error).startswith("InvalidStateError"):
                    raise
                # The browser closed the database behind our back.
                self.close()
                js_transaction = (await self._open()).transaction(js_stores, mode)
            write.begin(js_transaction)
            if await _succeeds(js_transaction, self._patience, "complete", ("abort", "error")):
                return write.js_request.result
            if write.is_refused:
                raise NodeMoved(self._taken)
            raise _failure(js_transaction.error)
        except TimeoutError:
            with suppress(JsException):  # it has ended at this very moment, or is the browser's own affair by now
                js_transaction.abort()
            raise self._late() from None
        except JsException as error:
            raise _failure(error) from error
        finally:
            write.close()

    def _relief_key(self) -> Any:
        return js.Array.of("relieved", self._taken, self._epoch)

    def _late(self) -> StorageError:
        return StorageError(_PLACE, f"does not answer within {self._patience} seconds")

    async def _open(self) -> Any:
        async with self._opening:
            if self._js_database is None:
                try:
                    js_request, create = js.indexedDB.open(self._name, VERSION), {"upgradeneeded": _create}
                    is_open = await _succeeds(js_request, self._patience, "success", ("error",), create)
                except AttributeError as error:  # a host without IndexedDB at all
                    raise Unsupported("storage", f"{_HINT} ({error})") from error
                except JsException as error:
                    raise _refusal(error) from error
                except TimeoutError:
                    raise self._late() from None
                if not is_open:
                    raise _refusal(js_request.error)
                self._js_database = js_request.result
                # Another tab may want to delete or upgrade the database; it waits until everyone has let go.
                self._handlers = Handlers(
                    self._js_database, {"versionchange": lambda _: self.close(), "close": lambda _: self.close()}
                )
            return self._js_database


class _Operation:
    """One operation of a transaction; with `js_key`, made only if no such record is there.

    The browser judges that, and commits, without this page: one that stops in the middle would keep the store from all
    other tabs.
    """

    def __init__(self, store: str, operation: Callable[[Any], Any], js_key: Any, *, is_whole: bool) -> None:
        self._store = store
        self._operation = operation
        self._js_key = js_key
        self._is_whole = is_whole
        self._handlers: Handlers | None = None
        self.js_request: Any = None
        self.is_refused = False

    def begin(self, js_transaction: Any) -> None:
        if self._js_key is not None:
            js_records = js_transaction.objectStore(RECORDS)
            # A record that is there is an error, which ends the transaction.
            self._handlers = Handlers(js_records.add(True, self._js_key), {"error": self._refuse})
            js_records.delete(self._js_key)
        self.js_request = self._operation(js_transaction.objectStore(self._store))
        if self._is_whole:
            js_transaction.commit()

    def _refuse(self, js_event: Any) -> None:
        self.is_refused = True

    def close(self) -> None:
        if self._handlers is not None:
            self._handlers.destroy()


def _epoch_key(name: str) -> str:
    return f"epoch/{name}"


def _create(js_event: Any) -> None:
    for store in (RECORDS, KEYS):
        js_event.target.result.createObjectStore(store)


async def _succeeds(
    js_target: Any,
    patience: float,
    success: str,
    failures: tuple[str, ...],
    more: Mapping[str, Callable[[Any], None]] | None = None,
) -> bool:
    """Whether `success` comes first of the events of a request or a transaction. Raises `TimeoutError`."""
    done: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def end(js_event: Any) -> None:
        if not done.done():
            done.set_result(str(js_event.type))

    handlers = Handlers(js_target, {**dict.fromkeys((success, *failures), end), **(more or {})})
    try:
        async with asyncio.timeout(patience):
            return await done == success
    finally:
        handlers.destroy()


def _refusal(js_error: Any) -> Unsupported | StorageError:
    """Of a database that was not opened: the browser forbids this page to store anything, or failed."""
    text = _text(js_error)
    if text.startswith(_FORBIDDEN) or "denied" in text:
        return Unsupported("storage", f"{_HINT} ({text})")
    return _failure(js_error)


def _failure(js_error: Any) -> StorageError:
    """Of a DOMException, or of a `JsException` that stands for one."""
    text = _text(js_error)
    kind = StorageFull if text.startswith("QuotaExceededError") else StorageError
    return kind(_PLACE, text)


def _text(js_error: Any) -> str:
    """ "Name: message". Pyodide wraps a DOMException that was thrown into an Error that quotes this text."""
    text = str(js_error)
    _, is_quoted, quoted = text.partition('"""')
    return quoted.partition('"""')[0] if is_quoted else text
