"""deploy/grafana/dashboard.json against what a server answers, and its picture."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any
from unittest import TestCase
from xml.etree import ElementTree

from bench import dashboard, panels, promql
from indico.engine.mongo import connection as db
from indico.engine.tests.telemetry.scrape import Figures
from indico.tests.server_process import ROOT
from indico.tests.server_test import PASSWORD, ServerTest

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
OF_PROMETHEUS = {"job", "instance"}  # which it adds itself


def labels(query: str) -> set[str]:
    """The names of labels in it."""
    by = ",".join(re.findall(r"by \(([^)]*)\)", query))
    return set(re.findall(r"(\w+)=", query)) | {name.strip() for name in by.split(",") if name}


class MetricsTest(ServerTest):
    """After traffic of all kinds, one of each error included."""

    def setUp(self) -> None:
        super().setUp()
        self.register()
        self.post("/auth/register", {"email": "ada@example.com", "password": PASSWORD})
        self.fetch("/nosuch")
        self.run_async(db.disconnect())
        body = {"email": "ada@example.com", "password": PASSWORD}
        self.error(self.post("/auth/login", body), 503, "unavailable")
        self.run_async(db.connect(self.uri(), self.database, self.driver))
        self.text = self.fetch("/metrics").body.decode()
        self.figures = Figures(self.text)

    def test_every_name_and_label_is_there(self) -> None:
        for query in QUERIES:
            known = set(OF_PROMETHEUS)
            names = re.findall(r"\bindico_\w+", query)
            self.assertTrue(names, query)
            for name in names:
                samples = self.figures.labels(name)
                self.assertTrue(samples, f"{name} in {query}")
                known |= set(samples[0])
            self.assertEqual(labels(query) - known, set(), query)

    def test_legends_are_of_labels_that_are_left(self) -> None:
        for target in itertools.chain.from_iterable(panel["targets"] for panel in PANELS):
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            self.assertEqual(named - labels(target["expr"]), set(), target)

    def test_every_metric_is_shown(self) -> None:
        """But for what is only of use to who looks for it."""
        shown = " ".join(QUERIES)
        families = set(re.findall(r"^# TYPE (\S+) ", self.text, re.M)) - {"indico_build_info"}
        self.assertEqual({name for name in families if name not in shown}, set())

    def test_documentation_has_every_metric(self) -> None:
        families = set(re.findall(r"^# TYPE (\S+) ", self.text, re.M))
        page = (ROOT / "docs/operating.md").read_text()
        self.assertEqual(set(re.findall(r"^\| `(indico_\w+)`", page, re.M)), families)


class ShapeTest(TestCase):
    """What Grafana needs of a dashboard that is imported."""

    def test_whole(self) -> None:
        self.assertGreaterEqual(DASHBOARD["schemaVersion"], 39)
        self.assertEqual({DASHBOARD[key] for key in ("title", "uid")}, {"indico"})
        self.assertNotIn("id", DASHBOARD)  # of one installation only

    def test_data_source_is_chosen(self) -> None:
        variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
        self.assertEqual(variables["datasource"]["type"], "datasource")
        used = set(re.findall(r'"\$\{?(\w+)', json.dumps(DASHBOARD)))
        used |= set(re.findall(r"\$(\w+)", " ".join(QUERIES))) - {"__rate_interval"}
        self.assertEqual(used, set(variables))
        for panel in PANELS:
            for each in (panel, *panel["targets"]):
                self.assertEqual(each["datasource"], {"type": "prometheus", "uid": "${datasource}"})

    def test_panels(self) -> None:
        ids = [panel["id"] for panel in PANELS]
        self.assertEqual(len(set(ids)), len(ids))
        cells: set[tuple[int, int]] = set()
        for panel in PANELS:
            self.assertTrue(panel["title"] and panel["type"] and panel["targets"])
            references = [target["refId"] for target in panel["targets"]]
            self.assertEqual(len(set(references)), len(references))
            grid = panel["gridPos"]
            self.assertLessEqual(grid["x"] + grid["w"], 24)
            own = set(
                itertools.product(
                    range(grid["x"], grid["x"] + grid["w"]),
                    range(grid["y"], grid["y"] + grid["h"]),
                )
            )
            self.assertFalse(cells & own, panel["title"])
            cells |= own


def scrape(seconds: float, *lines: str) -> promql.Scrape:
    return promql.Scrape.of(seconds, "\n".join(lines) + "\n", job="indico")


class QueryTest(TestCase):
    """`bench.promql`: the figures of Prometheus's own documentation of these functions."""

    def value(self, query: str, *scrapes: promql.Scrape) -> dict[str, float]:
        return {
            ",".join(value for _, value in sorted(labels)): value
            for labels, value in promql.parse(query)(list(scrapes)).items()
        }

    def test_rate(self) -> None:
        before = scrape(100, "# TYPE a counter", 'a_total{x="1",y="1"} 10')
        after = scrape(
            *(110, "# TYPE a counter", 'a_total{x="1",y="1"} 30'),
            *('a_total{x="1",y="2"} 10', 'a_total{x="2",y="1"} 5'),
        )
        rate = 'sum by (x) (rate(a_total{job=~"$job"}[$__rate_interval]))'
        self.assertEqual(self.value(rate, before, after), {"1": 3, "2": 0.5})
        some = 'sum (rate(a_total{x="2"}[1m])) / sum (rate(a_total{x=~"1|2"}[1m]))'
        self.assertEqual(self.value(some, before, after), {"": 0.5 / 3.5})
        none = 'sum (rate(a_total{x="3"}[1m]))'
        self.assertEqual(self.value(none, before, after), {})

    def test_quantile(self) -> None:
        kind = "# TYPE a histogram"
        counts = ('a_bucket{le="1"} 0', 'a_bucket{le="2"} 10', 'a_bucket{le="+Inf"} 20')
        now = scrape(1, kind, *counts, "a_sum 0", "a_count 20")
        query = "histogram_quantile({}, sum by (le) (a_bucket))"
        self.assertEqual(self.value(query.format(0.25), now), {"": 1.5})
        self.assertEqual(self.value(query.format(0.9), now), {"": 2})
        empty = scrape(1, kind, 'a_bucket{le="1"} 0', 'a_bucket{le="+Inf"} 0', "a_count 0")
        self.assertEqual(self.value(query.format(0.9), empty), {})

    def test_time(self) -> None:
        now = scrape(100, "# TYPE a gauge", 'a{x="1"} 60', 'a{x="2"} 90')
        self.assertEqual(self.value("time() - max by (x) (a)", now), {"1": 40, "2": 10})

    def test_what_is_not_known(self) -> None:
        for query in ("sum(", "sum by (a (b)", "a b", "histogram_quantile(0.5 a)"):
            with self.assertRaises(ValueError):
                promql.parse(query)

    def test_all_of_ours_are_known(self) -> None:
        for query in QUERIES:
            promql.parse(query)


class PictureTest(TestCase):
    def test_well_formed(self) -> None:
        text = "# TYPE indico_requests_in_flight gauge\nindico_requests_in_flight"
        scrapes = [promql.Scrape.of(n, f"{text} {n}\n", job="a") for n in range(3)]
        drawn = {panel["id"]: dashboard.series(panel, scrapes) for panel in PANELS}
        root = ElementTree.fromstring(panels.svg(DASHBOARD, "about <it>", drawn, 2))
        texts = [each.text for each in root.iter() if each.tag.endswith("text")]
        self.assertLessEqual({panel["title"] for panel in PANELS}, set(texts))
        lines = [each for each in root.iter() if each.tag.endswith("polyline")]
        self.assertEqual(len(lines), 1)

    def test_the_one_that_is_kept(self) -> None:
        """Has the panels of today."""
        kept = (ROOT / "docs/dashboard.svg").read_text()
        self.assertLess(len(kept), 150_000)
        for panel in PANELS:
            self.assertIn(f">{panel['title']}</text>", kept)

    def test_numbers(self) -> None:
        cases = {
            **{(0.5, "percentunit"): "50%", (0.015, "percentunit"): "1.5%", (0, "s"): "0"},
            **{(0.0125, "s"): "12.5 ms", (2.5, "s"): "2.5 s", (1 << 21, "bytes"): "2 MiB"},
            **{(12.34, "reqps"): "12.3", (1234.5, "reqps"): "1234"},
        }
        for (value, unit), text in cases.items():
            self.assertEqual(panels.number(value, unit), text)

    def test_gaps_stay_gaps(self) -> None:
        runs = list(panels._runs([None, 1, 2, None, 3]))
        self.assertEqual(runs, [[(1, 1), (2, 2)], [(4, 3)]])
