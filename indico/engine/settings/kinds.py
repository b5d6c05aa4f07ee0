"""Kinds of values that several settings have."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from ..limits.rate import Rate

Network = IPv4Network | IPv6Network


def _networks(value: object) -> object:
    """Return networks from a list, or from text with commas, as in a flag or the environment."""
    words = value.replace(",", " ").split() if isinstance(value, str) else value
    return tuple(map(ip_network, words)) if isinstance(words, list | tuple) else value


def _origins(value: object) -> object:
    """Return origins from a list, or from text with commas; `*` stands alone."""
    words = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(words, list | tuple):
        return value
    for word in words:
        if word != "*" and not _ORIGIN.fullmatch(str(word)):
            raise ValueError(f"{word} is no origin, like https://example.com, without a path")
    if "*" in words and len(words) > 1:
        raise ValueError("* allows each origin, so it must stand alone")
    return tuple(words)


def _without_star(origins: tuple[str, ...]) -> tuple[str, ...]:
    if "*" in origins:
        raise ValueError("* is no origin: name each origin that is trusted")
    return origins


def _rate(value: object) -> object:
    """Return a rate from a text like `10/minute`, and None for `off`, which YAML reads as False."""
    if value is False or value == "off":
        return None
    return Rate.parse(value) if isinstance(value, str) else value


def _words(value: object) -> object:
    """Return words from a list, or from text with commas."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


# As browsers send it: in lower case, without a path, and without the scheme's own port.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#@*A-Z]+")
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)]
TrustedOrigins = Annotated[Origins, AfterValidator(_without_star)]
Secrets = Annotated[
    tuple[Annotated[SecretStr, Field(min_length=16)], ...], NoDecode, BeforeValidator(_words)
]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
# "off" is for a default that is a rate: an empty variable of the environment is unset.
OptionalRate = Annotated[Rate | None, NoDecode, BeforeValidator(_rate)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]
Seconds = Annotated[float, Field(gt=0, le=7 * 24 * 3600, allow_inf_nan=False)]
