"""`bench peers`: indico beside other frameworks, the same work for all, in turns."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import answers, chart, machine, options, report, turns
from bench.goals import goals, tails
from bench.mongodb import PLAIN
from bench.results import Results
from bench.servers import Peer
from bench.turns import Run

HERE = Path(__file__).parent


def main(arguments: list[str]) -> int:
    """Measure, write the results, and return 0 if no server or cell is missing."""
    chosen = options.parse(arguments)
    with turns.prepared(chosen) as run:
        same, left_out = same_answers(run)
        results = run.results(same)
    results.left_out = left_out
    written = write(results, HERE if chosen.complete else turns.SCRATCH)
    print(f"\n{report.markdown(results)}\nKept in {', '.join(map(str, written))}")
    return 1 if results.left_out or results.invalid else 0


def same_answers(run: Run) -> tuple[list[Peer], dict[str, str]]:
    """Return the servers with the answers of the first one, which is indico.

    The second value gives the reason for each other server.
    """
    same: list[Peer] = []
    left_out: dict[str, str] = {}
    ours: answers.Answers = {}
    for peer in run.options.servers:
        print(f"comparing the answers of {peer.name} ...", flush=True)
        try:
            with run.running(peer) as server:
                theirs = answers.answers(server.port, run.data)
        except (ChildProcessError, OSError, ValueError) as error:
            why = str(error)
        else:
            ours = ours or theirs
            why = answers.difference(ours, theirs)
        if why and not same:
            raise machine.UnfitError(f"bench: indico itself is not there: {why}")
        if why:
            print(f"  left out: {why}", flush=True)
            left_out[peer.name] = why
        else:
            same.append(peer)
    return same, left_out


def write(results: Results, folder: Path) -> list[Path]:
    """Write every round, the tables and the pictures, and return the files.

    Another MongoDB than the plain one has files of its own, without pictures.
    """
    name = "-".join(("results", *results.mongodb.differences()))
    texts = {
        f"{name}.json": json.dumps(_as_json(results), indent=1) + "\n",
        f"{name}.md": report.markdown(results),
    }
    for file, text in texts.items():
        (folder / file).write_text(text)
    drawn = chart.draw(folder) if results.mongodb == PLAIN else []
    return [*(folder / file for file in texts), *drawn]


def _as_json(results: Results) -> dict[str, Any]:
    return {
        **results.as_json(),
        "goals": [asdict(goal) for goal in goals(results)],
        "tails": [asdict(tail) for tail in tails(results)],
    }
