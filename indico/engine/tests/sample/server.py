"""`python -m` this module starts the sample's server."""

from __future__ import annotations

import sys

from ...program import Program

PROGRAM = Program(
    server=f"{__package__}.server",
    env_prefix="SAMPLE_",
    settings=f"{__package__}.app:Settings",
    make_app=f"{__package__}.app:make_app",
    version="1.2.3",
)

if __name__ == "__main__":
    from ...process.command import main  # the doctor reads PROGRAM without packages

    sys.exit(main(PROGRAM, sys.argv[1:]))
