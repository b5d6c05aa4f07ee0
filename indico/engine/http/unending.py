"""`Unending`: answers that end only when their client leaves, or the server stops."""

from __future__ import annotations

from typing import Protocol

from ..error import Overloaded, Unavailable


class UnendingAnswer(Protocol):
    """A WebSocket, or a stream of events."""

    def leave_soon(self) -> None:
        """End, once what has begun is complete."""


class Unending:
    """The answers of a process that don't end by themselves, `limit` at most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._answers: set[UnendingAnswer] = set()
        self._leaving = False

    def __len__(self) -> int:
        return len(self._answers)

    def refuse_too_many(self) -> None:
        """Raise `Unavailable` while the server stops, and `Overloaded` beyond the limit."""
        if self._leaving:
            raise Unavailable("The server is stopping: connect again.")
        if len(self) >= self._limit:
            raise Overloaded

    def add(self, answer: UnendingAnswer) -> None:
        self._answers.add(answer)

    def discard(self, answer: UnendingAnswer) -> None:
        self._answers.discard(answer)

    def leave(self) -> None:
        """End all answers, because the server stops."""
        self._leaving = True
        for answer in [*self._answers]:
            answer.leave_soon()
