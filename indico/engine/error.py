"""The tree of errors, as data; `http/error_answers.py` turns them into answers.

Each class has one `code` (for a program) and one `status` (the HTTP status that goes with it).
`retry` says whether a client may send the same call again.

    APIError                 internal             500
      ServerError               internal             500
      InvalidJSON               malformed            400
      InvalidArgument           invalid_argument     400
        MissingField
        UnknownField
        WrongFieldType
          WrongCursor
      AuthError                 unauthenticated      401
      PermissionDenied          permission_denied    403
      NotFound                  not_found            404
        RouteNotFound
      MethodNotAllowed          method_not_allowed   405
      Conflict                  conflict             409
        Contended
          CallInProgress
        Duplicate
      Gone                      gone                 410
      PreconditionFailed        precondition_failed  412
      TooLarge                  too_large            413
      UnsupportedMediaType      unsupported_media_type 415
      IdempotencyKeyReused      idempotency_key_reused 422
      RateLimited               rate_limited         429
      Unavailable               unavailable          503
        Overloaded
      DeadlineExceeded          deadline_exceeded    504
    StartError                  the server can't start; never an answer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

Detail = dict[str, str]
# always: nothing was done; idempotent: something may have been done, so only where a second time
# does no harm; never: the same call would fail again.
Retry = Literal["always", "idempotent", "never"]

MAX_DETAILS = 100
MAX_PATH = 200  # the client chooses the length of its keys


class APIError(Exception):
    """Base of every error that an answer can carry.

    `message` is a sentence for a person. `details` has one entry for every problem, each with
    `path` (the field, dotted), `reason` (for a program) and `message`. `headers` go out with the
    answer. The message of an error with status 500 goes to the log only, never to a client.
    `reasons` lists each `reason` that the class gives, for the API's document.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    retry: ClassVar[Retry] = "never"
    default_message: ClassVar[str] = "Something went wrong on the server."
    reasons: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Sequence[Detail] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or self.default_message
        self.details = list(details)
        self.headers = dict(headers or {})
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the attributes, because the arguments of `__init__` differ between classes."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class ServerError(APIError):
    """A fault of the server."""


class InvalidJSON(APIError):
    status = 400
    code = "malformed"
    default_message = "The body is not a JSON object."


class InvalidArgument(APIError):
    """One problem, or several. `followers` more were found after it and not made into errors."""

    followers = 0
    status = 400
    code = "invalid_argument"
    default_message = "The request is not valid."


class MissingField(InvalidArgument):
    """The body lacks the field at `path`."""

    reasons = ("missing",)

    def __init__(self, path: str) -> None:
        path = short(path)
        message = f"The field {path} is missing."
        super().__init__(message, details=[detail(path, "missing", message)])


class UnknownField(InvalidArgument):
    """The body has a field `path` that the action does not know; `nearest` is one that it knows."""

    reasons = ("unknown",)

    def __init__(self, path: str, nearest: str | None = None) -> None:
        path = short(path)
        hint = f": did you mean {nearest}?" if nearest else "."
        message = f"The field {path} is unknown{hint}"
        super().__init__(message, details=[detail(path, "unknown", message)])


class WrongFieldType(InvalidArgument):
    """The field at `path` has a wrong value; `why` ends the sentence."""

    def __init__(self, path: str, why: str, reason: str = "wrong_type") -> None:
        path = short(path)
        message = f"The field {path} is wrong: {why}." if path else f"The body is wrong: {why}."
        super().__init__(message, details=[detail(path, reason, message)])


class WrongCursor(WrongFieldType):
    """The field `cursor` is none that was answered for the same list."""

    reasons = ("cursor",)

    def __init__(self) -> None:
        why = "take a next_cursor as it was answered, for the same list"
        super().__init__("cursor", why, "cursor")


class AuthError(APIError):
    """RFC 6750, section 3: a 401 names the scheme that would be accepted."""

    status = 401
    code = "unauthenticated"
    default_message = "This needs a valid token: log in, and send it as Authorization: Bearer."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"WWW-Authenticate": "Bearer"})


class PermissionDenied(APIError):
    status = 403
    code = "permission_denied"
    default_message = "You may not do this."


class NotFound(APIError):
    status = 404
    code = "not_found"
    default_message = "There is nothing here."


class RouteNotFound(NotFound):
    default_message = "There is no such resource or action."


class MethodNotAllowed(APIError):
    """`allowed` are the methods that the path answers."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, allowed: Sequence[str]) -> None:
        names = ", ".join(allowed)
        super().__init__(f"This path answers {names} only.", headers={"Allow": names})


class Conflict(APIError):
    status = 409
    code = "conflict"
    default_message = "This is in conflict with what is stored already."


class Duplicate(Conflict):
    """A document has the same values of `fields`, of which the unique `index` allows one."""

    reasons = ("duplicate",)

    def __init__(self, index: str, fields: Sequence[str]) -> None:
        self.index = index
        self.fields = tuple(fields)
        why = f"Another document has the same {', '.join(fields)}."
        details = [detail(field, "duplicate", why) for field in fields]
        super().__init__(details=details)


class Gone(APIError):
    """RFC 9110, section 15.5.11."""

    status = 410
    code = "gone"
    default_message = "This was withdrawn."


class PreconditionFailed(APIError):
    """RFC 9110, section 15.5.13."""

    status = 412
    code = "precondition_failed"
    default_message = "It has changed since you read it: read it again."


class TooLarge(APIError):
    """`limit` is a number of `unit`."""

    status = 413
    code = "too_large"

    def __init__(self, limit: int, unit: str = "bytes") -> None:
        super().__init__(f"The body is over the limit of {limit} {unit}.")


class UnsupportedMediaType(APIError):
    status = 415
    code = "unsupported_media_type"
    default_message = "The body must be JSON, plain or compressed with gzip."


class IdempotencyKeyReused(APIError):
    status = 422
    code = "idempotency_key_reused"
    default_message = "This Idempotency-Key was sent with another call: each call needs a new one."


class _Retryable(APIError):
    """`retry_after` is in seconds: when a client may try again."""

    retry: ClassVar[Retry] = "always"

    def __init__(
        self, message: str | None = None, *, retry_after: int = 1, details: Sequence[Detail] = ()
    ) -> None:
        super().__init__(message, details=details, headers={"Retry-After": str(retry_after)})


class RateLimited(_Retryable):
    status = 429
    code = "rate_limited"
    default_message = "Too many requests: try again later."


class Contended(_Retryable, Conflict):
    """Too many requests change the same thing at once; raise it before anything is changed."""

    default_message = "Too many requests change this at once: try again later."


class CallInProgress(Contended):
    default_message = "The first call with this Idempotency-Key is under way: try again later."


class Unavailable(_Retryable):
    retry: ClassVar[Retry] = "idempotent"
    status = 503
    code = "unavailable"
    default_message = "The service is not available right now: try again later."


class Overloaded(Unavailable):
    """Raise it before anything is changed."""

    retry: ClassVar[Retry] = "always"
    default_message = "The server has too much to do right now: try again later."


class DeadlineExceeded(APIError):
    retry: ClassVar[Retry] = "idempotent"
    status = 504
    code = "deadline_exceeded"
    default_message = "This took too long."


class StartError(Exception):
    """The server can't start. The message says what is wrong and what to do about it."""


def short(path: str) -> str:
    """Return `path`, or the beginning of a long path."""
    return path if len(path) <= MAX_PATH else f"{path[:MAX_PATH]}..."


def detail(path: str, reason: str, message: str) -> Detail:
    """Return an entry of `details`."""
    return {"path": path, "reason": reason, "message": message}
