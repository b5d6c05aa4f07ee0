"""`bench offload`: the latency of `/system/ping` while eight calls of `/text/keywords` run."""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CALLS = 8
WARM_UP_PINGS = 200  # the first ones are slower
START_SECONDS = 1  # of the processes of the pool
GOAL_MILLISECONDS = 20
GOAL_TIMES_IDLE = 3


@dataclass
class Client:
    """One connection that is kept, and its user's token."""

    port: int
    token: str = ""

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        self.connection.request("POST", path, json.dumps(body or {}), headers)
        response = self.connection.getresponse()
        return response.status, json.load(response)["data"]


@dataclass
class Load:
    """`CALLS` callers; each calls again after its answer, until `stop` is set."""

    port: int
    token: str
    text: str
    seconds: list[float] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)

    def call(self) -> None:
        client = Client(self.port, self.token)
        while not self.stop.is_set():
            started = time.perf_counter()
            status, _ = client.post("/text/keywords", {"text": self.text})
            self.seconds.append(time.perf_counter() - started)
            self.statuses.add(status)

    @contextmanager
    def running(self) -> Iterator[None]:
        callers = [threading.Thread(target=self.call) for _ in range(CALLS)]
        for caller in callers:
            caller.start()
        time.sleep(START_SECONDS)
        try:
            yield
        finally:
            self.stop.set()
            for caller in callers:
                caller.join()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 run.py bench offload", description=__doc__)
    parser.add_argument("--pings", type=int, default=3000, help="in each half (default: 3000)")
    parser.add_argument("--rate", type=float, default=100, help="pings a second (default: 100)")
    parser.add_argument("--characters", type=int, default=100_000, help="of a text")
    options, flags = parser.parse_known_args(arguments)
    with server(flags) as port:
        _, registered = Client(port).post(
            "/auth/register", {"email": "ada@example.com", "password": "correct horse"}
        )
        load = Load(port, registered["token"], _text(options.characters))
        _pings(port, WARM_UP_PINGS, options.rate)
        idle = _pings(port, options.pings, options.rate)
        with load.running():
            busy = _pings(port, options.pings, options.rate)
    return _report(idle, busy, load)


def _pings(port: int, number: int, rate: float) -> list[float]:
    """Send a ping every `1 / rate` seconds, and return the milliseconds that each took."""
    client, took = Client(port), []
    begin = time.perf_counter()
    for n in range(number):
        time.sleep(max(0, begin + n / rate - time.perf_counter()))
        started = time.perf_counter()
        client.post("/system/ping")
        took.append((time.perf_counter() - started) * 1000)
    return took


def _text(characters: int) -> str:
    """Return a text of random words, which take the most work."""
    letters = random.Random(1)  # noqa: S311 - the same in every run
    words = [
        "".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=3)) for _ in range(characters // 4)
    ]
    return " ".join(words)


@contextmanager
def server(flags: list[str]) -> Iterator[int]:
    """Run a server, and yield its port."""
    with tempfile.TemporaryDirectory(prefix="indico-bench-") as folder:
        command = [sys.executable, "-m", "indico.server", "--port", "0"]
        command += ["--data-dir", folder, *flags]
        with (
            open(Path(folder) / "log", "w") as log,
            subprocess.Popen(command, cwd=ROOT, text=True, stdout=-1, stderr=log) as process,
        ):
            try:
                yield _port(process)
            finally:
                process.terminate()


def _port(server: subprocess.Popen[str]) -> int:
    assert server.stdout
    for line in server.stdout:
        if "listens on " in line:
            return int(line.split("listens on ")[1].split()[0].rsplit(":")[-1])
    sys.exit("bench: the server did not start")


def _report(idle: list[float], busy: list[float], load: Load) -> int:
    print(f"/system/ping, milliseconds       p50      p99      max   ({len(idle)} pings each)")
    for name, took in (("idle", idle), (f"{CALLS} calls running", busy)):
        print(f"  {name:26} {_quantile(took, 50):8.2f} {_quantile(took, 99):8.2f} {max(took):8.2f}")
    middle = statistics.median(load.seconds)
    statuses = ", ".join(map(str, sorted(load.statuses)))
    print(
        f"/text/keywords: {len(load.seconds)} calls of {middle:.1f} s (median), answered {statuses}"
    )
    goal = max(GOAL_MILLISECONDS, GOAL_TIMES_IDLE * _quantile(idle, 99))
    met = _quantile(busy, 99) < goal and load.statuses == {200}
    print(f"p99 under {goal:.0f} ms: {'met' if met else 'NOT met'}")
    return 0 if met else 1


def _quantile(took: list[float], percent: int) -> float:
    return statistics.quantiles(took, n=100)[percent - 1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
