"""A login with another service in Chromium, with oidc-provider-mock as that service."""

from __future__ import annotations

from typing import ClassVar

from playwright.sync_api import Page

from indico.tests.browser.browser_test import PASSWORD, BrowserTest
from indico.tests.browser.mock_provider import MockProvider

SERVICE = "127.0.0.1"  # the name of a single service is its host


class ServiceLoginTest(BrowserTest):
    provider: ClassVar[MockProvider]

    @classmethod
    def setUpClass(cls) -> None:
        cls.provider = cls.enterClassContext(MockProvider())
        client = ("--oidc-client-id", "a client", "--oidc-client-secret", "a secret")
        cls.flags = ("--oidc-issuer", cls.provider.issuer, *client)
        super().setUpClass()

    def log_in_there(self, page: Page, button: str) -> None:
        """Follow the link on a page, and press a button of the service."""
        self.follow(page.get_by_role("link", name=f"Log in with {SERVICE}"))
        self.assertTrue(page.url.startswith(self.provider.issuer), page.url)
        self.follow(page.get_by_role("button", name=button))

    def test_new_person(self) -> None:
        page = self.open("/login", java_script_enabled=False)
        self.log_in_there(page, "ada")
        self.assertEqual(self.path(page), "/dashboard")
        self.assertIn("ada@example.com", page.inner_text("main"))
        first = len(self.provider.proven)
        self.assertGreater(first, 0)

        self.follow(page.get_by_role("link", name="Log out"))
        self.follow(page.get_by_role("button", name="Log out here"))
        page.goto("/login")
        self.log_in_there(page, "ada")
        self.assertEqual(self.path(page), "/dashboard")
        self.assertEqual(len(self.provider.proven), first + 1)

    def test_email_of_an_account(self) -> None:
        """The person confirms by the password, and unlinks the service later."""
        self.register(self.open(), "grace@example.com")
        page = self.open("/login")
        self.log_in_there(page, "grace")
        self.assertEqual(self.path(page), "/login/link")
        self.check(page, "/login/link")
        self.send(page, password=PASSWORD)
        self.assertEqual(self.path(page), "/dashboard?done=linked")
        self.check(page, "/dashboard with a service")
        self.follow(page.get_by_role("button", name=f"Unlink {SERVICE}"))
        self.assertEqual(page.get_by_role("status").inner_text(), "The service was unlinked.")

    def test_refused(self) -> None:
        """The mock sends no state with a refusal, so that its answer could be anybody's."""
        page = self.open("/login")
        self.check(page, "/login with a service")
        self.log_in_there(page, "Deny")
        self.assertIn("This did not work", page.inner_text("main"))
        self.check(page, "a login that failed")
        page.goto("/dashboard")
        self.assertEqual(self.path(page), "/login?next=%2Fdashboard")
