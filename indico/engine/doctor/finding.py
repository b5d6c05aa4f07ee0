"""The finding of a check, and `examine`, which runs a check with a time limit."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Callable, Iterable
from typing import Any

CHECK_SECONDS = 10

OK, WARNING, FAULT = "ok", "warning", "fault"


@dataclasses.dataclass(frozen=True)
class Finding:
    """A fact about this machine.

    `state` is ok, warning or fault. `seen` and `fix` are sentences; an ok finding has no fix.
    """

    name: str
    state: str
    seen: str
    fix: str = ""


Check = Callable[..., Iterable[Finding]]


def ok(seen: str) -> Finding:
    return Finding("", OK, seen)


def warning(seen: str, fix: str) -> Finding:
    return Finding("", WARNING, seen, fix)


def fault(seen: str, fix: str) -> Finding:
    return Finding("", FAULT, seen, fix)


def fault_of(error: Exception, fix: str) -> Finding:
    """Return a fault whose `seen` is the first sentence of `error`.

    The further sentences of `error` are the fix. Without any, `fix` is.
    """
    seen, stop, rest = str(error).partition(". ")
    return fault(seen + stop.strip(), rest or fix)


def examine(check: Check, *arguments: Any, seconds: float = CHECK_SECONDS) -> list[Finding]:
    """Run `check`, a generator function, and return its findings, named after the function.

    A check that raises, or takes longer than `seconds`, is a fault.
    """
    answers: queue.Queue[list[Finding]] = queue.Queue()
    # A daemon thread, because a check can hang for good in a name server or a dead network drive.
    threading.Thread(target=lambda: answers.put(_findings(check, arguments)), daemon=True).start()
    try:
        found = answers.get(timeout=seconds)
    except queue.Empty:
        found = [fault(f"No answer within {seconds:g} s.", "See what this machine waits for.")]
    name = check.__name__.replace("_", " ")
    return [dataclasses.replace(finding, name=finding.name or name) for finding in found]


def _findings(check: Check, arguments: tuple[Any, ...]) -> list[Finding]:
    try:
        return list(check(*arguments))
    except Exception as error:  # only its type is shown, because its text may hold a password
        return [fault(f"The check itself failed ({type(error).__name__}).", "Tell its authors.")]
