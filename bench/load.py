"""The load: wrk against one server, with one workload."""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.data import Workload

SCRIPT = Path(__file__).with_name("load.lua")
# wrk does not count answers that take longer.
LONGEST_ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Used:
    """Seconds of processor time of the server, of MongoDB, and of all on the server's core.

    MongoDB and wrk share the other core, without the seconds that it was `withheld`.
    """

    server: float
    mongodb: float
    core: float
    wrk: float = 0.0
    withheld: float = 0.0

    def since(self, before: Used) -> Used:
        return Used(
            self.server - before.server,
            self.mongodb - before.mongodb,
            self.core - before.core,
            self.wrk - before.wrk,
            self.withheld - before.withheld,
        )


@dataclass(frozen=True)
class Load:
    """The counts of wrk; `errors` are answers without success, and errors of sockets."""

    requests: int
    seconds: float
    p50_milliseconds: float
    p99_milliseconds: float
    errors: dict[str, int]


def run(port: int, workload: Workload, connections: int, seconds: float, folder: Path) -> Load:
    """Send the requests in `folder`, for whole seconds.

    Raise `ChildProcessError` if no server answers.
    """
    done = subprocess.run(
        [
            *("wrk", "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{math.ceil(seconds)}s", "--timeout", f"{LONGEST_ANSWER_SECONDS}s"),
            *("--script", str(SCRIPT), f"http://127.0.0.1:{port}", "--"),
            str(folder / workload.name),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ChildProcessError(f"wrk: {(done.stderr or done.stdout).strip()}")
    return parse(done.stdout)


def parse(output: str) -> Load:
    """Parse the line that `load.lua` prints, in wrk's microseconds."""
    (line,) = [line for line in output.splitlines() if line.startswith("RESULT ")]
    result = json.loads(line.removeprefix("RESULT "))
    return Load(
        requests=result["requests"],
        seconds=result["microseconds"] / 1e6,
        p50_milliseconds=result["p50"] / 1000,
        p99_milliseconds=result["p99"] / 1000,
        errors={kind: count for kind, count in result["errors"].items() if count},
    )
