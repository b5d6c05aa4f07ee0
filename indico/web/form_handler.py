"""`FormHandler` and `OwnFormHandler`, the bases of pages with a form."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ValidationError

from indico.error import (
    AuthError,
    Conflict,
    IndicoError,
    InvalidArgument,
    PermissionDenied,
    PreconditionFailed,
    RateLimited,
    as_invalid_argument,
)
from indico.web.handler import PageHandler, authenticated
from indico.web.rendering import render_field

M = TypeVar("M", bound=BaseModel)
_REFUSALS = (
    *(InvalidArgument, AuthError, PermissionDenied, Conflict, PreconditionFailed, RateLimited),
)


class FormHandler(PageHandler):
    """A page with a form: `values` fills it in, and `submit` takes what was sent.

    `load` runs before both. A form that `submit` refuses is shown again, with a sentence at each
    wrong field.
    """

    template: ClassVar[str]

    async def get(self, *path: str) -> None:
        await self.load()
        self.show_form(await self.values())

    async def post(self, *path: str) -> None:
        sent = self.form
        await self.load()
        try:
            next_path = await self.submit()
        except _REFUSALS as error:
            stale = isinstance(error, PreconditionFailed)
            self.set_status(error.status)
            self._headers.update(error.headers)
            self.show_form(await self.values() if stale else sent, error)
        else:
            self.redirect_after(next_path)

    async def load(self) -> None:
        """Read what the form depends on."""

    async def values(self) -> Mapping[str, str]:
        """Return the values of the empty form."""
        return {}

    @abstractmethod
    async def submit(self) -> str:
        """Do what the form asks for, and return the path of the next page."""

    def read(self, kind: type[M]) -> M:
        """Return the form as a model. Raise `InvalidArgument` with every problem."""
        try:
            return kind.model_validate(self.form)
        except ValidationError as error:
            raise as_invalid_argument(error) from None

    def show_form(self, values: Mapping[str, str], error: IndicoError | None = None) -> None:
        texts = self.texts
        problems = {
            each["path"]: texts.problems.get(each["reason"], texts.other_problem)
            for each in (error.details if error else ())
        }
        refusal = problems.pop("", "")
        if error and not (problems or refusal):
            refusal = texts.refusals.get(error.code, error.message)
        field = partial(render_field, texts, values, problems)
        self.show(self.template, values=values, field=field, refusal=refusal)


class OwnFormHandler(FormHandler):
    """A form for a browser with a session."""

    @authenticated
    async def get(self, *path: str) -> None:  # type: ignore[override]
        await super().get(*path)

    @authenticated
    async def post(self, *path: str) -> None:  # type: ignore[override]
        await super().post(*path)
