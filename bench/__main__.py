"""`python3 run.py bench [name] [options]`: choose a measurement, and run it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

from bench import batches, chart, compare, cost, growth, held, limit, offload, overload
from bench.machine import UnfitError
from indico.engine.error import StartError

MEASUREMENTS: dict[str, Callable[[list[str]], int]] = {
    "peers": compare.main,
    "cost": cost.main,
    "held": held.main,
    "batches": batches.main,
    "offload": offload.main,
    "limit": limit.main,
    "growth": growth.main,
    "overload": overload.main,
    "draw": chart.main,
}


def main(arguments: list[str]) -> int:
    named = bool(arguments) and not arguments[0].startswith("-")
    name, options = (arguments[0], arguments[1:]) if named else ("peers", arguments)
    if name not in MEASUREMENTS:
        print(f"bench: there is no {name}; known are {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that each `with` ends its process
    try:
        return MEASUREMENTS[name](options)
    except (UnfitError, StartError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
