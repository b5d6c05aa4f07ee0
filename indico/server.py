"""`python -m indico.server`: hands your app and your settings to the engine."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from indico import __version__
from indico.engine.program import Program
from indico.engine.requirements import required

PROGRAM = Program(
    server="indico.server",
    env_prefix="INDICO_",
    settings="indico.config:Settings",
    make_app="indico.app:make_app",
    version=__version__,
    migrations="indico.db.migrations",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server until a signal ends it, and return the exit code of the process."""
    with required():  # here, because the doctor reads PROGRAM without packages
        from indico.engine.process.command import main

    return main(PROGRAM, sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
