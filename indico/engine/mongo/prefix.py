"""`beginning_with`: a search for texts by their beginning, which reads an index."""

from __future__ import annotations

__all__ = ["beginning_with"]

_LAST_CHARACTER = "\U0010ffff"


def beginning_with(prefix: str) -> dict[str, str]:
    """Return the condition for a field whose text begins with `prefix`, in the same letter case.

    await NOTES.find({"title": beginning_with("Shopping")})
    """
    end = _successor(prefix)
    return {"$gte": prefix, "$lt": end} if end else {"$gte": prefix}


def _successor(prefix: str) -> str:
    """Return the first text after all texts that begin with `prefix`; empty if there is none."""
    prefix = prefix.rstrip(_LAST_CHARACTER)
    if not prefix:
        return ""
    following = ord(prefix[-1]) + 1
    # MongoDB compares UTF-8, which can't hold surrogates, so the successor skips them.
    return prefix[:-1] + chr(0xE000 if 0xD800 <= following < 0xE000 else following)
