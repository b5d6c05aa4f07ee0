"""`python -m indico.doctor`: reports what would go wrong with a server on this machine."""

from __future__ import annotations

import sys

from indico.engine.doctor.command import main
from indico.server import PROGRAM

if __name__ == "__main__":
    sys.exit(main(PROGRAM, sys.argv[1:]))
