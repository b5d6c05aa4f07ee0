"""indico's server and its flags: `python -m bench.ours --port 8888`."""

from __future__ import annotations

import sys

from bench.ours.note import NoteRoute
from bench.ours.wait import WaitRoute
from indico import app, server

app.ROUTES[:0] = [NoteRoute, WaitRoute]
sys.exit(server.main())
