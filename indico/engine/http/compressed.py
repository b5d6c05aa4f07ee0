"""Compressed bodies, unpacked no further than a limit."""

from __future__ import annotations

import zlib

from ..error import InvalidJSON, TooLarge

# Compressors in blocks make a member of each 64 KB. A member may be empty, and takes time anyway.
_MAX_GZIP_MEMBERS = 100


def gunzip(packed: bytes | bytearray, limit: int) -> bytes:
    """Return what `packed` holds. Raises `TooLarge` beyond `limit` bytes, and `InvalidJSON`."""
    parts = []
    size = 0
    for _ in range(_MAX_GZIP_MEMBERS):  # RFC 1952, section 2.2: a gzip file is a series of members
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            parts.append(member.decompress(packed, limit + 1 - size))
        except zlib.error:
            raise InvalidJSON("The body is not valid gzip.") from None
        size += len(parts[-1])
        if size > limit:
            raise TooLarge(limit)
        if not member.eof:
            raise InvalidJSON("The gzip body ends too early.")
        packed = member.unused_data
        if not packed:
            return b"".join(parts)
    raise InvalidJSON(f"The gzip body has more than {_MAX_GZIP_MEMBERS} members.")
