"""The program of a pool's process: read a request, run the function, write the outcome."""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import BinaryIO

from ..error import ServerError
from . import functions

if sys.platform != "win32":  # pragma: no branch - Windows has neither
    import fcntl
    import select

# A tenth of the weight of other processes. So the event loop gets a core when it wants one, and
# on a busy machine the calls still advance.
NICENESS = 10


def serve() -> None:
    """Answer requests until the server closes the pipe."""
    requests, answers = _pipes()
    # systemd sends SIGTERM to all processes of a service, but only the server ends this one.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform != "win32":  # pragma: no branch
        os.nice(NICENESS)
    while True:
        try:
            request = pickle.load(requests)
        except (EOFError, pickle.UnpicklingError):
            return
        with _ends_with_the_server(requests):
            answer = run(request)
        pickle.dump(answer, answers)
        answers.flush()


def run(request: bytes) -> tuple[bytes, str]:
    """Return the pickled result and "", or the pickled exception and its traceback."""
    try:
        name, args, kwargs = pickle.loads(request)
        importlib.import_module(name[0])
        return pickle.dumps(functions[name](*args, **kwargs)), ""
    except Exception as error:
        return _pickled(error), traceback.format_exc()


def _pickled(error: Exception) -> bytes:
    """Return `error` pickled, or a `ServerError` in its place if it can't be unpickled."""
    try:
        pickled = pickle.dumps(error)
        pickle.loads(pickled)
    except Exception:
        return pickle.dumps(ServerError(f"{type(error).__name__}: {error}"))
    return pickled


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return standard input and output under new numbers, for requests and answers alone.

    The function then reads an empty standard input, and prints to the log.
    """
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, answers


@contextlib.contextmanager
def _ends_with_the_server(requests: BinaryIO) -> Iterator[None]:
    """Let the kernel end this process as soon as the server is gone.

    The kernel sends SIGIO when the other end of the pipe is closed. The server writes nothing to
    the pipe meanwhile. A thread that watches would need the interpreter lock, which a regular
    expression can hold.
    """
    if sys.platform == "win32":  # pragma: no cover
        yield
        return
    flags = fcntl.fcntl(requests, fcntl.F_GETFL)
    fcntl.fcntl(requests, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(requests, fcntl.F_SETFL, flags | os.O_ASYNC)
    poll = select.poll()
    poll.register(requests, 0)
    if poll.poll(0):
        sys.exit()
    yield
    fcntl.fcntl(requests, fcntl.F_SETFL, flags)


if __name__ == "__main__":
    serve()
