"""`python3 run.py bench [name] [options]`: choose a measurement, and run it."""

from __future__ import annotations

import signal
import sys

from bench import release
from bench.machine import UnfitError
from bench.measurements import MEASUREMENTS
from indico.engine.error import StartError

COMMANDS = {**MEASUREMENTS, "release": release.main}


def main(arguments: list[str]) -> int:
    if arguments in (["-h"], ["--help"]):
        _print_names()
    named = bool(arguments) and not arguments[0].startswith("-")
    name, options = (arguments[0], arguments[1:]) if named else ("peers", arguments)
    if name not in COMMANDS:
        print(f"bench: there is no {name}; known are {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that each `with` ends its process
    try:
        return COMMANDS[name](options)
    except (UnfitError, StartError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _print_names() -> None:
    """Print all measurements, with the first line of their modules, and what follows them."""
    print("usage: python3 run.py bench [NAME] [options]\n")
    for name, measure in COMMANDS.items():
        about, *_ = str(sys.modules[measure.__module__].__doc__).splitlines()
        print(f"  {name:9} {about.partition(': ')[2]}")
    print("\nEach has its own --help. Without a NAME it is peers:\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
