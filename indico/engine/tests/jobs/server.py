"""`python -m` this module starts the sample's server with jobs."""

from __future__ import annotations

import sys

from ..sample.server import PROGRAM as SAMPLE

PROGRAM = SAMPLE._replace(
    server=f"{__package__}.server",
    settings=f"{__package__}.app:Settings",
    make_app=f"{__package__}.app:make_app",
)


if __name__ == "__main__":
    from ...process.command import main

    sys.exit(main(PROGRAM, sys.argv[1:]))
