"""`ErrorHandler`: every error of a request as an answer in one shape."""

from __future__ import annotations

import traceback
from types import TracebackType
from typing import Any

from ..error import APIError
from .default_headers import DefaultHeadersHandler
from .effects import SAFE_TO_REPEAT
from .error_answers import as_api_error, render_error
from .headers import challenge
from .json_answer import dumps
from .request_log import log_failed


class ErrorHandler(DefaultHeadersHandler):
    """A handler that answers an error as JSON, or as a page where those are wanted."""

    _needs_token = False

    @property
    def repeatable(self) -> bool:
        """True if it does no harm to make this call twice."""
        return self.request.method in SAFE_TO_REPEAT

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if not self.scope.entered:  # Tornado itself refused the request, before `prepare`
            self.enter_scope()
        _, raised, _ = kwargs.get("exc_info", (None, None, None))
        error = self.as_error(status_code, raised)
        self.set_status(error.status)
        for name, value in error.headers.items():
            self.set_header(name, value)
        if error.status == 401 and self._needs_token:
            self.set_header("WWW-Authenticate", challenge(self.request.headers))
        trace = traceback.format_exception(raised) if self.config.debug and raised else []
        pages, sent = self.application.error_pages, self.request.headers
        if pages and pages.are_wanted(sent):
            self._headers.update(pages.headers)
            self.finish(pages.render(error, self.request_id, sent, trace))
        else:
            self.set_header("Content-Type", "application/json")
            self.finish(dumps(self.error_body(error, trace)))

    def as_error(self, status: int, raised: BaseException | None) -> APIError:
        return as_api_error(status, raised, self.SUPPORTED_METHODS)

    def error_body(self, error: APIError, trace: list[str]) -> dict[str, Any]:
        """Return the body of the answer to a request that failed."""
        return render_error(error, self.request_id, trace, self.repeatable)

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self.as_error(500, value).status >= 500 and value is not None:
            log_failed(self, value)
