"""The time as MongoDB keeps it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """UTC, cut to milliseconds as a BSON date is, so that what is written is what is read."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
