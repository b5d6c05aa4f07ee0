"""A real MongoDB as a child process, so that a fresh machine needs no set-up.

The child is a replica set of one on a free loopback port, so that transactions and change
streams work. Its data is in a folder, and servers with the same folder share one `mongod`.
The lock that `mongod` has on its folder keeps a second one out. A file beside the data tells the
port. The last server that stops also stops `mongod`. A server that is killed leaves its `mongod`
running, and the next server uses that one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import psutil
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, PyMongoError

from ..error import StartError
from . import mongod_commands as commands
from .mongod_binary import find_binary
from .mongod_commands import Client
from .mongod_process import Launcher, alive, end, free_port, listens

START_SECONDS = 30
CLIENT_SECONDS = 5


class Embedded:
    """The `mongod` of `folder`; `report` gets a line for a person when one is started."""

    options: ClassVar[tuple[str, ...]] = ()  # additional ones for `mongod`

    def __init__(self, folder: Path, binary: Path | None, report: Callable[[str], None]) -> None:
        self.folder = folder.resolve()
        self._binary = binary
        self._report = report
        self._data = self.folder / "mongodb"
        self._port_file = self.folder / "mongod.port"
        self._launcher = Launcher(self._data, self.folder / "mongod.log")
        self._port = 0
        self._process: psutil.Process | None = None

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self._port}/?directConnection=true"

    def start(self) -> None:
        """Use the folder's `mongod` if it runs, and start it otherwise.

        Raises `StartError`. After an error or an interruption no child is left behind.
        """
        binary = find_binary(self._binary)
        self._make_folder()
        deadline = time.monotonic() + START_SECONDS
        reported = False
        while time.monotonic() < deadline:
            if self._use_running():
                return
            if not reported:
                self._report(f"Starting MongoDB on {self.folder} ...")
            reported = True
            if self._spawn(binary, deadline):
                return
            time.sleep(0.1)
        raise self._launcher.failure(f"did not come up in {START_SECONDS} s")

    def running_uri(self) -> str | None:
        """Return where the folder's `mongod` answers, whichever server started it.

        Nothing is started or changed.
        """
        self._port, _ = self._recorded()
        if listens(self._port):
            with suppress(PyMongoError, KeyError), self._client() as client:
                if commands.data_folder(client) == self._data:
                    return self.uri
        return None

    def running(self) -> bool:
        return self._process is not None and alive(self._process)

    def stop(self) -> None:
        """Stop `mongod`, unless another server uses it. Harmless if it has ended already."""
        process, self._process = self._process, None
        if process is None or not alive(process):
            return
        with suppress(PyMongoError), self._client() as client:
            if commands.is_used(client):
                return
            client.admin.command("shutdown", force=True)
        end(process)

    def _make_folder(self) -> None:
        try:
            for folder in (self.folder, self._data):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise StartError(
                f"data_dir: {self.folder} can't be used ({error}). "
                "Set data_dir to a folder that can be written to."
            ) from None

    def _recorded(self) -> tuple[int, str]:
        """Return the port and the replica set's name in the port file; 0 if there is no port.

        Version 1.0 recorded no name, and its replica set had another one.
        """
        with suppress(OSError, ValueError):
            port, *name = self._port_file.read_text().split()
            return int(port), "".join(name)
        return 0, ""

    def _use_running(self) -> bool:
        """Return whether a `mongod` with this data answers on the recorded port."""
        if self.running_uri():
            with suppress(PyMongoError, psutil.NoSuchProcess), self._client() as client:
                self._make_primary(client, time.monotonic() + START_SECONDS)
                self._process = commands.process(client)
                return True
        return False

    def _spawn(self, binary: Path, deadline: float) -> bool:
        """Return False if another `mongod` has the folder or the port by now."""
        recorded, name = self._recorded()
        self._port = recorded if recorded and not listens(recorded) else free_port()
        changes = (self._port, name) != (recorded, commands.REPLICA_SET)
        if changes and (self._data / "WiredTiger").exists():
            self._change_replica_set(binary, deadline)
        replicating = ("--replSet", commands.REPLICA_SET, *self.options)
        with self._launcher.launched(binary, self._port, deadline, *replicating) as child:
            if child is None:
                return False
            self._port_file.write_text(f"{self._port}\n{commands.REPLICA_SET}\n")
            with self._client() as client:
                self._make_primary(client, deadline)
            self._process = psutil.Process(child.pid)
        return True

    def _change_replica_set(self, binary: Path, deadline: float) -> None:
        """Tell the replica set its name and port, by a `mongod` that is started without one.

        A member that is told later first looks for itself on its old port. The search takes half
        a minute if the program that listens there now is silent.
        """
        with self._launcher.launched(binary, self._port, deadline) as child:
            if child is None:
                return
            # Without the file the next start changes the replica set again, if this is cut off.
            self._port_file.unlink(missing_ok=True)
            with self._client() as client:
                commands.rename_and_move(client, self._port)
                process = commands.process(client)
                with suppress(AutoReconnect):
                    client.admin.command("shutdown", force=True)
            end(process)

    def _make_primary(self, client: Client, deadline: float) -> None:
        if not commands.make_primary(client, self._port, deadline):
            raise self._launcher.failure("did not become primary")

    def _client(self) -> Client:
        return MongoClient(self.uri, timeoutMS=int(CLIENT_SECONDS * 1000))
