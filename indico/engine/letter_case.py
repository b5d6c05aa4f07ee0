"""Texts that are the same in any letter case."""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """Return the text with letter case and Unicode form folded, for comparisons."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
