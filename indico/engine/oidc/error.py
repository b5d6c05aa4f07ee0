"""The errors of a login with a provider, each with a `reason` for a program."""

from __future__ import annotations

from ..error import AuthError, PermissionDenied, Unavailable, WrongFieldType, detail

_WHY = {
    "state": "This login was not begun here, or it took too long: begin again.",
    "used": "This login was finished once already: begin again.",
    "refused": "The other service did not let you in: begin again, or log in in another way.",
    "answer": "The answer of the other service can't be trusted: begin again.",
}


class LoginFailed(AuthError):
    """A login that does not identify a person."""

    reasons = tuple(_WHY)

    def __init__(self, reason: str) -> None:
        super().__init__(_WHY[reason])
        self.details = [detail("", reason, self.message)]


class LinkFailed(PermissionDenied):
    """A `LoginFailed` of a caller with a valid token, which a 401 would call invalid."""

    reasons = LoginFailed.reasons

    def __init__(self, failed: LoginFailed) -> None:
        super().__init__(failed.message, details=failed.details)


class ProviderUnavailable(Unavailable):
    """A provider that can't be reached, is too slow, or answers nonsense."""

    reasons = ("provider",)
    default_message = "The other service does not answer: try again later."

    def __init__(self) -> None:
        super().__init__(details=[detail("", "provider", self.default_message)])


class NotConfigured(WrongFieldType):
    """A provider or a redirect that no setting has."""

    reasons = ("not_configured",)

    def __init__(self, path: str) -> None:
        super().__init__(path, "no setting of this server has it", "not_configured")
