"""The routes of live changes."""

from __future__ import annotations

from typing import Any

from ..http.action import LookUp
from ..mongo.collection import Collection
from ..settings import ServerSettings
from .events_handler import EventsHandler
from .feed import Feed
from .live_handler import LiveHandler

__all__ = ["live_routes"]


def live_routes(
    settings: ServerSettings, sessions: Collection[Any], look_up: LookUp
) -> list[tuple[str, type[Any], dict[str, Any]]]:
    """Return /live and /events, for the documents of all live collections.

    `look_up` returns the session of a handler's request, with an `id`, a `user_id` and `expires_at`
    (None is never), or None. The id is that of the session's document in `sessions`.
    """
    shared = {"feed": Feed(sessions, settings.secret_key), "look_up": look_up}
    return [(r"/live", LiveHandler, shared), (r"/events", EventsHandler, shared)]
