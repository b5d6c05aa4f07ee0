"""The PID file: held by the server that runs, and the way to it for `--stop` and the like.

A server locks its file for as long as it runs, so a file without a lock was left by a crash, and
what its number belongs to now is nobody's business: it is never signalled. The file's time
moves on when the server has new workers, and back when it could not get them.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import psutil

from ..error import StartError

_LOOK_SECONDS = 0.3  # who only looks whether it is locked holds it for a moment


class PIDFile:
    """`path`, locked by us."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1

    def lock(self) -> bool:
        """False if a server holds it. Raises `StartError` if it can't be written."""
        deadline = time.monotonic() + _LOOK_SECONDS
        while not self._try():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def fileno(self) -> int:
        return self._file

    def write(self) -> None:
        """Our process id: after the fork to the background, which keeps the lock."""
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise self._unusable(error) from None

    def reloaded(self, done: bool) -> None:
        with suppress(OSError):  # a disk that went bad is no reason to end
            before = os.fstat(self._file).st_mtime
            os.utime(self._file, None if done else (before - 1, before - 1))

    def remove(self) -> None:
        """Unless it was removed before, and is another server's now."""
        with suppress(OSError):
            if self._is_ours():
                self.path.unlink()
        os.close(self._file)

    def _try(self) -> bool:
        if self.path.exists() and not self.path.is_file():
            raise self._unusable("it is no file")
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._unusable(error) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have removed it since we opened it.
            if self._is_ours():
                return True
        except OSError:  # it is locked, or gone
            pass
        os.close(self._file)
        return False

    def _is_ours(self) -> bool:
        return os.path.samestat(os.fstat(self._file), self.path.stat())

    def _unusable(self, why: OSError | str) -> StartError:
        reason = why.strerror if isinstance(why, OSError) else why
        return StartError(f"pid_file: {self.path} can't be written: {reason}.")


def running(path: Path) -> psutil.Process | None:
    """The server that holds the lock of `path`. Raises `StartError` if we may not look."""
    if not path.is_file():  # a FIFO would keep us waiting
        return None
    with suppress(OSError, ValueError, psutil.NoSuchProcess), _open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            process = psutil.Process(int(file.read()))
            if _has_open(process, path):
                return process
    return None


def _open(path: Path) -> TextIO:
    try:
        return path.open()
    except PermissionError:
        raise StartError(
            f"pid_file: {path} can't be read: ask as the user whose server it is."
        ) from None


def _has_open(process: psutil.Process, path: Path) -> bool:
    """Whether it is the holder, rather than one whose number stands there by mistake."""
    try:
        return str(path.resolve()) in {file.path for file in process.open_files()}
    except psutil.AccessDenied:
        return True
