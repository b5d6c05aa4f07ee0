"""Addresses that a request to a URL of a user may go to."""

from __future__ import annotations

import socket
from typing import Any
from unittest import IsolatedAsyncioTestCase, TestCase

from tornado.netutil import Resolver

from ...http.public_addresses import PublicResolver, is_public

PUBLIC = ("8.8.8.8", "93.184.215.14", "100.63.255.255", "172.32.0.1", "2606:4700::1111")
PRIVATE = (
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "255.255.255.255", "240.0.0.1"),
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "100.127.255.255", "224.0.0.1", "239.1.1.1", "192.0.0.8", "192.88.99.1"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "168.63.129.16"),
    *("::", "::1", "::127.0.0.1", "::8.8.8.8", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1"),
    *("fd00:ec2::254", "ff02::1", "ff0e::1", "2001:db8::1", "3fff::1", "2001::1", "100::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::7f00:1", "2002:7f00:1::1", "5f00::1"),
)
# What a URL may have in place of an address.
FORMS = ("127.0.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "0", "::1")


class Names(Resolver):
    """A resolver with these addresses for each name."""

    def initialize(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        return [(socket.AF_INET, (address, port)) for address in self._addresses]


class IsPublicTest(TestCase):
    def test_public(self) -> None:
        self.assertEqual([address for address in PUBLIC if not is_public(address)], [])

    def test_private(self) -> None:
        self.assertEqual([address for address in PRIVATE if is_public(address)], [])


class PublicResolverTest(IsolatedAsyncioTestCase):
    async def test_forms_of_loopback(self) -> None:
        for host in (*FORMS, "localhost"):
            with self.subTest(host=host), self.assertRaises(OSError):
                await PublicResolver().resolve(host, 80)

    async def test_a_public_address(self) -> None:
        found = await PublicResolver().resolve("8.8.8.8", 443)
        self.assertEqual([address for _, address in found], [("8.8.8.8", 443)])

    async def test_a_name_with_a_private_address(self) -> None:
        with self.assertRaisesRegex(OSError, "inside.example has no public address"):
            await PublicResolver(names=Names("10.0.0.1")).resolve("inside.example", 443)

    async def test_a_name_with_both(self) -> None:
        resolver = PublicResolver(names=Names("10.0.0.1", "8.8.8.8", "127.0.0.1"))
        found = await resolver.resolve("both.example", 443)
        self.assertEqual([address for _, address in found], [("8.8.8.8", 443)])
