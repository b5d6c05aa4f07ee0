"""The commands that wait for a lane."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from .command import Command
from .waiting import FEW

__all__ = ["CommandQueue"]


class CommandQueue:
    """Commands in the order of their sending; their callers may have left."""

    def __init__(self) -> None:
        self._commands: deque[Command[Any]] = deque()

    def __len__(self) -> int:
        return len(self._commands)

    def __iter__(self) -> Iterator[Command[Any]]:
        return iter(self._commands)

    def append(self, command: Command[Any], now: float) -> None:
        command.since = now
        self._commands.append(command)

    def first(self) -> Command[Any] | None:
        """Return the first command that its caller still waits for."""
        while self._commands and self._commands[0].future.done():
            self._commands.popleft()
        return self._commands[0] if self._commands else None

    def pop(self) -> None:
        self._commands.popleft()

    def delay(self, now: float) -> float:
        """Return how long the first command has waited, or 0 while `FEW` wait."""
        return now - self._commands[0].since if len(self._commands) > FEW else 0.0

    def fail(self, error: Exception) -> None:
        """Fail all commands."""
        while self._commands:
            self._commands.popleft().fail(error)

    def expire(self, now: float, error: Exception) -> None:
        """Fail the commands whose deadline has passed, and drop those without a caller."""
        for command in self._commands:
            if command.deadline <= now:
                command.fail(error)
        self._commands = deque(each for each in self._commands if not each.future.done())
