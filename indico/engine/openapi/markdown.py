"""The API's document as a page in Markdown, for a person who reads without a browser."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping

from .failures import OPEN_ENUM
from .schemas import REFERENCE, Schema

WIDTH = 118
# Any call can have these answers. The page tells them once.
_USUAL = {"413", "415", "422", "500", "503", "504"}
_HEAD = """\
# Calls and answers

`python3 run.py api` writes this page from the document that `GET /openapi.json` answers.
"""


def page(document: Schema) -> str:
    """Return the page: what holds for every call, then each resource, then the types."""
    parts = [_HEAD, document["info"]["description"]]
    for tag in document["tags"]:
        parts.append(f"## /{tag['name']}\n\n{_wrapped(tag['description'])}\n")
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if operation["tags"] == [tag["name"]]:
                    title = f"### {method.upper()} {path}"
                    parts.append("\n".join([title, "", *_operation(operation, document)]))
    parts.append("## Types\n")
    for name, schema in document["components"]["schemas"].items():
        parts.append("\n".join([f"### {name}", "", *_type(schema)]))
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _operation(operation: Schema, document: Schema) -> Iterator[str]:
    withdrawn = "**Deprecated.** " if operation.get("deprecated") else ""
    yield _wrapped(f"{withdrawn}{operation['summary']}")
    yield ""
    if text := operation.get("description"):
        yield f"{_wrapped(text)}\n"
    token = "Needs a token" if "security" in operation else "Needs no token"
    yield f"{token}; {operation['x-effect'].replace('_', ' ')}."
    yield ""
    yield from _sent(operation)
    yield from _answers(operation, document["components"]["responses"])


def _sent(operation: Schema) -> Iterator[str]:
    """Yield the parameters and the fields of the body."""
    named = [each for each in operation["parameters"] if "name" in each]
    rows = [(each["name"], each["schema"], each["required"]) for each in named]
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        required = schema.get("required", ())
        rows += [(n, part, n in required) for n, part in schema.get("properties", {}).items()]
        if "properties" not in schema:
            yield f"The body is: {type_text(schema)}.\n"
    yield from _table("field", rows)


def _answers(operation: Schema, shared: Mapping[str, Schema]) -> Iterator[str]:
    for status, response in operation["responses"].items():
        if "$ref" in response:
            response = shared[response["$ref"].rpartition("/")[2]]
        content = next(iter(response.get("content", {}).values()), None)
        if status < "300":
            yield f"- {status}: {_data_text(content['schema']) if content else 'no body'}"
        elif status not in _USUAL or _reasons(content):
            codes = re.findall(r"`(\w+)`:", response["description"])
            reasons = ", ".join(f"`{reason}`" for reason in _reasons(content))
            text = " or ".join(f"`{code}`" for code in codes) or response["description"].rstrip(".")
            line = f"- {status}: {text}{' with ' if reasons else ''}{reasons}"
            yield textwrap.fill(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _reasons(content: Schema | None) -> list[str]:
    if content is None or "$ref" in content["schema"]:
        return []
    about = content["schema"]["properties"]["error"]["properties"]
    reasons: list[str] = about["details"]["items"]["properties"]["reason"].get(OPEN_ENUM, [])
    return reasons


def _data_text(schema: Schema) -> str:
    """Return the type of what is answered, in the envelope or without."""
    properties = schema.get("properties", {})
    return type_text(properties["data"] if properties.keys() == {"status", "data"} else schema)


def _type(schema: Schema) -> Iterator[str]:
    if text := schema.get("description"):
        yield f"{_wrapped(text)}\n"
    required = schema.get("required", ())
    properties = schema.get("properties", {})
    yield from _table("field", [(n, part, n in required) for n, part in properties.items()])


def _table(head: str, rows: list[tuple[str, Schema, bool]]) -> Iterator[str]:
    if rows:
        yield f"| {head} | type | |\n|---|---|---|"
        for name, schema, required in rows:
            default = json.dumps(schema["default"]) if "default" in schema else ""
            optional = f"optional, {default}" if default not in ("", "null") else "optional"
            about = "; ".join([*([] if required else [optional]), schema.get("description", "")])
            yield f"| `{name}` | {type_text(schema)} | {about.strip('; ')} |"
        yield ""


def type_text(schema: Schema) -> str:
    """Return the type and its limits as a few words."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REFERENCE)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(type_text(kind) for kind in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " or ".join(f"`{json.dumps(value)}`" for value in values)
    kind = schema.get("type", "any value")
    if kind == "array":
        return f"list of {type_text(schema['items'])}{_limits(schema, 'Items', '')}"
    if kind == "object" and (values := _values(schema)) is not None:
        return f"object of {type_text(values)}"
    unit = " characters" if kind == "string" else ""
    sizes = _limits(schema, "Length", unit) + _limits(schema, "imum", "")
    return f"{schema.get('format', kind)}{sizes}"


def _values(schema: Schema) -> Schema | None:
    """Return the schema of the values of an object with keys of any name."""
    patterns = list(schema.get("patternProperties", {}).values())
    values = patterns[0] if patterns else schema.get("additionalProperties")
    return values if isinstance(values, dict) and "properties" not in schema else None


def _limits(schema: Schema, kind: str, unit: str) -> str:
    low, high = schema.get(f"min{kind}"), schema.get(f"max{kind}")
    low, high = (None if n is not None and abs(n) >= 2**63 - 1 else n for n in (low, high))
    if low is None and high is None:
        return ""
    if high is None:
        return f", from {low}{unit}"
    return f", up to {high}{unit}" if low is None else f", {low} to {high}{unit}"


def _wrapped(text: str) -> str:
    """Return paragraphs in lines of `WIDTH`."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return "\n\n".join(textwrap.fill(p, WIDTH, break_on_hyphens=False) for p in paragraphs)
