"""The PID file: its server holds a lock on it.

A server locks its file for as long as it runs. A file without a lock was left by a crash, and its
number may belong to another program by now. So that program is never signalled. The file's
modification time moves on when the server has new workers, and back when a reload fails.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import psutil

from ..error import StartError
from ..settings import ServerSettings

_LOOK_SECONDS = 0.3  # `running` holds the lock for a moment


def path_of(settings: ServerSettings, port: int) -> Path | None:
    """Return the path that the setting `pid_file` names for a server on `port`."""
    if settings.pid_file is None:
        return None
    return Path(str(settings.pid_file).replace("%(port)s", str(port))).absolute()


class PIDFile:
    """A file that this process locks, writes and removes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1

    def lock(self) -> bool:
        """Return False if a server holds the lock.

        Raises `StartError` if the file can't be written.
        """
        deadline = time.monotonic() + _LOOK_SECONDS
        while not self._try():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def fileno(self) -> int:
        return self._file

    def write(self) -> None:
        """Write the id of this process. A fork to the background comes before, and keeps the lock.

        Raises `StartError`.
        """
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise self._unusable(error) from None

    def record_reload(self, done: bool) -> None:
        """Move the modification time on if the reload is done, and back if it failed."""
        with suppress(OSError):  # the server goes on when its disk fails
            before = os.fstat(self._file).st_mtime
            os.utime(self._file, None if done else (before - 1, before - 1))

    def remove(self) -> None:
        """Remove the file, unless another server's file has its name by now."""
        with suppress(OSError):
            if self._is_at_path():
                self.path.unlink()
        os.close(self._file)

    def _try(self) -> bool:
        if self.path.exists() and not self.path.is_file():
            raise self._unusable("it is no file")
        try:
            # Another user may have made a link here, to have the server overwrite a file. And a
            # file that others can open, they can lock, so that no server starts.
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            os.fchmod(self._file, 0o600)
        except OSError as error:
            why = "it is a symbolic link" if error.errno == errno.ELOOP else error
            raise self._unusable(why) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder of the lock may have removed the file after it was opened here.
            if self._is_at_path():
                return True
        except OSError:  # it is locked, or gone
            pass
        os.close(self._file)
        return False

    def _is_at_path(self) -> bool:
        return os.path.samestat(os.fstat(self._file), self.path.stat())

    def _unusable(self, why: OSError | str) -> StartError:
        reason = why.strerror if isinstance(why, OSError) else why
        return StartError(f"pid_file: {self.path} can't be written: {reason}.")


def running(path: Path) -> psutil.Process | None:
    """Return the server that holds the lock of `path`.

    Raises `StartError` if the file belongs to another user.
    """
    if not path.is_file():  # opening a FIFO would block
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
    """Return whether `process` holds the file; its number may stand there by mistake."""
    try:
        return str(path.resolve()) in {file.path for file in process.open_files()}
    except psutil.AccessDenied:
        return True
