"""`python -m` this module starts the sample's server, with the migrations of a test."""

from __future__ import annotations

import os
import sys

from ..sample.server import PROGRAM as SAMPLE

# nosetests imports each module, also those of programs.
MIGRATIONS = os.environ.get("TEST_MIGRATIONS", "")
PROGRAM = SAMPLE._replace(server=f"{__package__}.server", migrations=MIGRATIONS)

if __name__ == "__main__":
    from ...process.command import main

    sys.exit(main(PROGRAM, sys.argv[1:]))
