"""`Metadata`: what a provider says of itself (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from .fetching import Fetcher

_PATH = "/.well-known/openid-configuration"


class Metadata(BaseModel):
    """The addresses of a provider, and what it supports."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]
    authorization_response_iss_parameter_supported: bool = False


async def fetch_metadata(server: Fetcher, issuer: str) -> Metadata:
    """Return the metadata of `issuer`.

    Raises `ProviderUnavailable` for metadata of another issuer, or with an address without TLS.
    """
    url = issuer.rstrip("/") + _PATH
    status, document = await server.fetch(url)
    if problem := f"status {status}" if status != 200 else _problem(document, issuer):
        raise server.unavailable(f"{url}: {problem}")
    return Metadata.model_validate(document)


def _problem(document: dict[str, Any], issuer: str) -> str:
    try:
        metadata = Metadata.model_validate(document)
    except ValidationError as error:
        return ", ".join(str(each["loc"]) for each in error.errors()) + " is missing or wrong"
    if metadata.issuer != issuer:
        return f"the issuer is {metadata.issuer}, and the setting says {issuer}"
    urls = [url for name, url in metadata if name.endswith(("_endpoint", "_uri")) and url]
    allowed = {"https", urlsplit(issuer).scheme}
    unsafe = [url for url in urls if url.partition(":")[0] not in allowed]
    return f"{unsafe[0]} is without TLS" if unsafe else ""
