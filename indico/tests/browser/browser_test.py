"""`BrowserTest`: a test in Chromium, against a server in a process of its own.

A process of the tests starts one Chromium, and one server for each choice of flags.
"""

from __future__ import annotations

import atexit
import functools
import shutil
from typing import Any, ClassVar
from unittest import TestCase

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from indico.engine.tests.environment import CHOSEN
from indico.tests.server_process import ServerProcess
from indico.tests.server_test import PASSWORD, mongodb_uri

__all__ = ["PASSWORD", "BrowserTest"]

# The first is Chromium without windows of its own, which takes a third less processor time.
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# Chromium draws two pages of its own for each window. They take more time than the page in it.
OFF = "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup"
NARROW = {"width": 320, "height": 800}
DESK = {"width": 1000, "height": 800}
# The first axe brings its script into the page, and the second finds the script there.
WAYS: tuple[tuple[Axe, Any, Any], ...] = (
    (Axe(), "light", DESK),
    (Axe(axe_script=""), "dark", NARROW),
)
MORE_PIXELS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@functools.cache
def chromium() -> Browser:
    """Return the browser of this process, started when the first test asks."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program, "there is no Chromium on PATH: apt install chromium"
    playwright = sync_playwright().start()
    atexit.register(playwright.stop)
    return playwright.chromium.launch(executable_path=program, args=["--disable-gpu", OFF])


@functools.cache
def server(*flags: str) -> ServerProcess:
    """Return the server of this process with these flags, started when the first test asks."""
    database = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", "test_browser")
    delay = ("--max-delay-seconds", CHOSEN["max_delay_seconds"])
    process = ServerProcess(*database, *delay, *flags)
    atexit.register(process.__exit__)
    return process.wait_until_it_listens()


class BrowserTest(TestCase):
    """Base of tests with a server at `url`, and windows with cookies of their own.

    Other classes use the same server. So each test has accounts of its own.
    """

    integration = True
    seconds = 10
    flags: ClassVar[tuple[str, ...]] = ()
    url: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.url = f"http://127.0.0.1:{server(*cls.flags).port}"

    def open(self, path: str = "", **options: Any) -> Page:
        """Return a window with cookies of its own, at this path if there is one."""
        options = {"base_url": self.url, "viewport": DESK, "locale": "en-GB", **options}
        context = chromium().new_context(**options)
        context.set_default_timeout(60_000)
        self.addCleanup(context.close)
        page = context.new_page()
        if path:
            page.goto(path)
        return page

    def register(self, page: Page, email: str) -> None:
        self.post(page, "/register", name="Ada Lovelace", email=email, password=PASSWORD)

    def log_in(self, page: Page, email: str) -> None:
        self.post(page, "/login", email=email, password=PASSWORD)

    def post(self, page: Page, path: str, **fields: Any) -> None:
        """Send a form with the cookies of a window, which shows no page meanwhile."""
        headers = {"Origin": self.url}
        answer = page.request.post(path, form=fields, headers=headers, max_redirects=0)
        self.assertEqual(answer.status, 303, answer.text())

    def send(self, page: Page, **fields: str) -> None:
        """Fill in the form of a page, and send it by its first button."""
        for name, value in fields.items():
            page.locator(f"#{name}").fill(value)
        self.follow(page.locator("main form.card button").first)

    def follow(self, link: Locator) -> None:
        """Click, and wait for the next page."""
        with link.page.expect_navigation():
            link.click()

    def path(self, page: Page) -> str:
        return str(page.url).removeprefix(self.url)

    def check(self, page: Page, where: str) -> None:
        """Fail for what axe finds, and for a page that is wider than its window."""
        for axe, scheme, size in WAYS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            found = axe.run(page)
            report = f"{where}, {scheme}\n{found.generate_report()}"
            self.assertEqual(found.violations_count, 0, report)
            self.assertEqual(page.evaluate(MORE_PIXELS), 0, report)
