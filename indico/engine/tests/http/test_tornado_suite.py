"""Tornado's own tests, on both HTTP servers: each difference is gone, or listed with its reason.

Tornado installs them with itself. They make their server in `AsyncHTTPTestCase.get_http_server`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import ExitStack
from types import ModuleType
from unittest import TestCase, TestResult, TestSuite, defaultTestLoader, mock

from tornado.httpserver import HTTPServer
from tornado.test import httpserver_test, web_test, websocket_test

from ...http.server import FastHTTPServer
from ..environment import LOOP
from .http_servers import HTTPServerTest
from .suite_differences import DIFFERENCES

# The modules in which Tornado's tests find their server.
MAKERS = ("tornado.testing", httpserver_test.__name__)
CHANCES = 3  # some of the tests depend on timing


def failures(server: type, tests: TestSuite) -> dict[str, str]:
    """Run `tests` on `server`; return the tracebacks of those that fail, by class and test."""
    result = TestResult()
    with ExitStack() as stack:
        for module in MAKERS:
            stack.enter_context(mock.patch(f"{module}.HTTPServer", server))
        tests.run(result)
    return {_name(test): text for test, text in [*result.failures, *result.errors]}


def _name(test: TestCase) -> str:
    """Return the class and name of a test, without its module and the values of a subtest."""
    return ".".join(test.id().partition(" ")[0].split(".")[-2:])


class SuiteTest(TestCase):
    varies_with = (LOOP,)
    integration = True
    seconds = 2
    maxDiff = None
    module: ModuleType

    def setUp(self) -> None:
        asyncio.set_event_loop_policy(HTTPServerTest.policy())
        self.addCleanup(asyncio.set_event_loop_policy, None)
        access = logging.getLogger("tornado.access")  # the tests check all other loggers
        self.addCleanup(access.setLevel, access.level)
        access.setLevel(logging.CRITICAL)

    def load(self, names: Iterable[str]) -> TestSuite:
        return defaultTestLoader.loadTestsFromNames(sorted(names), self.module)

    def check(self, module: ModuleType) -> None:
        """Check that the tests of `module` that fail only on our server are those listed."""
        self.module = module
        listed = {name for name in DIFFERENCES if hasattr(module, name.partition(".")[0])}
        failed = failures(FastHTTPServer, defaultTestLoader.loadTestsFromModule(module))
        unlisted = failed.keys() - listed
        for _ in range(CHANCES - 1):
            unlisted &= failures(FastHTTPServer, self.load(unlisted)).keys()
        both = failures(HTTPServer, self.load(unlisted | listed)).keys()
        self.assertEqual({name: failed[name] for name in unlisted - both}, {})
        self.assertEqual(listed - (failed.keys() - both), set(), "these are gone: unlist them")


class WebTest(SuiteTest):
    covers = False

    def test_each_difference_is_listed(self) -> None:
        self.check(web_test)


class WebSocketTest(SuiteTest):
    covers = False

    def test_each_difference_is_listed(self) -> None:
        self.check(websocket_test)


class HTTPServerSuiteTest(SuiteTest):
    def test_each_difference_is_listed(self) -> None:
        self.check(httpserver_test)
