"""`ActionHandler`: a resource whose actions are `POST /<resource>/<action>`, in the envelope."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from ..error import RouteNotFound
from .action import Action, ActionRecord, record_of
from .call_limits import refuse_unfit_limits, take_tokens
from .effects import REPEATABLE
from .json_handler import JSONHandler
from .keyed_call import KeyedCall
from .route_names import UNKNOWN

_ACTION_NAME = re.compile(r"[a-zA-Z][a-zA-Z_]*")
# Tornado sets these on each handler; all other names are attributes of its class.
_INSTANCE_ATTRIBUTES = frozenset({"application", "request", "ui"})
# An ActionHandler answers no other method than POST, so these can't be reached as methods.
_FREE_NAMES = frozenset({"get", "head", "put", "patch", "delete", "options"})


class ActionHandler(JSONHandler):
    """A resource: each coroutine method in the class body is an action, `POST /<resource>/<name>`.

    A name that begins with `_` is no action. An action returns its data, and its return annotation
    says of which type; `Created[Note]` is for status 201. An action without `unpack` that takes an
    argument gets the whole body.

        class NoteHandler(ActionHandler):
            @auth
            @unpack("text")
            @type_check(str)
            async def create(self, text: str) -> Created[Note]:
                return await NoteDB.create(self.user_id, text)

        NoteRoute = (r"/note/(?P<action>[a-zA-Z_]+)?", NoteHandler)
    """

    SUPPORTED_METHODS = ("POST",)
    actions: ClassVar[Mapping[str, Action]] = {}
    _records: ClassVar[Mapping[str, ActionRecord]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        inherited = {name: a for name, a in cls.actions.items() if name not in vars(cls)}
        cls.actions = inherited | {
            name: _action(cls, name, value)
            for name, value in vars(cls).items()
            if inspect.iscoroutinefunction(value) and cls.is_action_name(name)
        }
        cls._records = {name: record_of(action) for name, action in cls.actions.items()}

    @staticmethod
    def is_action_name(name: str) -> bool:
        return not name.startswith("_")

    @property
    def action_name(self) -> str:
        action = getattr(self, "path_kwargs", {}).get("action")  # none yet at a 405
        return str(action) if action in self.actions else UNKNOWN

    @property
    def repeatable(self) -> bool:
        record = self._records.get(self.action_name)
        marked = record is not None and record.effect in REPEATABLE
        return marked or bool(self.idempotency_keys)

    async def post(self, action: str | None = None) -> None:
        if action is None or (method := self.actions.get(action)) is None:
            raise RouteNotFound
        record = self._records[action]
        if record.deprecation is not None:
            self.deprecate(record.deprecation)
        if large := self.has_large_body:
            await self.load_body()
        body = self.body  # every call needs a JSON object, also where no field is read
        if record.look_up:
            await self.authenticate(record.look_up)
        arguments = (
            await self.arguments(record, body) if large else record.arguments(body, self.has_body)
        )
        if record.limits or self.config.rate_limit:
            await take_tokens(self, record, arguments)
        if record.effect != "read_only" and (keys := self.idempotency_keys):
            await KeyedCall(self, keys, partial(method, self, *arguments), record.status).answer()
            return
        data = await method(self, *arguments)
        if not self._finished:
            self.respond(data, record.status)

    @property
    def record(self) -> ActionRecord | None:
        return self._records.get(self.action_name)


def _action(cls: type[ActionHandler], name: str, action: Action) -> Action:
    """Return `action`, and complete its record.

    Raises `TypeError` when the class is made for what would otherwise show in a request, or never.
    """
    where = f"{cls.__name__}.{name}"
    declared = (name in vars(base).get("__annotations__", {}) for base in cls.__mro__[1:])
    hides = hasattr(ActionHandler, name) or name in _INSTANCE_ATTRIBUTES or any(declared)
    if hides and name not in _FREE_NAMES:
        raise TypeError(
            f"{where} can't be an action: Tornado's or ActionHandler's own `{name}` would be "
            "hidden by it. Give it another name."
        )
    if not _ACTION_NAME.fullmatch(name):
        raise TypeError(f"{where} can't be an action: a name has letters and _ only.")
    record = record_of(action)
    refuse_unfit_limits(where, record)
    if record.fields is None:
        arguments = len(inspect.signature(action).parameters) - 1
        if arguments > 1:
            raise TypeError(
                f"{where} takes {arguments} arguments: name their fields with @unpack, or take "
                "one, the whole body."
            )
        if record.types and (arguments, len(record.types)) != (1, 1):
            raise TypeError(f"{where}: @type_check without @unpack is for one argument, the body.")
        record.whole_body = arguments == 1
        if record.whole_body and not record.types:
            record.known = None
    return action
