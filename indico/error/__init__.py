"""The tree of errors, as data: the engine's errors, and room for yours.

An error of your own inherits status and code, and has a sentence for a person:

    class OutOfStock(Conflict):
        default_message = "This is sold out."
"""

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
)
from indico.engine.validation import Described, Reasons, problems_of

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
    "IndicoError",
    "InvalidArgument",
    "InvalidJSON",
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
    "problems_of",
]


class EmailTaken(Conflict):
    """Another account has the email, in some letter case."""

    reasons = ("taken",)

    def __init__(self) -> None:
        message = "This email address is taken."
        super().__init__(
            message, details=[{"path": "email", "reason": "taken", "message": message}]
        )
