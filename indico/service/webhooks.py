"""Webhooks: which events there are. `announced` and `announce` tell of a change."""

from typing import Annotated, Literal

from pydantic import Field

from indico.engine.webhooks import (
    Delivery,
    Events,
    NewWebhook,
    Url,
    Webhook,
    create,
    delete,
    find,
    find_deliveries,
    send_test,
    update,
)

__all__ = [
    "Delivery",
    "EventType",
    "NewWebhook",
    "Types",
    "Url",
    "Webhook",
    "announce",
    "announced",
    "create",
    "delete",
    "find",
    "find_deliveries",
    "send_test",
    "update",
]

# An event of your own is a line here, and two lines in the function that makes the change.
EventType = Literal[
    "address.created",
    "address.updated",
    "address.deleted",
    "user.updated",
]
Types = Annotated[list[EventType], Field(min_length=1, max_length=50, examples=[["user.updated"]])]

_EVENTS = Events[EventType]()
announce, announced = _EVENTS.announce, _EVENTS.announced
