from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from darkswap_browser.errors import InvalidArgument, StorageError
from darkswap_browser.runtime.select import load


async def test_cpython_is_the_native_host_and_touches_no_browser(tmp_path: Path) -> None:
    runtime = load(tmp_path / "data")
    assert runtime.name == "native"
    assert not runtime.webrtc.available
    await runtime.store.put("a", b"b")
    assert await load(str(tmp_path / "data")).store.get("a") == b"b"
    runtime.store.close()
    assert not {"js", "pyodide", "pyodide_js"} & set(sys.modules)


async def test_load_without_persist_writes_no_file(tmp_path: Path) -> None:
    runtime = load(tmp_path / "data", persist=False)
    await runtime.store.put("a", b"b")
    async with runtime.locks.hold("lock"):
        assert await runtime.store.get("a") == b"b"
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("data", ["", "a\0b", "a\ud800", b"bytes", 5])
def test_load_with_what_is_no_name_of_a_folder_is_refused(data: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        load(data)
    assert caught.value.path == "data"


async def test_load_with_a_folder_that_cannot_be_made_names_it_at_first_use(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    runtime = load(tmp_path / "file" / "data")
    for use in (runtime.store.get("a"), runtime.locks.hold("lock").__aenter__()):
        with pytest.raises(StorageError) as caught:
            await use
        assert str(tmp_path / "file" / "data") in caught.value.place
