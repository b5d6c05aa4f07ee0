"""Requests with `If-Match` and `If-None-Match` (RFC 9110, section 13)."""

from __future__ import annotations

import re

from tornado.web import RequestHandler

from ..error import PreconditionFailed
from .json_handler import JSONHandler

# A weak tag counts as a strong one, because a proxy that compresses weakens tags. A tag here names
# a version of the data, whatever its bytes.
_TAG = re.compile(r'(?:W/)?("[^"]*")')
_ANY = "*"


class ConditionalHandler(JSONHandler):
    """A handler whose answers have an ETag: the version of what is stored."""

    def set_tag(self, tag: str) -> None:
        """Set the ETag of what the answer holds, or of what the request made."""
        self.set_header("ETag", f'"{tag}"')

    def not_modified(self, tag: str) -> bool:
        """Set the ETag; answer 304 and return True if the client has this version.

        Raises `PreconditionFailed` if `If-Match` asks for another version.
        """
        if self.versions is not None and tag not in self.versions:
            raise PreconditionFailed
        self.set_tag(tag)
        if not self.check_etag_header():
            return False
        self.set_status(304)
        self.finish()
        return True

    def check_etag_header(self) -> bool:
        tags = self.tags("If-None-Match")
        own = self._headers.get("ETag", "")
        return bool(tags and not tags.isdisjoint({own, _ANY}))

    def tags(self, name: str) -> set[str] | None:
        """Return the tags in `If-Match` or `If-None-Match` with their quotes; None without header.

        A star without quotes stands for any tag, and a star in quotes is a tag (RFC 9110, 8.8.3).
        """
        values = self.request.headers.get_list(name)
        if not values:
            return None
        return {_ANY} if set(values) == {_ANY} else set(_TAG.findall(",".join(values)))

    def refuse_match(self, tag: str) -> None:
        """Raise `PreconditionFailed` if `If-None-Match` excludes a change of this version."""
        if not (self.tags("If-None-Match") or set()).isdisjoint({f'"{tag}"', _ANY}):
            raise PreconditionFailed

    @property
    def versions(self) -> set[str] | None:
        """The versions that `If-Match` allows to be changed; None for any version."""
        tags = self.tags("If-Match")
        return None if tags is None or tags == {_ANY} else {tag.strip('"') for tag in tags}

    def compute_etag(self) -> str | None:
        """Return Tornado's digest of the body, for an answer without an ETag of its own."""
        return RequestHandler.compute_etag(self)
