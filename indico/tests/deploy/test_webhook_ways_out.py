"""The way out of a cluster that webhooks need."""

from __future__ import annotations

from unittest import TestCase

from indico.tests.deploy.test_kubernetes import ways_out


class WebhooksTest(TestCase):
    def test_users_choose_the_ports_of_their_urls(self) -> None:
        self.assertIn([{"protocol": "TCP"}], [way["ports"] for way in ways_out()])
