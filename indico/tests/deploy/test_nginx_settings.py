"""`deploy/nginx.conf` beside the defaults of the settings."""

from __future__ import annotations

import re
import unittest

from indico.config import Settings
from indico.engine.http.error_answers import error_for_status
from indico.engine.process import http_servers
from indico.error import IndicoError
from indico.tests.deploy.programs import DEPLOY

CONFIGURATION = DEPLOY.joinpath("nginx.conf").read_text()
SECONDS = {"s": 1, "m": 60, "h": 3600}


def directive(name: str) -> str:
    """Return its only value."""
    values = set(re.findall(rf"^ *{name} ([^;]*);", CONFIGURATION, re.MULTILINE))
    assert len(values) == 1, (name, values)
    return str(values.pop())


def seconds(text: str) -> int:
    return int(text[:-1]) * SECONDS[text[-1]]


def upstream(name: str) -> str:
    """Return the value of a directive of the file with the servers."""
    block = CONFIGURATION.split("upstream indico {")[1].split("}")[0]
    (value,) = re.findall(rf"^ *{name} ([^;]*);", block, re.MULTILINE)
    return str(value)


class AgreementTest(unittest.TestCase):
    """Values in nginx.conf that have to agree with the defaults of the settings."""

    settings = Settings()

    def test_body(self) -> None:
        self.assertEqual(directive("client_max_body_size"), "1m")
        self.assertEqual(self.settings.max_body_bytes, 1 << 20)
        self.assertIn(f"the limit of {self.settings.max_body_bytes} bytes", CONFIGURATION)
        timeout = seconds(directive("client_body_timeout"))
        self.assertEqual(timeout, self.settings.body_timeout_seconds)

    def test_idle(self) -> None:
        self.assertEqual(
            seconds(directive("client_header_timeout")), self.settings.idle_timeout_seconds
        )

    def test_kept(self) -> None:
        """nginx closes an idle connection before the server does, even while the server drains."""
        milliseconds = int(upstream("keepalive_timeout").removesuffix("ms"))
        self.assertLessEqual(milliseconds / 1000, http_servers.LINGER_SECONDS / 2)
        self.assertLess(http_servers.LINGER_SECONDS, self.settings.drain_seconds)
        self.assertLess(milliseconds / 1000, self.settings.idle_timeout_seconds)

    def test_answer(self) -> None:
        read = seconds(directive("proxy_read_timeout"))
        self.assertGreater(read, self.settings.request_timeout_seconds)
        again = seconds(directive("proxy_next_upstream_timeout"))
        self.assertLess(again, self.settings.request_timeout_seconds)

    def test_errors(self) -> None:
        """nginx's errors have the server's codes, and the server's messages where both have one."""
        codes = dict(re.findall(r"(\d{3}) (\w+);", self.block("error_code")))
        messages = dict(re.findall(r'(\d{3}) "(.*)";', self.block("error_message")))
        self.assertEqual(set(codes), set(messages))
        known = {kind.code: kind for kind in kinds(IndicoError)}
        for status, code in codes.items():
            ours = known[code]
            self.assertEqual(ours.status, 503 if status == "502" else int(status))
            if status not in ("400", "405", "413"):
                expected = error_for_status(ours.status).message
                self.assertEqual(messages[status], expected)
        self.assertIn(f'default "{IndicoError.default_message}"', CONFIGURATION)

    @staticmethod
    def block(name: str) -> str:
        return CONFIGURATION.split(f"map $status ${name} {{")[1].split("}")[0]


def kinds(kind: type[IndicoError]) -> list[type[IndicoError]]:
    return [kind, *[other for child in kind.__subclasses__() for other in kinds(child)]]
