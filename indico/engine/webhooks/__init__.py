"""Webhooks: URLs to which users have events sent, signed and by jobs.

A resource of a project has the actions; `Events` says which events there are.
"""

from __future__ import annotations

from .delivery_log import Delivery
from .events import Events
from .options import use_webhooks
from .stored_webhooks import Webhook, find
from .target_url import Url
from .user_webhooks import NewWebhook, create, delete, find_deliveries, send_test, update

__all__ = [
    "Delivery",
    "Events",
    "NewWebhook",
    "Url",
    "Webhook",
    "create",
    "delete",
    "find",
    "find_deliveries",
    "send_test",
    "update",
    "use_webhooks",
]
