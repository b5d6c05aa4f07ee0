"""The carriers of calls: a test makes the same call over each, and compares the envelopes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from tornado.websocket import websocket_connect

from ..http.inner_call import Envelope
from .http.http_servers import until
from .server_test import ServerTest
from .tcp.line_client import LineClient, close, serve_lines

# What differs from one call to the next.
_VARYING = {
    "an id": re.compile(r"[0-9a-f]{24}"),
    "a version, or the id of a request": re.compile(r"[0-9a-f]{16}(\.\d+)?"),
    "a time": re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"),
    "a token, or a cursor": re.compile(r"[\w.=-]{43,}"),
}


class Call(NamedTuple):
    """A call, and what are headers over HTTP."""

    action: str
    body: Any = None
    token: str | None = None
    idempotency_key: str | None = None
    timeout_ms: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        named = {"Idempotency-Key": self.idempotency_key, "Connect-Timeout-Ms": self.timeout_ms}
        return {name: str(value) for name, value in named.items() if value is not None}

    @property
    def message(self) -> dict[str, Any]:
        """The call over TCP and a WebSocket."""
        return {name: value for name, value in self._asdict().items() if value is not None}


def over_http(test: ServerTest, call: Call) -> Envelope:
    response = test.post(f"/{call.action}", call.body, call.token, **call.headers)
    envelope: Envelope = json.loads(response.body)
    return envelope


def over_batch(test: ServerTest, call: Call) -> Envelope:
    """Make the one call of a batch; an error of the batch itself is its answer."""
    calls = [{"action": call.action, "body": call.body or {}}]
    response = test.post("/batch", {"calls": calls}, call.token, **call.headers)
    envelope: Envelope = json.loads(response.body)
    if response.code != 200:
        return envelope
    (answer,) = test.data(response)["answers"]
    return dict(answer)


def over_tcp(test: ServerTest, call: Call) -> Envelope:
    return test.run_async(_ask_over_tcp(test, call))


async def _ask_over_tcp(test: ServerTest, call: Call) -> Envelope:
    server, port = serve_lines(test._app, test.config)
    client = await LineClient.connect(port)
    try:
        client.send(call.message)
        answer: Envelope = await client.answer()
    finally:
        client.close()
        close(server)
    return answer


def over_live(test: ServerTest, call: Call) -> Envelope:
    return test.run_async(_ask_over_live(test, call))


async def _ask_over_live(test: ServerTest, call: Call) -> Envelope:
    client = await websocket_connect(f"ws://127.0.0.1:{test.get_http_port()}/live")
    try:
        await client.write_message(json.dumps(call.message))
        answer: Envelope = json.loads(await client.read_message() or "{}")
    finally:
        client.close()
        await until(lambda: not test._app.unending)
    return answer


Carrier = Callable[[ServerTest, Call], Envelope]
CARRIERS: list[Carrier] = [over_http, over_batch, over_tcp, over_live]


def over_each(test: ServerTest, call: Call) -> Envelope:
    """Make a call over each carrier, and return its envelope, which must be the same."""
    first, *others = (carrier(test, call) for carrier in CARRIERS)
    for carrier, envelope in zip(CARRIERS[1:], others, strict=True):
        where = f"{call.action} {carrier.__name__}"
        test.assertEqual(comparable(envelope), comparable(first), where)
    return first


def comparable(envelope: Envelope) -> Any:
    """Return the envelope without what differs from call to call, and from carrier to carrier."""
    parts = {name: envelope[name] for name in ("status", "data", "error") if name in envelope}
    return _without_varying(parts)


def _without_varying(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_varying(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_varying(part) for part in value]
    if isinstance(value, str):
        return next((name for name, form in _VARYING.items() if form.fullmatch(value)), value)
    return value
