"""In which order pytest-xdist gives files to its workers: those that take longest first, so that none is left for last.

A file says by `pytestmark = pytest.mark.takes(SECONDS)` about how long it takes; others count as short. Within a file
the order stays. `--no-loadscope-reorder` keeps xdist from putting the files with the most tests first instead.
"""

from __future__ import annotations

import pytest


def seconds(item: pytest.Item) -> float:
    """What the item's file says it takes."""
    mark = item.get_closest_marker("takes")
    return float(mark.args[0]) if mark else 0.0


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not hasattr(config, "workerinput"):
        return
    files: dict[str, float] = {}
    for item in items:
        files[item.nodeid.partition("::")[0]] = max(seconds(item), files.get(item.nodeid.partition("::")[0], 0.0))
    items.sort(key=lambda item: -files[item.nodeid.partition("::")[0]])
