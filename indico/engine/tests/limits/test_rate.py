"""Rates as texts, and the addresses that share a limit."""

from __future__ import annotations

from unittest import TestCase

from ...limits.network import network_of
from ...limits.rate import Rate


class RateTest(TestCase):
    def test_texts(self) -> None:
        for text, rate, shown in (
            ("10/minute", Rate(10, 60), "10/minute"),
            (" 1 / seconds ", Rate(1, 1), "1/second"),
            ("100/5 minutes", Rate(100, 300), "100/5 minutes"),
            ("3/24 hours", Rate(3, 86_400), "3/day"),
            ("7/90 seconds", Rate(7, 90), "7/90 seconds"),
        ):
            self.assertEqual(Rate.parse(text), rate)
            self.assertEqual(str(rate), shown)
            self.assertEqual(Rate.parse(shown), rate)

    def test_wrong_texts(self) -> None:
        for text in ("", "10", "10/fortnight", "-1/minute", "1.5/minute", "10/minute/hour"):
            with self.assertRaisesRegex(ValueError, "is no limit, like 10/minute"):
                Rate.parse(text)
        for text in ("0/minute", "1/0 minutes", "100001/second"):
            with self.assertRaisesRegex(ValueError, "allow from 1 call to 100000 calls a second"):
                Rate.parse(text)

    def test_times(self) -> None:
        rate = Rate(10, 60).times(3, 60)
        self.assertEqual(rate, Rate.parse("30/hour"))
        self.assertEqual((rate.window_ms, rate.interval_ms), (3_600_000, 120_000))
        self.assertEqual(Rate(10, 60).times(10), Rate.parse("100/minute"))


class NetworkTest(TestCase):
    def test_addresses(self) -> None:
        for address, network in (
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::", "2001:db8:1:3::/64"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("fe80::1%eth0", "fe80::/64"),
            ("a socket", "a socket"),
            (None, ""),
        ):
            self.assertEqual(network_of(address), network)
