"""The dashboard in two windows, which shows changes as they happen."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from indico.tests.browser.browser_test import BrowserTest


class LiveTest(BrowserTest):
    def windows(self, email: str) -> tuple[Page, Page]:
        """Return two windows of a new user, of which the second shows the dashboard."""
        page, other = self.open(), self.open()
        self.register(page, email)
        self.log_in(other, email)
        self.messages: list[str] = []
        for window in (page, other):
            window.on("console", lambda message: self.messages.append(message.text))
        other.goto("/dashboard")
        other.evaluate("window.isTheSame = true")
        return page, other

    def add(self, page: Page, name: str) -> None:
        self.post(page, "/dashboard/address", name=name)

    def same(self, page: Page) -> None:
        """Expect that a window was not loaded again, and that nothing was refused."""
        self.assertTrue(page.evaluate("window.isTheSame"))
        self.assertEqual(self.messages, [])

    def test_account_and_sessions(self) -> None:
        page, other = self.windows("live@example.com")
        page.goto("/dashboard/account")
        self.send(page, name="Countess of Lovelace")
        account = other.locator("[data-live=account]")
        expect(account).to_contain_text("Countess of Lovelace", timeout=60_000)
        third = self.open()
        self.log_in(third, "live@example.com")
        sessions = other.locator("[data-live=sessions] li")
        expect(sessions).to_have_count(3, timeout=60_000)
        self.post(third, "/logout")
        expect(sessions).to_have_count(2, timeout=60_000)
        self.same(other)

    def test_address_book(self) -> None:
        """Keep the focus, and the text in a field, while entries change."""
        page, other = self.windows("stays@example.com")
        page.goto("/dashboard/address")
        self.send(page, name="Ada")
        expect(other.locator("#book")).to_contain_text("Ada", timeout=60_000)
        other.get_by_role("link", name="Change: Ada").focus()
        self.add(page, "Barbara")
        expect(other.locator("#book")).to_contain_text("Barbara", timeout=60_000)
        label = "document.activeElement.getAttribute('aria-label')"
        self.assertEqual(other.evaluate(label), "Change: Ada")
        other.locator("#query").fill("typed")
        self.add(page, "Edsger")
        expect(other.locator("#book")).to_contain_text("Edsger", timeout=60_000)
        self.follow(page.get_by_role("link", name="Change: Ada"))
        self.follow(page.get_by_role("button", name="Delete"))
        expect(other.locator("#book")).not_to_contain_text("Ada", timeout=60_000)
        self.assertEqual(other.locator("#query").input_value(), "typed")
        self.same(other)

    def test_logged_out(self) -> None:
        page, other = self.windows("out@example.com")
        self.post(page, "/logout", everywhere="yes")
        other.wait_for_url("**/login?next=%2Fdashboard", timeout=60_000)

    def test_without_scripts(self) -> None:
        page = self.open(java_script_enabled=False)
        self.register(page, "still@example.com")
        self.add(page, "Grace Hopper")
        page.goto("/dashboard")
        self.assertIn("Grace Hopper", page.locator("#book").inner_text())
