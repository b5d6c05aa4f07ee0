"""A call as one JSON object with an id, as carriers beside HTTP send it, and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError
from tornado.httputil import HTTPHeaders

from ..error import InvalidArgument
from ..validation import problems_of, refuse
from .client_timeout import HEADER as CLIENT_TIMEOUT
from .client_timeout import MOST_MILLISECONDS
from .headers import new_id, sane_id
from .inner_call import ActionPath, Envelope
from .keyed_call import HEADER as IDEMPOTENCY_KEY
from .keyed_call import KEY
from .unknown_fields import unknown_fields


def _is_id(value: Any) -> bool:
    return value is None or type(value) in (int, str)


def _id(value: Any) -> Any:
    if not _is_id(value):
        raise PydanticCustomError("message_id", "it must be an integer, a text or null")
    return value


# What a header can hold, so that a message can't write headers of its own.
Text = Annotated[str, StringConstraints(pattern=r"^[ -~]*$")]
Key = Annotated[str, StringConstraints(pattern=KEY)]
Milliseconds = Annotated[int, Field(ge=1, le=MOST_MILLISECONDS)]


class Message(BaseModel):
    """A call: its action, its body, and what are headers over HTTP.

    The answer has the same `id`, because answers come in any order.
    """

    model_config = ConfigDict(strict=True)

    id: Annotated[Any, AfterValidator(_id)] = None
    action: ActionPath
    body: dict[str, Any] = Field(default_factory=dict)
    token: Text | None = None
    request_id: str | None = None
    idempotency_key: Key | None = None
    timeout_ms: Milliseconds | None = None

    @classmethod
    def read(cls, sent: Mapping[str, Any]) -> Self:
        """Return the message in a JSON object. Raises `InvalidArgument` with every problem."""
        problems: list[InvalidArgument] = []
        if not sent.keys() <= cls.model_fields.keys():
            problems += unknown_fields(sent, cls.model_fields.keys())
        try:
            message = cls.model_validate(sent)
        except ValidationError as error:
            problems[:0] = problems_of(error)
        refuse(problems)
        return message

    def headers(self, request_id: str) -> HTTPHeaders:
        """Return the headers of a request with this id, which makes the same call."""
        headers = HTTPHeaders({"Host": "localhost", "Content-Type": "application/json"})
        headers["X-Request-Id"] = request_id
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.idempotency_key is not None:
            headers[IDEMPOTENCY_KEY] = self.idempotency_key
        if self.timeout_ms is not None:
            headers[CLIENT_TIMEOUT] = str(self.timeout_ms)
        return headers


def request_id_of(sent: Mapping[str, Any]) -> str:
    """Return the `request_id` of a message if it is a sane id, else a new id."""
    request_id = sent.get("request_id")
    return sane_id(request_id) if isinstance(request_id, str) else new_id()


def answer_to(sent: Mapping[str, Any], envelope: Envelope) -> Envelope:
    """Return the envelope with the `id` of the message; null stands for a wrong one."""
    own = sent.get("id")
    return {"id": own if _is_id(own) else None, **envelope}
