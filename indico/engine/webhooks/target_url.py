"""The URL of a webhook: what a user may name."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from pydantic import Field, HttpUrl, StringConstraints, TypeAdapter, ValidationError

from ..error import WrongFieldType
from ..http.public_addresses import is_public
from ..validation import Reasons
from .options import Options

__all__ = ["Url", "checked"]

_HTTP: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)
Url = Annotated[
    str,
    StringConstraints(max_length=1000),
    Field(examples=["https://receiver.example/events"]),
    Reasons("url"),
]


def checked(text: str) -> str:
    """Return a URL in its normal form. Raises `WrongFieldType`.

    Each address that its name resolves to is checked when an event is sent. An address in the URL
    itself is checked here too, because then its user learns of it.
    """
    try:
        url = _HTTP.validate_python(text)
    except ValidationError:
        raise _wrong("it must be a URL, such as https://receiver.example/events") from None
    if url.username or url.password or url.fragment is not None:
        raise _wrong("it must be without user, password and fragment")
    if not Options.private:
        _refuse_private(url)
    return str(url)


def _refuse_private(url: HttpUrl) -> None:
    if url.scheme != "https":
        raise _wrong("it must begin with https://")
    with suppress(ValueError):  # a name
        if not is_public((url.host or "").strip("[]")):
            raise _wrong("its address is not public")


def _wrong(why: str) -> WrongFieldType:
    return WrongFieldType("url", why, "url")
