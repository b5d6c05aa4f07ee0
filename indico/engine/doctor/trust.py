"""Checks of the secrets, and of the proxies that the server trusts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from ..settings import ServerSettings, env_name, given_flags
from .finding import Finding, fault, ok, warning
from .machine import for_others

NEW_KEY = "Set it to the output of python -c 'import secrets; print(secrets.token_urlsafe(32))'."
_KEY_CHARACTERS = 32
_KEY_VARIETY = 10


def secrets(settings: ServerSettings, flags: Sequence[str]) -> Iterator[Finding]:
    yield _secret_key(settings)
    if settings.environment == "production" and not _has_credentials(_uri(settings)):
        yield warning(
            "mongodb_uri has no user: any program that reaches MongoDB may change all data.",
            "Turn on MongoDB's authentication, and write mongodb://user:password@host/.",
        )
    yield from _exposed(type(settings), flags)


def _secret_key(settings: ServerSettings) -> Finding:
    if settings.secret_key == type(settings).model_fields["secret_key"].default:
        return ok("secret_key is at its default, which production refuses.")
    key = settings.secret_key.get_secret_value()
    if len(key) >= _KEY_CHARACTERS and len(set(key)) >= _KEY_VARIETY:
        return ok("secret_key is set.")
    seen = f"secret_key can be guessed: it has {len(key)} characters, {len(set(key))} different."
    if settings.environment == "production":
        return fault(seen, NEW_KEY)
    return ok(f"{seen} In production this is a fault.")


def _uri(settings: ServerSettings) -> str:
    return settings.mongodb_uri.get_secret_value() if settings.mongodb_uri else ""


def _has_credentials(uri: str) -> bool:
    """Return whether `uri` has a user, or a client certificate in place of one."""
    return "@" in urlsplit(uri).netloc or "authmechanism=mongodb-x509" in uri.lower()


def _exposed(kind: type[ServerSettings], flags: Sequence[str]) -> Iterator[Finding]:
    """Find secrets that other users of this machine can read."""
    given = given_flags(kind, flags)
    if "secret_key" in given or _has_credentials(given.get("mongodb_uri", "")):
        names = f"{env_name(kind, 'secret_key')} and {env_name(kind, 'mongodb_uri')}"
        yield warning(
            "A secret is on the command line, which ps shows to every user.",
            f"Set {names} in the environment, or a file for --config.",
        )
    if file := given.get("config"):
        values = yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}
        secret = "secret_key" in values or _has_credentials(values.get("mongodb_uri") or "")
        if secret and for_others(Path(file)):
            yield fault(f"{file} holds a secret, and others can read it.", f"chmod 600 {file}")


def proxies(settings: ServerSettings) -> Iterator[Finding]:
    networks = settings.trusted_proxies
    everybody = [str(network) for network in networks if network.prefixlen == 0]
    public = [str(network) for network in networks if network.is_global]
    if everybody:
        yield fault(
            f"trusted_proxies has {', '.join(everybody)}: any client can claim any address.",
            "Name the proxies' own addresses only.",
        )
    elif public:
        yield warning(
            f"trusted_proxies has public addresses ({', '.join(public)}): any program there can "
            "claim any address.",
            "Keep only the addresses of your own proxies.",
        )
    elif networks:
        yield ok(f"X-Forwarded-For is read from {', '.join(map(str, networks))}.")
    elif settings.environment == "production" and not _is_loopback(settings.host):
        yield ok("No proxy is trusted: behind a proxy every client has the proxy's address.")
    else:
        yield ok("No proxy is trusted.")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
