"""deploy/grafana/dashboard.json and docs/operating.md against the metrics of a server."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from typing import Any
from unittest import TestCase
from unittest.mock import patch

from indico.db import mongodb
from indico.engine.jobs.worker import JobWorker
from indico.engine.mongo import connection as db
from indico.engine.telemetry import metrics
from indico.engine.tests.telemetry.scrape import Scraped
from indico.service.jobs import Job, job
from indico.tests.server_process import ROOT
from indico.tests.server_test import PASSWORD, ServerTest

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
VARIABLES = json.dumps(DASHBOARD["templating"])
OF_PROMETHEUS = {"job", "instance"}  # labels that Prometheus adds


def labels(query: str) -> set[str]:
    """Return the names of labels in `query`."""
    by = ",".join(re.findall(r"by \(([^)]*)\)", query))
    return set(re.findall(r"(\w+)=", query)) | {name.strip() for name in by.split(",") if name}


class MetricsTest(ServerTest):
    """Metrics after a job, requests that succeed, and one request with each kind of error."""

    covers = False

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(patch.dict(Job.declared, clear=True))
        self.run_async(self.run_a_job())
        self.register()
        self.post("/auth/register", {"email": "ada@example.com", "password": PASSWORD})
        self.fetch("/nosuch")
        self.run_async(db.disconnect())
        body = {"email": "ada@example.com", "password": PASSWORD}
        self.error(self.post("/auth/login", body), 503, "unavailable")
        self.run_async(db.connect(self.uri(), self.database, "motor"))
        text = self.fetch("/metrics").body.decode()
        self.scraped = Scraped(text)
        self.families = set(re.findall(r"^# TYPE (\S+) ", text, re.M))

    async def run_a_job(self) -> None:
        @job()
        async def run() -> None: ...

        await run.later()
        worker = JobWorker(1, 3600)
        worker.start()
        while await mongodb.jobs.count_documents({}):
            await asyncio.sleep(0.005)
        while not next(iter(metrics.JOBS_STORED.collect())).samples:
            await asyncio.sleep(0.005)
        await worker.drain(60)

    def test_dashboard_and_documentation_fit(self) -> None:
        self.every_name_and_label_of_a_query_exists()
        self.assertEqual(set(re.findall(r"\bindico_\w+", VARIABLES)) - self.families, set())
        shown = " ".join(QUERIES)
        missing = {name for name in self.families if name not in shown}
        left_out = {"indico_build_info", "indico_deprecated_requests_total"}
        self.assertEqual(missing, left_out, "not in the dashboard")
        page = (ROOT / "docs/operating.md").read_text()
        self.assertEqual(set(re.findall(r"^\| `(indico_\w+)`", page, re.M)), self.families)

    def every_name_and_label_of_a_query_exists(self) -> None:
        for query in QUERIES:
            known = set(OF_PROMETHEUS)
            names = re.findall(r"\bindico_\w+", query)
            self.assertTrue(names, query)
            for name in names:
                samples = self.scraped.labels(name)
                self.assertTrue(samples, f"{name} in {query}")
                known |= set(samples[0])
            self.assertEqual(labels(query) - known, set(), query)


class ShapeTest(TestCase):
    """Parts of the file that Grafana needs to import a dashboard."""

    def test_whole(self) -> None:
        self.assertGreaterEqual(DASHBOARD["schemaVersion"], 39)
        self.assertEqual({DASHBOARD[key] for key in ("title", "uid")}, {"indico"})
        self.assertNotIn("id", DASHBOARD)  # an id is valid in one installation only

    def test_data_source_is_chosen(self) -> None:
        variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
        self.assertEqual(variables["datasource"]["type"], "datasource")
        used = set(re.findall(r'"\$\{?(\w+)', json.dumps(DASHBOARD)))
        used |= set(re.findall(r"\$(\w+)", " ".join(QUERIES))) - {"__rate_interval"}
        self.assertEqual(used, set(variables))
        for panel in PANELS:
            for each in (panel, *panel["targets"]):
                self.assertEqual(each["datasource"], {"type": "prometheus", "uid": "${datasource}"})

    def test_legends_have_labels_that_the_query_keeps(self) -> None:
        for target in itertools.chain.from_iterable(panel["targets"] for panel in PANELS):
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            self.assertEqual(named - labels(target["expr"]), set(), target)

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
