"""Errors that the client raises: a class for each `code` that the server answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CallError(Exception):
    """An error that the server answered; each `code` has a class of its own.

    `details` has one entry for every problem (`path`, `reason`, `message`). With `retryable` the
    same call may be made again, in `retry_after` seconds. An answer without an envelope, like that
    of a proxy, has no `code`.
    """

    code: str = ""

    def __init__(self, status: int, message: str, about: Mapping[str, Any]) -> None:
        super().__init__(status, message, about)
        self.code = about.get("code", self.code)
        self.status = status
        self.message = message
        self.details: list[dict[str, str]] = list(about.get("details", ()))
        self.request_id: str = about.get("request_id", "")
        self.retryable: bool = about.get("retryable", False)
        self.retry_after: float = about.get("retry_after", 0)

    def __str__(self) -> str:
        return f"{self.message} ({self.code or self.status})"


class Malformed(CallError):
    code = "malformed"


class InvalidArgument(CallError):
    code = "invalid_argument"


class Unauthenticated(CallError):
    code = "unauthenticated"


class PermissionDenied(CallError):
    code = "permission_denied"


class NotFound(CallError):
    code = "not_found"


class MethodNotAllowed(CallError):
    code = "method_not_allowed"


class Conflict(CallError):
    code = "conflict"


class Gone(CallError):
    code = "gone"


class PreconditionFailed(CallError):
    code = "precondition_failed"


class TooLarge(CallError):
    code = "too_large"


class UnsupportedMediaType(CallError):
    code = "unsupported_media_type"


class IdempotencyKeyReused(CallError):
    code = "idempotency_key_reused"


class RateLimited(CallError):
    code = "rate_limited"


class Internal(CallError):
    code = "internal"


class Unavailable(CallError):
    code = "unavailable"


class DeadlineExceeded(CallError):
    code = "deadline_exceeded"


class NoAnswer(CallError):
    """The server could not be reached, or did not answer in time; `status` is 0."""

    code = "no_answer"


KINDS = {kind.code: kind for kind in CallError.__subclasses__()}
