"""`python -m indico.migrate`: applies the migrations of `indico/db/migrations/` to the database."""

from __future__ import annotations

import sys

from indico.engine.requirements import required
from indico.server import PROGRAM

with required():
    from indico.engine.migrations.command import main

if __name__ == "__main__":
    sys.exit(main(PROGRAM, sys.argv[1:]))
