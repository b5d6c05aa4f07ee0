"""`Line`: one line of a client, as it comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..error import APIError, Overloaded, TooLarge
from ..http.body import SMALL_BYTES
from ..http.json_body import parsed_or_error
from ..offload.thread import LARGE_BYTES, in_thread

if TYPE_CHECKING:
    from ..http.application import Application


class Line:
    """A line with the limits of a body over HTTP.

    No byte is kept of a line that is too long, or that finds no room among all bodies.
    """

    def __init__(self, app: Application) -> None:
        self._app = app
        self._text = bytearray()
        self._error: APIError | None = None

    @property
    def begun(self) -> bool:
        return bool(self._text) or self._error is not None

    @property
    def is_blank(self) -> bool:
        return self._error is None and not self._text.strip()

    def take(self, piece: bytes) -> None:
        """Add what the client has sent of the line."""
        size, limit = len(self._text) + len(piece), self._app.max_body_bytes
        if self._error is not None:
            return
        if size > limit:
            self._fail(TooLarge(limit))
        elif size > SMALL_BYTES and not self._app.admission.hold(self, size):
            self._fail(Overloaded())
        else:
            self._text += piece

    def _fail(self, error: APIError) -> None:
        self._error = error
        self._text.clear()
        self.let_go()

    async def parse(self) -> dict[str, Any] | APIError:
        """Return the JSON object of a complete line, or what is wrong with it.

        A large one is parsed in a thread.
        """
        if self._error is not None:
            return self._error
        text, most = bytes(self._text), self._app.settings["config"].max_body_values
        if len(text) < LARGE_BYTES:
            return parsed_or_error(text, most)
        return await in_thread(parsed_or_error, text, most)

    def let_go(self) -> None:
        """Count the line's bytes no more: it is parsed, or its client is gone."""
        self._app.admission.let_go(self)
