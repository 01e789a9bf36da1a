"""A page that selenium drives, in whichever browser: its scripts go on while another page is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from selenium.common.exceptions import JavascriptException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement

from tests.support.scripted_page import SEEN, ScriptedPage, for_script, outcome_of, value_of

# `_START` keeps the promise in the page, since one WebDriver command must not wait for it while another page is used.
_START = """
const [key, values] = arguments;
const pending = (globalThis.__jobs ??= {});
pending[key] = %s;
"""
_WAIT = """
const [key, limit, done] = arguments;
const late = new Promise((resolve) => setTimeout(resolve, limit, null));
Promise.race([globalThis.__jobs[key], late]).then((text) => {
  if (text !== null) delete globalThis.__jobs[key];
  done(text);
}, (error) => done(JSON.stringify({ error: { name: "Unserialisable", message: String(error), stack: "" } })));
"""


@dataclass
class Job:
    """A script that goes on in its page while the test does something else."""

    page: DrivenPage
    key: str

    def wait(self, timeout: float = 30.0) -> Any:
        self.page.focus()
        text = self.page.driver.execute_async_script(_WAIT, self.key, int(timeout * 1000))
        if text is None:
            raise TimeoutError(f"a script in the page has not ended within {timeout} s")
        return value_of(text)


class DrivenPage(ScriptedPage):
    """One tab of a browser with a WebDriver."""

    _jobs = 0

    def __init__(self, driver: WebDriver, base: str) -> None:
        self.driver = driver
        self.base = base

    def open(self, path: str) -> Self:
        """Goes to a path of the test site, or to a whole URL."""
        self.focus()
        self.driver.get(self.base + path if path.startswith("/") else path)
        return self

    def start(self, script: str, *args: object) -> Job:
        """Starts an async function body with `args` (plain values; bytes arrive as arrays of numbers)."""
        self.focus()
        DrivenPage._jobs += 1
        key = f"job{DrivenPage._jobs}"
        self.driver.execute_script(_START % outcome_of(script), key, for_script(args))
        return Job(self, key)

    def run_function(self, body: str, *args: object) -> Any:
        self.focus()
        return self.driver.execute_script(body, *args)

    def sees_within(self, selector: str, words: str, seconds: float) -> bool:
        self.focus()
        try:
            return bool(self.driver.execute_async_script(SEEN, selector, words, int(seconds * 1000)))
        except JavascriptException as error:
            if "unloaded" in str(error):
                return False
            raise

    def click(self, selector: str) -> None:
        self.focus()
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def fill(self, selector: str, text: str, *, enter: bool = False) -> None:
        self.focus()
        box = self.driver.find_element(By.CSS_SELECTOR, selector)
        box.clear()
        box.click()
        self.insert(box, text)
        if enter:
            box.send_keys(Keys.ENTER)

    def insert(self, box: WebElement, text: str) -> None:
        """Types into the element that has the focus."""
        box.send_keys(text)
