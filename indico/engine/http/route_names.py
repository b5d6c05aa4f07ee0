"""Names of routes, few enough to be labels of metrics and traces."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tornado.routing import PathMatches, Rule
from tornado.web import RequestHandler

UNKNOWN = "unknown"  # the label where a client could invent names
_GROUP = re.compile(r"\((?:\?P<(\w+)>)?([^()]*)\)\??")
_ACTION = "{action}"


class RouteNames:
    """The path template and the resource of each handler class that `rules` lead to."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._templates = {
            rule.target: path_template(rule.matcher.regex.pattern)
            for rule in rules
            if isinstance(rule.matcher, PathMatches)
        }
        self._with_actions = {
            path.removeprefix("/").removesuffix(f"/{_ACTION}")
            for path in self._templates.values()
            if path.endswith(f"/{_ACTION}")
        }
        self._resources = {
            kind: path.lstrip("/").partition("/")[0] for kind, path in self._templates.items()
        }

    def route(self, handler: RequestHandler) -> str | None:
        """Return a template like `/user/update`; None for a path that no route has."""
        template = self._templates.get(type(handler))
        return template and template.replace(_ACTION, action_name(handler))

    def has_actions(self, resource: str) -> bool:
        """Return whether `resource` is one of actions: `POST /<resource>/<action>`."""
        return resource in self._with_actions

    def resource(self, handler: RequestHandler) -> str:
        """Return the first word of the path, like `user`."""
        return self._resources.get(type(handler), UNKNOWN)


def action_name(handler: RequestHandler) -> str:
    name: str = getattr(handler, "action_name", UNKNOWN)
    return name


def path_template(pattern: str) -> str:
    """Return a route's pattern as a person would write it: `/user/{action}`, `/addresses/{}`."""
    path = _GROUP.sub(_shown, pattern.replace("\\.", "."))
    return path.removesuffix("$").removesuffix("/?")


def _shown(group: re.Match[str]) -> str:
    """Return the name of a group in braces, or the one text that the group matches."""
    return group[2] if group[2].isalpha() else f"{{{group[1] or ''}}}"
