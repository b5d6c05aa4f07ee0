"""What a check finds, and how one is run: bounded in time, and never in the way of the others."""

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
    """`state` is ok, warning or fault; a fault must be mended. `seen` and `mend` are sentences."""

    name: str
    state: str
    seen: str
    mend: str = ""


Check = Callable[..., Iterable[Finding]]


def ok(seen: str) -> Finding:
    return Finding("", OK, seen)


def warning(seen: str, mend: str) -> Finding:
    return Finding("", WARNING, seen, mend)


def fault(seen: str, mend: str) -> Finding:
    return Finding("", FAULT, seen, mend)


def told(error: Exception, mend: str) -> Finding:
    """A fault from a message whose further sentences, if it has any, say what to do."""
    seen, stop, rest = str(error).partition(". ")
    return fault(seen + stop.strip(), rest or mend)


def examine(check: Check, *arguments: Any, seconds: float = CHECK_SECONDS) -> list[Finding]:
    """What `check`, a generator named by its subject, finds; its crash is a fault of its own."""
    answers: queue.Queue[list[Finding]] = queue.Queue()
    # One that hangs, in a name server or a dead network drive, is left behind.
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
    except Exception as error:  # its text may hold a password
        return [fault(f"The check itself failed ({type(error).__name__}).", "Tell its authors.")]
