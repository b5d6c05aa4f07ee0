"""`python -m indico.jobs`: shows the jobs, runs dead ones again, or works on them."""

from __future__ import annotations

import sys

from indico.engine.requirements import required
from indico.server import PROGRAM

with required():
    from indico.engine.jobs.command import main

if __name__ == "__main__":
    sys.exit(main(PROGRAM, sys.argv[1:]))
