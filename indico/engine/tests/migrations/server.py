"""`python -m` this module starts the sample's server, with the migrations of a test."""

from __future__ import annotations

import os
import sys

from ..sample.server import PROGRAM as SAMPLE

PROGRAM = SAMPLE._replace(server=f"{__package__}.server", migrations=os.environ["TEST_MIGRATIONS"])

if __name__ == "__main__":
    from ...process.command import main

    sys.exit(main(PROGRAM, sys.argv[1:]))
