"""`/live` and `/events`: changes of the caller's own documents, as they happen."""

from __future__ import annotations

from typing import Any

from indico.config import Settings
from indico.db.session_db import SESSIONS
from indico.routes import handler
from indico.utils.auth.auth_utils import find_session


def live_routes(settings: Settings) -> list[Any]:
    """Return the routes; docs/live.md says what they tell, and how a collection takes part."""
    return handler.live_routes(settings, SESSIONS, find_session)
