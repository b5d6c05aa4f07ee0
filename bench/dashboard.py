"""`bench dashboard`: deploy/grafana/dashboard.json, drawn from what a server under load answers."""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bench import panels, promql
from bench.mongodb import MongoDB, embedded
from bench.offload import ROOT, Client, server

DASHBOARD = ROOT / "deploy/grafana/dashboard.json"
PICTURE = ROOT / "docs/dashboard.svg"
WINDOW = 5  # scrapes, one a second, that a rate is taken over
PAUSE_SECONDS = 0.01  # on average, between two calls of one caller
# How many callers there are, for which share of the time; MongoDB stands still in one of them.
LEVELS = ((2, 0.15), (8, 0.2), (24, 0.2), (24, 0.05), (8, 0.15), (32, 0.15), (2, 0.1))
STILL = 3
CALLS: tuple[tuple[float, str, Any], ...] = (  # how often, where, with what
    (10, "/user/get", {}),
    (4, "/user/update", {"update_user": {"name": "Ada"}}),
    (5, "/address/create", {"entry": {"full_name": "Grace Hopper"}}),
    (5, "/address/list", {"limit": 10}),
    (4, "/system/ping", {}),
    (0.5, "/user/nosuch", {}),
    (0.5, "/auth/register", {"email": "user0@example.com", "password": "correct horse"}),
)


@dataclass
class Load:
    """Callers that come and go; each has a connection and a token of its own."""

    port: int
    wanted: int = 0
    callers: list[threading.Thread] = field(default_factory=list)

    def level(self, callers: int) -> None:
        self.wanted = callers
        while len(self.callers) < callers:
            caller = threading.Thread(target=self.call, args=(len(self.callers),), daemon=True)
            self.callers.append(caller)
            caller.start()

    def call(self, number: int) -> None:
        client = Client(self.port)
        account = {"email": f"user{number}@example.com", "password": "correct horse"}
        client.token = client.post("/auth/register", account)[1]["token"]
        choices = random.Random(number)  # noqa: S311
        weights = [weight for weight, _, _ in CALLS]
        while self.wanted:
            if number < self.wanted:
                _, path, body = choices.choices(CALLS, weights)[0]
                client.post(path, body)
            time.sleep(choices.expovariate(1 / PAUSE_SECONDS))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="run.py bench dashboard", description=__doc__)
    parser.add_argument("--seconds", type=int, default=120, help="of load (default: 120)")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="the SVG to write")
    options, flags = parser.parse_known_args(arguments)
    dashboard = json.loads(DASHBOARD.read_text())
    with (
        tempfile.TemporaryDirectory(prefix="indico-bench-") as folder,
        embedded(Path(folder)) as mongodb,
        server(["--mongodb-uri", mongodb.uri, "--mongodb-timeout-seconds", "1", *flags]) as port,
    ):
        scrapes = _measured(port, mongodb, options.seconds)
    drawn = {panel["id"]: series(panel, scrapes) for panel in dashboard["panels"]}
    about = (
        f"measured {datetime.now(UTC):%Y-%m-%d}: one server, {len(scrapes)} scrapes of its "
        f"/metrics, one a second; 2 to {max(callers for callers, _ in LEVELS)} callers"
    )
    seconds = scrapes[-1].seconds - scrapes[0].seconds
    options.picture.write_text(panels.svg(dashboard, about, drawn, seconds))
    print(f"drawn: {options.picture}")
    return 0


def series(panel: dict[str, Any], scrapes: list[promql.Scrape]) -> panels.Series:
    """What the panel's queries answer at each scrape, by their names in its legend."""
    found: panels.Series = {}
    for target in panel["targets"]:
        query = promql.parse(target["expr"])
        for n in range(1, len(scrapes)):
            for labels, value in query(scrapes[max(0, n - WINDOW) : n + 1]).items():
                name = legend(target["legendFormat"], dict(labels))
                found.setdefault(name, [None] * (len(scrapes) - 1))[n - 1] = value
    return found


def legend(template: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda name: labels.get(name[1], ""), template)


def _measured(port: int, mongodb: MongoDB, seconds: int) -> list[promql.Scrape]:
    """One scrape a second, while the load goes through its levels."""
    load, scrapes, mongod = Load(port), [_scrape(port)], mongodb.process()
    began = time.monotonic()
    for n in range(1, seconds + 1):
        level = _level(n / seconds)
        load.level(LEVELS[level][0])
        if level == STILL:
            mongod.suspend()
        else:
            mongod.resume()
        time.sleep(max(0.0, began + n - time.monotonic()))
        scrapes.append(_scrape(port))
    mongod.resume()
    load.level(0)
    for caller in load.callers:
        caller.join()
    return scrapes


def _level(share: float) -> int:
    for index, (_, length) in enumerate(LEVELS):
        share -= length
        if share <= 1e-9:
            return index
    return len(LEVELS) - 1


def _scrape(port: int) -> promql.Scrape:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as response:
        text = response.read().decode()
    return promql.Scrape.of(time.time(), text, job="indico", instance=f"127.0.0.1:{port}")
