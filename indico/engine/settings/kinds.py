"""Kinds of values that several settings have."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

Network = IPv4Network | IPv6Network


def _networks(value: object) -> object:
    """Return networks from a list, or from text with commas, as in a flag or the environment."""
    words = value.replace(",", " ").split() if isinstance(value, str) else value
    return tuple(map(ip_network, words)) if isinstance(words, list | tuple) else value


Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]
Seconds = Annotated[float, Field(gt=0, le=7 * 24 * 3600, allow_inf_nan=False)]
