"""Checks of the secrets, and of the proxies that the server trusts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from math import log2
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from ..settings import ServerSettings, env_name, given_flags
from .finding import Finding, fault, ok, warning
from .machine import for_others

NEW_KEY = "Set it to the output of python -c 'import secrets; print(secrets.token_urlsafe(32))'."
_LEAST_BITS = 64
_CHARACTERS = (("[0-9]", 10), ("[a-z]", 26), ("[A-Z]", 26), ("[^0-9a-zA-Z]", 32))
_WORD = "(?:[A-Z]?[a-z]+|[0-9]{1,4})"
_WORDS = re.compile(f"{_WORD}(?:[ _.-]+{_WORD})+")


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
    bits = entropy(settings.secret_key.get_secret_value())
    if bits >= _LEAST_BITS:
        return ok("secret_key is set.")
    seen = f"secret_key can be guessed: it has some {bits:.0f} bits of entropy, not {_LEAST_BITS}."
    if settings.environment == "production":
        return fault(seen, NEW_KEY)
    return ok(f"{seen} In production this is a fault.")


def entropy(secret: str) -> float:
    """Return an estimate in bits.

    A character counts if it does not continue a sequence (abc, 321, 000) or repeat three that came
    before. Words have two bits for each character, as English text does.
    """
    fresh = sum(
        not (secret[i - 2 : i + 1] in secret[:i] and i > 1)
        and not (i and abs(ord(character) - ord(secret[i - 1])) <= 1)
        for i, character in enumerate(secret)
    )
    if _WORDS.fullmatch(secret):
        return 2 * fresh
    if re.fullmatch("[0-9a-f]*", secret, re.IGNORECASE):
        return 4 * fresh
    return fresh * log2(sum(size for kind, size in _CHARACTERS if re.search(kind, secret)))


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
