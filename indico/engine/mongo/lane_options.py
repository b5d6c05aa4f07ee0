"""The options in a URI of MongoDB with which there are lanes."""

from __future__ import annotations

import re
from typing import Any

from pymongo import ReadPreference

__all__ = ["MAX_LANES", "refusal"]

# What PyMongo does by itself when it opens a connection, and what a lane does as PyMongo would.
_HONOURED = re.compile(
    "appname|auth(mechanism|mechanismproperties|source)|connecttimeoutms|directconnection"
    "|heartbeatfrequencyms|journal|localthresholdms|maxconnecting|m(ax|in)poolsize"
    "|readconcernlevel|readpreference|replicaset|retry(reads|writes)|servermonitoringmode"
    "|serverselectiontimeoutms|sockettimeoutms|srv\\w+|ssl|tls\\w*|timeoutms|tz_aware"
    "|uuidrepresentation|w|waitqueuetimeoutms|wtimeoutms"
)


MAX_LANES = 36  # all kinds


def refusal(uri: str, options: Any) -> str | None:
    """Return why there are no lanes for `uri`, or None; `options` are those of its client."""
    for option in filter(None, re.split("[&;]", uri.partition("?")[2].lower())):
        name, _, value = option.partition("=")
        if not _HONOURED.fullmatch(name) or (name, value) == ("authmechanism", "mongodb-oidc"):
            return f"mongodb_uri has the option {name}"
    if options.read_preference != ReadPreference.PRIMARY:
        return "mongodb_uri has another readPreference than primary"
    most = options.pool_options.max_pool_size
    if most and most < MAX_LANES:
        return f"mongodb_uri has a maxPoolSize below {MAX_LANES}"
    return "MongoDB has a load balancer in front" if options.load_balanced else None
