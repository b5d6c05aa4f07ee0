"""Tests of the parts of `bench` that only compute."""

from __future__ import annotations

import contextlib
import io
import json
from unittest import TestCase

from bench import answers, chart, load, options, report
from bench.goals import goals, tails
from bench.mongodb import Deployment
from bench.options import CONNECTIONS
from bench.results import P99, REQUESTS, Results, medians, ratio

QUIET = load.Used(server=0.6, mongodb=0.3, core=0.7, wrk=0.1, withheld=0.2)
WORKLOADS = ("read", "insert", "update", "echo")
CELLS = [(workload, connections) for workload in WORKLOADS for connections in CONNECTIONS]


def results(**requests: int) -> Results:
    """Return results of one second in each cell of a goal; p99 in ms is the number of requests."""
    made = Results({"rounds": "1"}, dict.fromkeys(requests, "1.0"))
    for name, count in requests.items():
        made.memory[name] = {"idle_megabytes": 40.0, "peak_megabytes": 50.0}
        for cell in CELLS:
            made.add(name, cell, load.Load(count, 1.0, 1.0, float(count), {}), QUIET)
    return made


class ResultsTest(TestCase):
    def test_medians(self) -> None:
        self.assertEqual(medians([{"a": 3.0}, {"a": 1.0}, {"a": 2.0}]), {"a": 2.0})

    def test_ratio_says_how_many_times_better_ours_is(self) -> None:
        measured = {
            "indico": {REQUESTS.name: 300.0, P99.name: 2.0},
            "other": {REQUESTS.name: 100.0, P99.name: 5.0},
            "stuck": {REQUESTS.name: 0.0, P99.name: 0.0},
        }
        self.assertEqual(ratio(REQUESTS, measured, "other"), 3)
        self.assertEqual(ratio(P99, measured, "other"), 2.5)
        self.assertIsNone(ratio(REQUESTS, measured, "stuck"))
        self.assertIsNone(ratio(REQUESTS, {"other": measured["other"]}, "other"))

    def test_errors_make_a_cell_invalid(self) -> None:
        made = Results({}, {"indico": "1.0"})
        for errors in ({"status": 3}, {"timeout": 1}):
            made.add("indico", ("echo", 1), load.Load(10, 1.0, 1.0, 1.0, errors), QUIET)
        made.add("indico", ("echo", 1), load.Load(0, 1.0, 0.0, 0.0, {}), QUIET)
        self.assertEqual(len(made.invalid), 3)
        self.assertEqual(made.in_cell(("echo", 1)), {})

    def test_json(self) -> None:
        written = json.loads(json.dumps(results(indico=600, fastapi=200).as_json()))
        (cell, *_) = written["servers"]["fastapi"]["cells"]
        self.assertEqual(cell["medians"]["requests_per_second"], 200)
        self.assertEqual(cell["ratios"]["requests_per_second"], 3)
        self.assertEqual(cell["medians"]["others_percent"], 10)


class GoalsTest(TestCase):
    def test_ours_to_the_best_peer_or_the_named_one(self) -> None:
        found = goals(results(indico=700, fastapi=100, sanic=200, starlette=140))
        echo, others = found[12:], found[:12]
        self.assertEqual([(goal.workload, goal.connections) for goal in others], CELLS[:12])
        self.assertEqual({(goal.peer, goal.reached) for goal in others}, {("sanic", 3.5)})
        peers = [(goal.peer, goal.reached) for goal in echo]
        self.assertEqual(peers, [("fastapi", 7)] * 4 + [("starlette", 5)] * 4)
        self.assertEqual([goal.met for goal in others], [goal.goal <= 3.5 for goal in others])

    def test_processor_time_decides_where_the_other_core_is_full(self) -> None:
        made = results(indico=200, sanic=100)
        for name, used in (("indico", 0.2), ("sanic", 0.6)):
            seen = load.Load(100, 1.0, 1.0, 1.0, {})
            made.cells[name]["read", 8] = []
            made.add(name, ("read", 8), seen, load.Used(used, 0.36, used, 0.5, withheld=0.1))
        (goal,) = [goal for goal in goals(made) if (goal.workload, goal.connections) == ("read", 8)]
        self.assertEqual(goal.reached, 1)
        self.assertAlmostEqual(goal.processor, 3)
        self.assertTrue(goal.full and goal.met)
        self.assertIn("96%, 96% (full) | yes, by processor time |", report.markdown(made))

    def test_no_cell_behind_the_best_peer_on_another_mongodb(self) -> None:
        made = results(indico=100, sanic=100, starlette=100)
        self.assertNotIn(True, [goal.met for goal in goals(made) if goal.workload != "echo"])
        made.mongodb = Deployment(3, True)
        self.assertEqual({goal.met for goal in goals(made)}, {True})

    def test_ours_with_other_flags_is_no_peer(self) -> None:
        both = results(**{"indico": 300, "indico --debug": 900, "sanic": 100})
        self.assertEqual({goal.peer for goal in goals(both)}, {"sanic"})
        self.assertEqual(goals(results(indico=300)), [])

    def test_tails(self) -> None:
        found = tails(results(indico=150, fastapi=100, sanic=200))
        self.assertEqual({tail.connections for tail in found}, {32, 256})
        for tail in found:
            self.assertEqual((tail.ours, tail.best, tail.best_peer), (150, 200, "sanic"))
            self.assertEqual((tail.lowest, tail.lowest_peer, tail.met), (100, "fastapi", True))


class ReportTest(TestCase):
    def test_table(self) -> None:
        made = report.table(["server", "p50"], [["indico", "1.5"], ["a", "12"]])
        self.assertEqual(
            made, "| server | p50 |\n|--------|----:|\n| indico | 1.5 |\n| a      |  12 |"
        )

    def test_all_of_it(self) -> None:
        made = results(indico=600, fastapi=200)
        made.left_out["sanic"] = "echo: we answer 200, it 500"
        page = report.markdown(made)
        self.assertIn("| fastapi | 200 (3.00) |", page)
        self.assertIn("Left out: sanic. echo", page)
        self.assertIn("Other processes used 10% of the server's core", page)
        self.assertIn("Nothing was measured", report.markdown(Results({}, {})))


class ChartTest(TestCase):
    """The values that pygal draws. Only the environment of bench has pygal."""

    def test_bars(self) -> None:
        made = results(**{"indico": 600, "indico --debug": 500, "fastapi": 200}).as_json()
        del made["servers"]["fastapi"]["cells"][0]
        labels, values = chart.bars(made["servers"], REQUESTS)
        self.assertEqual(labels[0], "read, 1")
        self.assertEqual(list(values), ["indico", "indico --debug", "fastapi"])
        with_database = [workload for workload, _ in CELLS if workload != "echo"]
        self.assertEqual(values["indico"], [600] * len(with_database))
        self.assertEqual(values["fastapi"], [None, *[200] * (len(with_database) - 1)])
        self.assertEqual(chart.bars({}, REQUESTS), ([], {}))


class AnswersTest(TestCase):
    def test_difference(self) -> None:
        ours: answers.Answers = {"read": (200, {"id": 1}), "no token": (401, None)}
        self.assertEqual(answers.difference(ours, dict(ours)), "")
        self.assertIn("no token", answers.difference(ours, {**ours, "no token": (200, None)}))


class OptionsTest(TestCase):
    def test_everything(self) -> None:
        chosen = options.parse([])
        self.assertTrue(chosen.complete)
        self.assertEqual((len(chosen.servers), len(chosen.cells)), (8, 16))
        self.assertEqual(str(chosen.mongodb), "replica set of 1, w: majority, journal")

    def test_everything_on_another_mongodb(self) -> None:
        chosen = options.parse(["--tls", "--members", "3"])
        self.assertTrue(chosen.complete)
        self.assertEqual(str(chosen.mongodb), "replica set of 3, TLS, w: majority, journal")
        self.assertEqual(chosen.mongodb.differences(), ["3-members", "tls"])

    def test_narrowed(self) -> None:
        chosen = options.parse(
            [
                "--peers",
                "sanic,fastapi",
                "--connections",
                "1,8",
                "--",
                "--debug",
                "--",
                "--no-debug",
            ]
        )
        self.assertFalse(chosen.complete)
        names = [server.name for server in chosen.servers]
        self.assertEqual(
            names, ["indico", "indico --debug", "indico --no-debug", "fastapi", "sanic"]
        )
        self.assertEqual(chosen.servers[1].flags, ("--debug",))
        self.assertEqual(chosen.connections, (1, 8))

    def test_wrong(self) -> None:
        for wrong in (["--peers", "nosuch"], ["--rounds", "0"], ["--connections", "1,x"]):
            with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()) as said:
                options.parse(wrong)
            self.assertIn("argument --", said.getvalue())
