"""The sample's server with a short time for the last spans, so that a test need not wait."""

from __future__ import annotations

import sys

from ...process.command import main
from ...telemetry import tracing
from ..sample.server import PROGRAM

if __name__ == "__main__":
    tracing.FLUSH_SECONDS = 0.1
    sys.exit(main(PROGRAM, sys.argv[1:]))
