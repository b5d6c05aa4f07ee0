"""The tree of errors, as data: the engine's errors, and room for yours.

An error of your own inherits status and code, and has a sentence for a person:

    class OutOfStock(Conflict):
        default_message = "This is sold out."
"""

from collections.abc import Mapping
from typing import ClassVar

from indico.engine.error import (
    APIError as IndicoError,
)
from indico.engine.error import (
    AuthError,
    Conflict,
    Contended,
    DeadlineExceeded,
    Duplicate,
    Gone,
    IdempotencyKeyReused,
    InvalidArgument,
    InvalidJSON,
    MethodNotAllowed,
    MissingField,
    NotFound,
    Overloaded,
    PermissionDenied,
    PreconditionFailed,
    RateLimited,
    RouteNotFound,
    ServerError,
    StartError,
    TooLarge,
    Unavailable,
    UnknownField,
    UnsupportedMediaType,
    WrongCursor,
    WrongFieldType,
    detail,
)
from indico.engine.validation import Described, Reasons, as_invalid_argument

__all__ = [
    "AuthError",
    "Conflict",
    "Contended",
    "DeadlineExceeded",
    "Described",
    "Duplicate",
    "EmailTaken",
    "Gone",
    "IdempotencyKeyReused",
    "IdentityConflict",
    "IndicoError",
    "InvalidArgument",
    "InvalidJSON",
    "LoginTooOld",
    "MethodNotAllowed",
    "MissingField",
    "NotFound",
    "Overloaded",
    "PermissionDenied",
    "PreconditionFailed",
    "RateLimited",
    "Reasons",
    "RouteNotFound",
    "ServerError",
    "StartError",
    "TooLarge",
    "Unavailable",
    "UnknownField",
    "UnsupportedMediaType",
    "WrongCursor",
    "WrongFieldType",
    "as_invalid_argument",
    "detail",
]


class EmailTaken(Conflict):
    """Another account has the email, in some letter case."""

    reasons = ("taken",)

    def __init__(self) -> None:
        message = "This email address is taken."
        super().__init__(message, details=[detail("email", "taken", message)])


class IdentityConflict(Conflict):
    """A login by another service that does not fit the accounts here."""

    _WHY: ClassVar[Mapping[str, str]] = {
        "no_email": "The other service told no valid email: create an account, then link "
        "the service.",
        "not_linked": "An account here has this email: log in to it, then link the service.",
        "linked": "This login of the other service belongs to another account here.",
        "last": "This is the only way to log in to this account: set a password first.",
    }
    reasons = tuple(_WHY)

    def __init__(self, reason: str) -> None:
        message = self._WHY[reason]
        super().__init__(message, details=[detail("", reason, message)])


class LoginTooOld(PermissionDenied):
    """An account without a password, whose owner has not logged in just now to confirm a change."""

    reasons = ("login_too_old",)

    def __init__(self) -> None:
        message = "This account has no password: log in again, then do this within 10 minutes."
        super().__init__(message, details=[detail("", "login_too_old", message)])
