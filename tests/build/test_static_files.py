"""The files that are served as they are written: one name for source and address, and no link to a page that is not."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.readme import README
from web.build.dist import STATIC, WEB

ROOT = WEB.parent
PAGES = [each for each in sorted((WEB / "src" / "page").rglob("*")) if each.suffix in {".html", ".mjs"}]


def test_static_file_is_served_under_the_name_of_its_source() -> None:
    assert {name: Path(source).name for name, source in STATIC.items()} == {name: name for name in STATIC}
    assert all((WEB / source).is_file() for source in STATIC.values())


def test_page_of_the_site_that_is_linked_to_is_served() -> None:
    linked = {name for page in PAGES for name in re.findall(r'href="([a-z-]+\.html)"', page.read_text("utf-8"))}
    assert linked
    assert linked <= set(STATIC)


def test_file_of_this_repository_that_the_readme_links_to_is_there() -> None:
    linked = {name for name in re.findall(r"\]\(([^)#\s]+)\)", README.read_text("utf-8")) if "://" not in name}
    assert linked
    assert [name for name in sorted(linked) if not (ROOT / name).exists()] == []
