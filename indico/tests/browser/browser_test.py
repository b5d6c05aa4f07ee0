"""`BrowserTest`: a test in Chromium, against a server in a process of its own."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
from typing import Any, ClassVar
from unittest import TestCase

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from indico.engine.tests.environment import CHOSEN
from indico.tests.server_process import ServerProcess
from indico.tests.server_test import PASSWORD, mongodb_uri

__all__ = ["PASSWORD", "BrowserTest"]

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
NARROW = {"width": 320, "height": 800}
DESK = {"width": 1000, "height": 800}
WAYS: tuple[tuple[Any, Any], ...] = (("light", DESK), ("dark", NARROW))
MORE_PIXELS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@functools.cache
def chromium() -> Browser:
    """Return the browser of this process, started when the first test asks."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program, "there is no Chromium on PATH: apt install chromium"
    playwright = sync_playwright().start()
    atexit.register(playwright.stop)
    # Chromium's sandbox needs a user without root's rights.
    flags = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    return playwright.chromium.launch(executable_path=program, args=flags)


class BrowserTest(TestCase):
    """Base of tests with a server at `url`, and windows with cookies of their own."""

    integration = True
    seconds = 10
    flags: ClassVar[tuple[str, ...]] = ()
    server: ClassVar[ServerProcess]
    url: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        database = f"test_browser_{cls.__name__}"
        flags = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", database)
        delay = ("--max-delay-seconds", CHOSEN["max_delay_seconds"])
        cls.server = ServerProcess(*flags, *delay, *cls.flags)
        cls.addClassCleanup(cls.server.__exit__)
        cls.url = f"http://127.0.0.1:{cls.server.wait_until_it_listens().port}"

    def open(self, path: str = "/", **options: Any) -> Page:
        """Return a window of a browser of its own, without cookies, at this path."""
        options = {"base_url": self.url, "viewport": DESK, "locale": "en-GB", **options}
        context = chromium().new_context(**options)
        context.set_default_timeout(60_000)
        self.addCleanup(context.close)
        page = context.new_page()
        page.goto(path)
        return page

    def register(self, page: Page, email: str) -> None:
        page.goto("/register")
        self.send(page, name="Ada Lovelace", email=email, password=PASSWORD)

    def log_in(self, page: Page, email: str) -> None:
        page.goto("/login")
        self.send(page, email=email, password=PASSWORD)

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
        for scheme, size in WAYS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            found = Axe().run(page)
            report = f"{where}, {scheme}\n{found.generate_report()}"
            self.assertEqual(found.violations_count, 0, report)
            self.assertEqual(page.evaluate(MORE_PIXELS), 0, report)
