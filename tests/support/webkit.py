"""WebKitGTK for tests: the engine of Safari, driven by Debian's `webkit2gtk-driver` on a screen of its own.

A session is one window with a profile that ends with it. There is no headless mode, so it is drawn on `Xvfb`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service

from tests.support.driven_page import DrivenPage

BROWSERS = "/usr/lib", "*/webkit2gtk-4.*/MiniBrowser"
"""Where Debian puts the browser: it is on nobody's path."""


def missing_programs() -> list[str]:
    """What WebKit needs here and does not find."""
    missing = [name for name in ("WebKitWebDriver", "Xvfb") if not shutil.which(name)]
    return missing if _browser() else [*missing, "MiniBrowser"]


def _browser() -> str:
    folder, pattern = BROWSERS
    return str(next(iter(sorted(Path(folder).glob(pattern))), ""))


class WebKitPage(DrivenPage):
    """The window."""

    def __init__(self, browser: WebKit, base: str) -> None:
        super().__init__(browser.driver, base)
        self._browser = browser

    def console(self) -> list[str]:
        """What was logged since the last call, each line with its level first."""
        return self._browser.console()


class WebKit:
    """The browser and its screen."""

    def __init__(self, width: int = 1280, height: int = 900) -> None:
        self._files = ExitStack()
        folder = self._files.enter_context(tempfile.TemporaryDirectory(prefix="darkswap-webkit-"))
        self._log = Path(folder) / "console"
        self._read = 0
        self._screen = subprocess.Popen(
            ["Xvfb", "-displayfd", "1", "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._screen.stdout is not None
        display = self._screen.stdout.readline().strip()
        options = Options()
        options.binary_location = _browser()
        options.add_argument("--automation")
        options.add_argument("--enable-write-console-messages-to-stdout=true")
        environment = {**os.environ, "DISPLAY": f":{display}", "LIBGL_ALWAYS_SOFTWARE": "1"}
        service = Service(shutil.which("WebKitWebDriver") or "", log_output=str(self._log), env=environment)
        try:
            self.driver = webdriver.WebKitGTK(options=options, service=service)
        except BaseException:
            self._end_screen()
            raise
        self.driver.set_script_timeout(600)
        self.driver.set_window_size(width, height)

    def page(self, base: str) -> WebKitPage:
        """The one window, for a site."""
        return WebKitPage(self, base)

    def console(self) -> list[str]:
        """What was written since the last call."""
        text = self._log.read_text("utf-8", "replace")
        new, self._read = text[self._read :], len(text)
        return [_with_level(line) for line in new.splitlines() if line.startswith("CONSOLE ")]

    def quit(self) -> None:
        try:
            self.driver.quit()
        finally:
            self._end_screen()

    def _end_screen(self) -> None:
        self._screen.terminate()
        self._screen.wait()
        self._files.close()


def _with_level(line: str) -> str:
    """`CONSOLE JS ERROR text` as `SEVERE text`."""
    _, _source, level, text = [*line.split(" ", 3), "", ""][:4]
    return f"{'SEVERE' if level == 'ERROR' else level} {text}"
