"""Plays exchanges against a port, and records what a client can see of each."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .exchange import Exchange, named

_AT_ONCE = 40
_PAUSE_SECONDS = 0.002
_PAUSE_TURNS = 30
_QUIET_SECONDS = 0.01
_PROBE_ID = "is-it-open"
_PROBE = named(_PROBE_ID.encode())
_USUAL = {"cache-control", "content-length", "content-type", "date", "x-content-type-options"}


@dataclass(frozen=True)
class Answer:
    """Answer without the parts that differ each time: the date, and an id that the server made."""

    status_line: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def status(self) -> int:
        return int(self.status_line.split()[1])

    @property
    def request_id(self) -> str:
        return dict(self.headers).get("x-request-id", "")

    def __str__(self) -> str:
        unusual = [f"{name}: {value}" for name, value in self.headers if name not in _USUAL]
        unusual = [field for field in unusual if field != "x-request-id: made"]
        return " | ".join([self.status_line, *unusual, self.body[:100]])


@dataclass(frozen=True)
class Outcome:
    """All answers, and how it ended.

    - `open`: one more request was answered, on the same connection; its answer is left out
      unless the server took it for something else
    - `waiting`: one more request was not answered, and the server did not close
    - `closed`: by the server, after the client had half-closed if the exchange says so; whether
      by FIN or RST depends on what the kernel had buffered, and is not recorded
    - `left`: the client closed, so that nobody saw an answer
    """

    answers: tuple[Answer, ...]
    ending: str

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers]

    def __str__(self) -> str:
        return "\n    ".join([*map(str, self.answers), self.ending])


async def play_all(port: int, exchanges: Mapping[str, Exchange]) -> dict[str, Outcome]:
    """Play the exchanges, many at once, and return their outcomes."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(exchange: Exchange) -> Outcome:
        async with free:
            return await asyncio.wait_for(play(port, exchange), 60)

    outcomes = await asyncio.gather(*map(one, exchanges.values()))
    return dict(zip(exchanges, outcomes, strict=True))


async def play(port: int, exchange: Exchange) -> Outcome:
    """Play `exchange` on a connection of its own, and return the outcome."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = bytearray()
        ended = asyncio.create_task(_receive(client, received))
        try:
            await _send(client, *exchange.parts)
            if exchange.then == "close":
                return Outcome((), "left")
            await _quiet(received, ended, 3, lambda: False)
            closed = exchange.then == "keep" and await _probe(client, received, ended)
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)
            await asyncio.wait([ended], timeout=10)
        finally:
            ended.cancel()
    closed = closed or (exchange.then == "half-close" and ended.done())
    return _outcome(bytes(received), b"".join(exchange.parts), closed)


async def _receive(client: socket.socket, received: bytearray) -> None:
    """Receive until the server has closed."""
    with contextlib.suppress(ConnectionError):
        while data := await asyncio.get_running_loop().sock_recv(client, 1 << 16):
            received += data


async def _send(client: socket.socket, *parts: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        for part in parts:
            await asyncio.get_running_loop().sock_sendall(client, part)
            await _pause()


async def _pause() -> None:
    """Long enough for the server to do all it can do with what was sent.

    Turns of the event loop, which it shares with us, and not seconds alone: Tornado's 400 is lost
    when another part arrives between the reading of what is wrong and the closing.
    """
    await asyncio.sleep(_PAUSE_SECONDS)
    for _ in range(_PAUSE_TURNS):
        await asyncio.sleep(0)


async def _probe(client: socket.socket, received: bytearray, ended: asyncio.Task[None]) -> bool:
    """Send one more request; return whether the server closed.

    What is recorded does not depend on when it is sent: a server answers in order.
    """
    await _send(client, _PROBE)
    await _quiet(received, ended, 20, lambda: _PROBE_ID.encode() in received)
    return ended.done()


async def _quiet(
    received: bytearray, ended: asyncio.Task[None], rounds: int, stop: Callable[[], bool]
) -> None:
    """Wait until nothing has come for so many rounds of the event loop, or `stop` holds.

    Rounds, not seconds alone: on a busy machine the server gets as many turns as we do.
    """
    quiet = 0
    while quiet < rounds and not ended.done() and not stop():
        size = len(received)
        await asyncio.wait([ended], timeout=_QUIET_SECONDS)
        quiet = quiet + 1 if len(received) == size else 0


def _outcome(received: bytes, sent: bytes, closed: bool) -> Outcome:
    answers = []
    while received:
        answer, received = _answer(received, sent + _PROBE)
        answers.append(answer)
    if answers and answers[-1].request_id == _PROBE_ID:
        as_it_was_sent = answers[-1].status == 200
        return Outcome(tuple(answers[:-1] if as_it_was_sent else answers), "open")
    return Outcome(tuple(answers), "closed" if closed else "waiting")


def _answer(received: bytes, sent: bytes) -> tuple[Answer, bytes]:
    """Return the first answer, and the bytes after it."""
    head, _, rest = received.decode("latin1").partition("\r\n\r\n")
    status_line, *lines = head.split("\r\n")
    headers = [(name.lower(), value) for name, _, value in (x.partition(": ") for x in lines)]
    length = _body_length(status_line, dict(headers), rest)
    body, rest = rest[:length], rest[length:]
    if (made := dict(headers).get("x-request-id", "")).encode("latin1") not in sent:
        body = body.replace(made, "made")
    constant = {"date": "then", "x-request-id": "made" if made.encode() not in sent else made}
    headers = [(name, constant.get(name, value)) for name, value in headers]
    return Answer(status_line, tuple(sorted(headers)), body), rest.encode("latin1")


def _body_length(status_line: str, headers: dict[str, str], rest: str) -> int:
    """Return the length of the body; an answer to HEAD has none, and is recognized by `rest`."""
    if status_line.startswith("HTTP/1.1 1") or rest.startswith("HTTP/1."):
        return 0
    return int(headers.get("content-length", len(rest)))
