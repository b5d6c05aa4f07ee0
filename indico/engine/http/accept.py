"""Preferences of clients: the weights in `Accept` and its like (RFC 9110, section 12.4.2)."""

from __future__ import annotations

import re

from tornado.httputil import HTTPHeaders

_PART = re.compile(r"\s*([^\s;,]+)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?(?:;[^,]*)?")
_LONGEST = 1000  # browsers send 150 characters at most


def weights(header: str) -> dict[str, float]:
    """Return each value of a header in lower case with its weight, the heaviest first."""
    parts = map(_PART.fullmatch, header[:_LONGEST].split(","))
    found = {part[1].lower(): float(part[2] or 1) for part in parts if part}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def wants_html(headers: HTTPHeaders) -> bool:
    """Return whether a client names HTML, as browsers do, and prefers it to JSON."""
    accepted = weights(headers.get("Accept", ""))
    return accepted.get("text/html", 0) > accepted.get("application/json", 0)
