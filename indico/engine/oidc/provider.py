"""`Provider`: a server that people may log in with, as the settings describe it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_settings import NoDecode

__all__ = ["Issuer", "Provider", "Providers"]

_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


def _issuer(value: str) -> str:
    url = urlsplit(value)
    safe = url.scheme == "https" or (url.scheme == "http" and url.hostname in _THIS_MACHINE)
    if not safe or not url.hostname or url.query or url.fragment:
        raise ValueError("it must be like https://accounts.example.com (http on localhost only)")
    return value


Issuer = Annotated[str, AfterValidator(_issuer)]


class Provider(BaseModel):
    """A provider: its URL, and the names under which it knows this server.

    `label` is what people read; without one, the name of the provider. A public client has no
    `client_secret`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Issuer
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    label: str | None = None

    @property
    def host(self) -> str:
        return urlsplit(self.issuer).hostname or ""


_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
_BY_NAME = TypeAdapter(dict[_Name, Provider])


def _providers(value: object) -> object:
    """Return providers by their names, from an object, or from JSON in a flag or a variable.

    The sentence of an error names the field, and shows no value, because it may be a secret.
    """
    try:
        return _BY_NAME.validate_python(orjson.loads(value) if isinstance(value, str) else value)
    except orjson.JSONDecodeError:
        raise ValueError("it is not JSON") from None
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        lines = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems]
        raise ValueError("; ".join(lines)) from None


Providers = Annotated[dict[str, Provider], NoDecode, BeforeValidator(_providers)]
