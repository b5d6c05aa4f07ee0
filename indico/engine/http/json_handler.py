"""The base of all routes: JSON in, JSON out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar

from ..error import APIError, AuthError, Gone
from ..offload import CALLER
from ..offload.thread import LARGE_BYTES, in_thread
from ..telemetry import metrics
from .action import ActionRecord, LookUp, refuse_unread
from .body import body_error
from .deprecation import Deprecation
from .error_handler import ErrorHandler
from .json_answer import dumps
from .json_body import parse_object, parsed_or_error
from .keyed_call import HEADER as IDEMPOTENCY_KEY
from .paging import Find, Page, T, read_page
from .route_names import UNKNOWN


class JSONHandler(ErrorHandler):
    """The base of all routes.

    `@auth` sets `session` to the session that its look-up has found, and `user_id` to the
    session's `user_id`. A limit of each token goes by the session's `id`. The API's document leaves
    out a class that is not `described`. Its answers have one of the `media_types`; `own_errors` are
    the errors that each of its methods may answer. A call that changes something happens once for
    each `Idempotency-Key`, if it `takes_key`.
    """

    described: ClassVar[bool] = True
    media_types: ClassVar[Sequence[str]] = ("application/json",)
    own_errors: ClassVar[Sequence[type[APIError]]] = ()
    takes_key: ClassVar[bool] = True

    session: Any
    user_id: Any
    _parsed: dict[str, Any] | APIError | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_unread(cls, cls.is_action_name)

    @staticmethod
    def is_action_name(name: str) -> bool:
        """Return whether dispatch reads the record of a method with this name."""
        return False

    @property
    def action_name(self) -> str:
        """The label of the metrics for the method or action; `unknown` if there is none."""
        method = self.request.method or ""
        return method if method in self.SUPPORTED_METHODS else UNKNOWN

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that was sent. Raises the errors of `parse_object`."""
        if self._parsed is None:
            self._parsed = parse_object(self.request.body, self.config.max_body_values)
        if isinstance(self._parsed, APIError):
            try:
                raise self._parsed
            finally:  # no cycle, because the traceback refers to this handler
                self._parsed = None
        return self._parsed

    @property
    def has_body(self) -> bool:
        return bool(self.request.body)

    @property
    def has_large_body(self) -> bool:
        """True if the body is to be parsed and validated in a thread."""
        return len(self.request.body) >= LARGE_BYTES

    @property
    def idempotency_keys(self) -> Sequence[str]:
        """The values of the header `Idempotency-Key`; there should be one, or none."""
        keys = self.request.headers.get_list(IDEMPOTENCY_KEY) if self.takes_key else ()
        record = self.record if keys else None  # few calls have a key
        return () if record and not record.takes_key else keys

    async def load_body(self) -> None:
        """Parse a large body in a thread, before `body` is asked for."""
        if self.has_large_body:
            self._parsed = await in_thread(
                parsed_or_error, self.request.body, self.config.max_body_values
            )

    async def arguments(self, record: ActionRecord, body: dict[str, Any]) -> Sequence[Any]:
        """Return the arguments of a call; a large body is validated in a thread."""
        if self.has_large_body:
            return await in_thread(record.arguments, body, self.has_body)
        return record.arguments(body, self.has_body)

    def _cross_origin_protection(self) -> None:
        """Check nothing: any page may call with a token, and `cookie_of_action` checks cookies."""

    def prepare(self) -> None:
        super().prepare()
        if error := body_error(self.request):
            raise error

    def deprecate(self, deprecation: Deprecation) -> None:
        """Count a call of something deprecated, and warn its caller. Raises `Gone`."""
        self.add_headers(deprecation.headers)
        metrics.DEPRECATED.labels(self.application.names.resource(self), self.action_name).inc()
        if time.time() >= deprecation.sunset_at:
            raise Gone(deprecation.farewell)

    async def authenticate(self, look_up: LookUp) -> None:
        """Set `session` and `user_id`. Raises `AuthError` if the request has no session.

        Offloaded calls of the request then count for the user.
        """
        self._needs_token = True
        session = await look_up(self)
        if session is None:
            raise AuthError
        self.session, self.user_id = session, session.user_id
        CALLER.set(session.user_id)

    @property
    def record(self) -> ActionRecord | None:
        """The record of the action or method that the request calls."""
        return None

    def check_answer(self, data: Any, code: int) -> None:
        """Raise `ServerError` if the called action's return annotation has another answer."""
        if record := self.record:
            record.answer.check(f"{type(self).__name__}.{record.action.__name__}", data, code)

    async def page(
        self,
        find: Find[T],
        limit: int,
        cursor: str | None,
        *key: Any,
    ) -> Page[T]:
        """Return the page that `find` finds after a position; None is the beginning of the list.

        A cursor is valid for one path, one user and one `key` only. The key has what else chooses a
        list, like a search.

            return await self.page(partial(NoteDB.find, self.user_id), limit, cursor)
        """
        user_id = getattr(self, "user_id", None)
        purpose = f"{self.request.path.rstrip('/')} of {user_id}: {key!r}"
        return await read_page(find, limit, cursor, purpose, self.config.secret_key)

    def respond(self, data: Any = None, code: int = 200) -> None:
        """End the request with `data` in the envelope; `code` is the HTTP status."""
        if self.application.checks_answers:
            self.check_answer(data, code)
        self.set_status(code)
        self.finish(dumps({"status": code, "data": data}))

    def compute_etag(self) -> str | None:
        return None
