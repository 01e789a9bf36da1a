"""Where a CPython host keeps what outlives its process: one folder, the same for the library and for `darkswap`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import platformdirs

DATABASE = "darkswap.db"
VARIABLE = "DARKSWAP_DATA"


def data_folder(environment: Mapping[str, str]) -> Path:
    """`DARKSWAP_DATA` of `environment`, else the system's place for data of this user. It need not exist yet."""
    named = environment.get(VARIABLE)
    return Path(named) if named else platformdirs.user_data_path("darkswap", appauthor=False)
