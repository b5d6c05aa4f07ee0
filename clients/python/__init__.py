"""A client of the API for Python, with retries, deadlines and pages.

Copy this folder into your own project, under any name. It needs Tornado only.

    async with Client("https://api.example.com", token) as client:
        user = await client.call("user/get", repeatable=True)
        async for address in client.items("address/list"):
            ...

`BlockingClient` is for code without an event loop.
"""

from .client import BlockingClient, Client
from .error import (
    CallError,
    Conflict,
    DeadlineExceeded,
    Gone,
    IdempotencyKeyReused,
    Internal,
    InvalidArgument,
    Malformed,
    MethodNotAllowed,
    NoAnswer,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)

__all__ = [
    "BlockingClient",
    "CallError",
    "Client",
    "Conflict",
    "DeadlineExceeded",
    "Gone",
    "IdempotencyKeyReused",
    "Internal",
    "InvalidArgument",
    "Malformed",
    "MethodNotAllowed",
    "NoAnswer",
    "NotFound",
    "PermissionDenied",
    "PreconditionFailed",
    "RateLimited",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "UnsupportedMediaType",
]
