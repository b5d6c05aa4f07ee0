"""`NotFoundHandler`: the answer to a path that no route has."""

from __future__ import annotations

from typing import Any, NoReturn

from tornado.web import RequestHandler

from ..error import APIError, RouteNotFound
from .error_answers import render_for_both
from .rest_handler import RestHandler
from .route_names import UNKNOWN


class NotFoundHandler(RestHandler):
    """The answer to a path that no route has, for clients of actions and of REST alike."""

    SUPPORTED_METHODS = RequestHandler.SUPPORTED_METHODS
    action_name = UNKNOWN

    def prepare(self) -> NoReturn:
        raise RouteNotFound

    def as_error(self, status: int, raised: BaseException | None) -> APIError:
        return RouteNotFound()  # also for a method that Tornado does not know

    def error_body(self, error: APIError, trace: list[str]) -> dict[str, Any]:
        super().error_body(error, [])  # sets the reason phrase
        request = self.request
        return render_for_both(error, self.request_id, request.method or "", request.uri or "")
