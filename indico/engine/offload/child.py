"""What a process of the pool does: read a request, run the function, write what came out."""

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

# A tenth of the weight of others: the event loop gets a core when it wants one, and on a busy
# machine the calls still get on.
NICENESS = 10


def serve() -> None:
    """Until nobody can send a request any more."""
    requests, answers = _pipes()
    # systemd sends it to all of a service; the server says when a process is to end.
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
    """The pickled result; or the pickled exception and its traceback."""
    try:
        name, args, kwargs = pickle.loads(request)
        importlib.import_module(name[0])
        return pickle.dumps(functions[name](*args, **kwargs)), ""
    except Exception as error:
        return _pickled(error), traceback.format_exc()


def _pickled(error: Exception) -> bytes:
    """`error`; or a `ServerError` in its place, if it is one that can't be read back."""
    try:
        pickled = pickle.dumps(error)
        pickle.loads(pickled)
    except Exception:
        return pickle.dumps(ServerError(f"{type(error).__name__}: {error}"))
    return pickled


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for us alone; a function reads nothing, and prints to the log."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, answers


@contextlib.contextmanager
def _ends_with_the_server(requests: BinaryIO) -> Iterator[None]:
    """Meanwhile the kernel ends this process once the server is gone, whatever it is doing.

    It sends SIGIO when the other end of the pipe is closed; nobody writes to it meanwhile. A
    thread that looks would need the interpreter lock, which a regular expression can hold.
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
