"""Static files whose names have a digest of their bytes, so that caches keep them for a year."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path
from typing import Any, NamedTuple

from ..error import RouteNotFound
from .html_handler import HTMLHandler

_FOREVER = "public, max-age=31536000, immutable"


class StaticFile(NamedTuple):
    """A file's bytes, type and digest."""

    content: bytes
    media_type: str
    digest: str

    @classmethod
    def read(cls, path: Path) -> StaticFile:
        content = path.read_bytes()
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return cls(content, media_type, hashlib.sha256(content).hexdigest()[:16])


class StaticFiles:
    """The files of a folder, read once: `style.css` is `/static/style.<digest>.css`."""

    def __init__(self, folder: Path) -> None:
        paths = (path for path in sorted(folder.iterdir()) if path.is_file())
        self._files = {path.name: StaticFile.read(path) for path in paths}

    def url(self, name: str) -> str:
        """Return the path of a file; a change of the file changes its path."""
        stem, dot, suffix = name.rpartition(".")
        return f"/static/{stem}.{self._files[name].digest}{dot}{suffix}"

    def find(self, stem: str, suffix: str) -> StaticFile | None:
        return self._files.get(f"{stem}.{suffix}")

    @property
    def route(self) -> tuple[str, type[StaticFilesHandler], dict[str, Any]]:
        pattern = r"/static/([\w-]+)\.([0-9a-f]{16})\.(\w+)"
        return pattern, StaticFilesHandler, {"files": self}


class StaticFilesHandler(HTMLHandler):
    """A static file. Another digest than the file's is for a page of an older or newer server."""

    def initialize(self, files: StaticFiles) -> None:
        self._files = files

    async def get(self, stem: str, digest: str, suffix: str) -> None:
        file = self._files.find(stem, suffix)
        if file is None:
            raise RouteNotFound
        self.set_header("Content-Type", file.media_type)
        self.set_header("Cache-Control", _FOREVER if digest == file.digest else "no-cache")
        self.finish(file.content)
