"""`python -m` this module looks for what would go wrong with the sample's server."""

from __future__ import annotations

import sys

from ...doctor.command import main
from .server import PROGRAM

if __name__ == "__main__":
    sys.exit(main(PROGRAM, sys.argv[1:]))
