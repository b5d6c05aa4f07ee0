"""The reasons for which a validator refuses a document: its fields, but never its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["REFUSED", "refusal"]

REFUSED = 121  # MongoDB's code


def refusal(details: Mapping[str, Any]) -> str:
    """Return the sentence for the log; `details` are those of MongoDB's error."""
    found = details.get("errInfo", {}).get("details", {})
    where = f" of {found['title']}" if "title" in found else ""
    problems = list(_problems(found, ""))
    return f"MongoDB refused a document{where}: {'; '.join(problems) or 'it gives no reason'}."


def _problems(rule: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield what is wrong at `path`: a rule either has others inside, or says what it wants."""
    inner = [*rule.get("schemaRulesNotSatisfied", ()), *rule.get("details", ())]
    for name in rule.get("missingProperties", ()):
        yield f"{_join(path, name)} is missing"
    for field in rule.get("propertiesNotSatisfied", ()):
        for each in field["details"]:
            yield from _problems(each, _join(path, field["propertyName"]))
    index = rule.get("itemIndex")
    for each in inner:
        yield from _problems(each, path if index is None else _join(path, index))
    if not inner and not {"missingProperties", "propertiesNotSatisfied"} & rule.keys():
        path = path or "the document"
        if "consideredType" in rule and rule.get("operatorName") == "bsonType":
            yield f"{path} is {rule['consideredType']}, not {_kinds(rule)}"
        elif rule:
            yield f"{path} breaks {rule.get('operatorName', 'the validator')}"


def _kinds(rule: Mapping[str, Any]) -> str:
    kinds = rule["specifiedAs"]["bsonType"]
    return " or ".join([kinds] if isinstance(kinds, str) else kinds)


def _join(path: str, name: Any) -> str:
    return f"{path}.{name}" if path else str(name)
