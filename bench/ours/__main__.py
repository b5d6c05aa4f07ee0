"""The server itself, with its own flags: `python -m bench.ours --port 8888`."""

from __future__ import annotations

import sys

from bench.ours.note import NoteRoute
from indico import app, server

app.ROUTES.insert(0, NoteRoute)
sys.exit(server.main())
