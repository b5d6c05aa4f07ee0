"""The fields of a query, as the types of a REST `get` need them."""

from __future__ import annotations

import re
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError
from tornado.web import RequestHandler

from .action import ActionRecord

_TEXT = TypeAdapter(str)
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?|true|false")


def query_fields(handler: RequestHandler, record: ActionRecord) -> dict[str, Any]:
    """Return the fields of `record` that the query has; a number if the type takes no text."""
    fields = record.fields or {}
    kinds = dict(zip(fields, record.adapters or [_TEXT] * len(fields), strict=True))
    sent = {name: handler.get_query_argument(name, None) for name in fields}
    return {name: _value(text, kinds[name]) for name, text in sent.items() if text is not None}


def _value(text: str, kind: TypeAdapter[Any]) -> Any:
    """Return `text`, or the number or boolean in a text that `kind` refuses as it is."""
    try:
        kind.validate_json(orjson.dumps(text), strict=True)
    except ValidationError:
        return orjson.loads(text) if _NUMBER.fullmatch(text) else text
    return text
