"""The comparison of answers: only servers with the same answers are measured beside each other."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bench.data import ECHO, TEXT, TITLE, Data

Answers = dict[str, tuple[int, Any]]
UNKNOWN_ID = "f" * 24
_ID = re.compile("[0-9a-f]{24}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)")
WRONG_NOTES: tuple[dict[str, Any], ...] = (
    {"title": 5, "text": TEXT},
    {"title": "", "text": TEXT},
    {"title": "x" * 201, "text": TEXT},
    {"title": TITLE},
    {"title": TITLE, "text": None},
)


def answers(port: int, data: Data) -> Answers:
    """Return the server's answer to each question: the status, and the JSON of a success.

    The id and the time of a new note differ from run to run, so their kind stands in their place.
    """
    found: Answers = {}
    for question, path, body, token in _questions(data):
        status, answer = _post(port, path, body, token)
        found[question] = status, _comparable(answer, question == "insert")
    return {**found, **_insert_and_read(port, data)}


def _insert_and_read(port: int, data: Data) -> Answers:
    _, inserted = _post(port, "/note/create", {"title": TITLE, "text": TEXT}, data.tokens[0])
    note = inserted["data"]
    status, read = _post(port, "/note/get", {"id": note["id"]}, data.tokens[1])
    return {"read after the insert": (status, read["data"] == note)}


def difference(ours: Answers, theirs: Answers) -> str:
    """Return the first question with different answers; an empty text without any."""
    for question, answer in ours.items():
        if theirs[question] != answer:
            return f"{question}: we answer {answer}, it {theirs[question]}"
    return ""


def _questions(data: Data) -> Iterator[tuple[str, str, Any, str]]:
    token, note_id = data.tokens[0], str(data.note_ids[0])
    yield "echo", "/system/echo", ECHO, ""
    yield "read", "/note/get", {"id": note_id}, token
    yield "insert", "/note/create", {"title": TITLE, "text": TEXT}, token
    yield "update", "/note/update", {"id": note_id, "title": "Buy bread"}, token
    yield "read after the update", "/note/get", {"id": note_id}, token
    for kind, wrong in (("no", ""), ("unknown", "x" * 43), ("expired", data.expired)):
        yield f"read, {kind} token", "/note/get", {"id": note_id}, wrong
        yield f"insert, {kind} token", "/note/create", {"title": TITLE, "text": TEXT}, wrong
        yield f"update, {kind} token", "/note/update", {"id": note_id, "title": TITLE}, wrong
    yield "read, unknown id", "/note/get", {"id": UNKNOWN_ID}, token
    yield "update, unknown id", "/note/update", {"id": UNKNOWN_ID, "title": TITLE}, token
    for wrong_id in (5, "5"):
        yield f"read, id {wrong_id!r}", "/note/get", {"id": wrong_id}, token
        yield f"update, id {wrong_id!r}", "/note/update", {"id": wrong_id, "title": TITLE}, token
    for number, note in enumerate(WRONG_NOTES):
        yield f"insert, wrong note {number}", "/note/create", note, token
    for title in (5, "", "x" * 201):
        yield f"update, title {title!r:.9}", "/note/update", {"id": note_id, "title": title}, token
    yield "echo, no JSON", "/system/echo", b"{", ""


def _post(port: int, path: str, body: Any, token: str) -> tuple[int, Any]:
    """Return the status, and the JSON of a success. Each framework words errors differently."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        body if isinstance(body, bytes) else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, None


def _comparable(value: Any, new: bool) -> Any:
    if isinstance(value, dict):
        return {key: _comparable(part, new) for key, part in value.items()}
    if isinstance(value, str) and _TIME.fullmatch(value):
        return "a time" if new else datetime.fromisoformat(value).astimezone(UTC).isoformat()
    return "an id" if new and isinstance(value, str) and _ID.fullmatch(value) else value
