"""The corpus is played on both HTTP servers: each difference is gone, or listed with its reason."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from unittest import TestCase

from tornado.testing import bind_unused_port

from ..corpus import CORPUS, KINDS
from ..corpus.differences import DIFFERENCES
from ..corpus.exchange import SMUGGLED
from ..corpus.player import Outcome, play_all
from ..environment import LOOP
from ..sample.app import Settings, make_app
from .http_servers import HTTPServerTest, MakeServer, our_server, tornado_server


def new_loop() -> asyncio.AbstractEventLoop:
    return HTTPServerTest.policy().new_event_loop()


# A length that is legal to some, and that nobody can send; so what follows is in the body.
ENDLESS = {"bad-chunk-size-2-to-the-64-less-1"}
# What a server may say to what it refuses; or nothing, and close.
REFUSALS = {100, 400, 413, 414, 431, 501, 505}
# Each with the statuses of its answers, and how it ends.
STATUSES = {
    "get-healthz": ([200, 200], "open"),
    "head-healthz": ([200, 200], "open"),
    "half-close-nothing": ([], "closed"),
    "half-close-half-a-body": ([], "closed"),
    "half-half-a-body": ([], "waiting"),
    "length-too-long": ([], "waiting"),
    "length-body-over-the-limit": ([413, 200], "open"),
    "chunks-over-the-limit": ([413, 200], "open"),
    "chunks-slowly": ([200], "open"),
    "compressed-bomb": ([413, 200], "open"),
    "connection-close": ([200], "closed"),
    "connection-in-http-1.0-keep-alive": ([200, 200], "open"),
    "connection-none-in-http-1.0": ([200], "closed"),
    "expect-100-continue": ([100, 200, 200], "open"),
    "expect-body-never": ([100], "waiting"),
    "get-with-request-for-body": ([200, 200], "open"),
    "head-slowly": ([200], "open"),
    "head-of-100-fields": ([200, 200], "open"),
    "head-with-request-for-body": ([200, 200], "open"),
    "upgrade-websocket": ([200, 200], "open"),
    "pipeline-close-in-the-middle": ([200, 200], "closed"),
    "pipeline-error-in-the-middle": ([200, 400], "closed"),
    "pipeline-error-last": ([200, 200, 400], "closed"),
    "pipeline-mixed": ([200, 200, 200, 200, 404, 200], "open"),
    "pipeline-not-json-in-the-middle": ([200, 400, 200], "open"),
    "pipeline-of-twenty-numbers": ([200] * 20, "open"),
}


@functools.cache
def outcomes(server: MakeServer) -> dict[str, Outcome]:
    """Return the outcomes of the whole corpus, of which nothing is logged as a warning."""
    with TestCase().assertNoLogs(level="WARNING"), asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_outcomes(server))


async def _outcomes(make: MakeServer) -> dict[str, Outcome]:
    settings = Settings(max_body_bytes=1 << 16)
    server = make(make_app(settings), settings)
    listening, port = bind_unused_port()
    server.add_socket(listening)
    played = await play_all(port, CORPUS)
    server.stop()
    await server.close_all_connections()
    return played


class CorpusTest(TestCase):
    def test_names(self) -> None:
        self.assertEqual(len(CORPUS), sum(map(len, KINDS)), "a name is taken twice")
        self.assertGreater(len(CORPUS), 1000)

    def test_lists_name_exchanges(self) -> None:
        self.assertLessEqual(DIFFERENCES.keys() | STATUSES.keys(), CORPUS.keys())


class ServersTest(TestCase):
    """The exchanges on both servers: one class, so that they are played once on each."""

    varies_with = (LOOP,)
    integration = True
    seconds = 9
    maxDiff = None

    def test_each_difference_is_listed(self) -> None:
        tornado, ours = outcomes(tornado_server), outcomes(our_server)
        differing = {name for name in CORPUS if ours[name] != tornado[name]}
        unlisted = {
            name: (CORPUS[name], f"Tornado: {tornado[name]}", f"ours: {ours[name]}")
            for name in differing - DIFFERENCES.keys()
        }
        self.assertEqual(unlisted, {})
        self.assertEqual(DIFFERENCES.keys() - differing, set(), "these are gone: unlist them")

    # Rules that a listed difference may not break.

    def test_bad_ones_are_refused(self) -> None:
        self.assert_none(
            lambda name, outcome: (
                name.startswith("bad-")
                and name not in ENDLESS
                and not (outcome.ending == "closed" and set(outcome.statuses) <= REFUSALS)
            )
        )

    def test_nothing_smuggled_is_answered(self) -> None:
        self.assert_none(
            lambda name, outcome: (
                SMUGGLED in b"".join(CORPUS[name].parts)
                and "smuggled" in [answer.request_id for answer in outcome.answers]
            )
        )

    def test_statuses(self) -> None:
        self.assert_none(
            lambda name, outcome: (
                name in STATUSES and STATUSES[name] != (outcome.statuses, outcome.ending)
            )
        )

    def test_answers_are_in_order(self) -> None:
        order = [f"number-{number}" for number in range(20)]
        self.assert_none(
            lambda name, outcome: (
                name.startswith("pipeline-of-twenty-numbers")
                and [answer.request_id for answer in outcome.answers] != order
            )
        )

    def assert_none(self, wrong: Callable[[str, Outcome], bool]) -> None:
        for server in (tornado_server, our_server):
            played = outcomes(server).items()
            found = {name: str(outcome) for name, outcome in played if wrong(name, outcome)}
            self.assertEqual(found, {}, server.__name__)

    def test_too_many_fields_on_our_server(self) -> None:
        for fields in (101, 5000, 10_000):
            name = f"{'bad-' * (fields > 5000)}head-of-{fields}-fields"
            status = 431 if fields <= 5000 else 400  # its head has over 64 KiB
            self.assertEqual(outcomes(our_server)[name].statuses, [status], name)
