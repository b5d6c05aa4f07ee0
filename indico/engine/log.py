"""The log: one line for each request, as text for a person or as JSON for a program."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Literal, TextIO

LOGGER = logging.getLogger(__name__.rpartition(".engine.")[0])
# The ids of the request that the current task works on: `request_id`, and maybe `trace_id`.
REQUEST: ContextVar[dict[str, str] | None] = ContextVar("request", default=None)


def configure(
    log_format: Literal["text", "json"], level: str = "info", service: str = "server"
) -> None:
    """Send every logger of the process to standard error. Each line of JSON names `service`."""
    # These facts are in neither format, and finding them costs time for each line: see
    # "Optimization" in Python's logging HOWTO.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = _Handler()
    handler.setFormatter(JSONFormatter(service) if log_format == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    LOGGER.setLevel(level.upper())


Line = tuple[str, dict[str, Any]]  # a message and its fields

_RECORD = vars(
    logging.makeLogRecord({"name": LOGGER.name, "levelno": logging.INFO, "levelname": "INFO"})
)


class _Lines(logging.LogRecord):
    """A record of `LOGGER` for some lines, which copies the fields that all records share.

    Other handlers than `_Handler` take it for one message, with the fields of its first line.
    """

    def __init__(self, lines: Sequence[Line]) -> None:
        now = time.time()
        self.__dict__.update(_RECORD, created=now, msecs=now % 1 * 1000)
        self.lines = lines
        self.msg = "\n".join([message for message, _ in lines])
        self.fields = lines[0][1]


_calls: deque[tuple[Line, ...]] = deque()  # of `info`, in this turn of the event loop
_loop: asyncio.AbstractEventLoop | None = None  # the loop that logs them


def info(*lines: Line) -> None:
    """Log lines of requests, whose fields have all ids, in one record after this turn of the loop.

    All calls of a turn share a record and a write, because each costs as much as making a line. A
    handler that is no `_Handler` gets a record for each call.
    """
    global _loop
    if LOGGER.isEnabledFor(logging.INFO):
        loop = asyncio.get_running_loop()
        if not _calls or loop is not _loop:  # another one may be closed by now
            _loop = loop
            loop.call_soon(_log_calls)
        _calls.append(lines)


def _log_calls() -> None:
    calls = []
    with suppress(IndexError):  # another thread took the last call
        while _calls:
            calls.append(_calls.popleft())
    if all(isinstance(handler, _Handler) for handler in _handlers()):
        calls = [tuple(chain(*calls))] if calls else []
    for lines in calls:
        LOGGER.handle(_Lines(lines))


def _handlers() -> Iterator[logging.Handler]:
    """Yield the handlers of `LOGGER` and its parents."""
    logger: logging.Logger | None = LOGGER
    while logger:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


class _Handler(logging.StreamHandler[TextIO]):
    """A handler that writes the lines of `info` together, and before what was logged after them."""

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record, _Lines):
            with suppress(OSError):
                self.stream.write(self.format(record) + "\n")
                self.flush()
        else:
            _log_calls()
            super().emit(record)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


class TextFormatter(logging.Formatter):
    """A line `time LEVEL message id=... trace=...`, then the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        begin = f"{_time(record)} {record.levelname} "
        if isinstance(record, _Lines):
            return "\n".join([begin + _printable(message) for message, _ in record.lines])
        line = begin + _printable(record.getMessage())
        if request := REQUEST.get():
            if "request_id" not in getattr(record, "fields", ()):  # else the message has the id
                line += f" id={request['request_id']}"
            if "trace_id" in request:
                line += f" trace={request['trace_id']}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JSONFormatter(logging.Formatter):
    """One JSON object for each line. `extra={"fields": {...}}` adds fields to the object."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        begin = {
            "time": _time(record),
            "service": self._service,
            "level": record.levelname,
            "logger": record.name,
        }
        if isinstance(record, _Lines):
            lines = [{**begin, "message": message, **fields} for message, fields in record.lines]
            return "\n".join(map(json.dumps, lines))
        fields = getattr(record, "fields", {})
        line = {**begin, "message": record.getMessage(), **(REQUEST.get() or {}), **fields}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _time(record: logging.LogRecord) -> str:
    return f"{_second(int(record.created))}.{int(record.msecs):03}Z"


@functools.lru_cache(maxsize=1)
def _second(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _printable(text: str) -> str:
    """Escape the characters that could forge a line or control a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
