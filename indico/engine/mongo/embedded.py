"""A real MongoDB as a child process, so that a fresh machine needs no set-up.

A replica set of one on a free loopback port (so that transactions and change streams work),
with its data in a folder. Servers that share the folder share the one `mongod`: mongod's own
lock on the folder sees to it that there is only one, a file beside the data says on which port,
and the last server that stops takes it down. A server that was killed leaves its `mongod`
running; the next one that starts takes it over.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, PyMongoError

from ..error import StartError
from .driver import APPLICATION_NAME
from .mongod_binary import find_binary
from .mongod_process import alive, end, free_port, listens

START_SECONDS = 30
CLIENT_SECONDS = 5
OTHERS_SECONDS = 1
MAX_LOG_BYTES = 10 << 20
_REPLICA_SET = "embedded"
_ADDRESS_IN_USE = 48  # mongod's exit codes
_FOLDER_IN_USE = 100


class Embedded:
    """The `mongod` of `folder`; `report` is told, in a line for a person, what goes on."""

    def __init__(self, folder: Path, binary: Path | None, report: Callable[[str], None]) -> None:
        self.folder = folder.resolve()
        self._binary = binary
        self._report = report
        self._data = self.folder / "mongodb"
        self._log = self.folder / "mongod.log"
        self._port_file = self.folder / "mongod.port"
        self._port = 0
        self._process: psutil.Process | None = None

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self._port}/?directConnection=true"

    def start(self) -> None:
        """Uses the folder's `mongod` if it runs, and starts it otherwise.

        Raises `StartError`; no child is left behind then, nor if it is interrupted.
        """
        binary = find_binary(self._binary)
        self._make_folder()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._use_running() or self._spawn(binary, deadline):
                return
            time.sleep(0.1)
        raise StartError(self._failure(f"did not come up in {START_SECONDS} s"))

    def running_uri(self) -> str | None:
        """Where the folder's `mongod` answers, whoever started it; changes nothing."""
        if self._listens_where_recorded():
            with suppress(PyMongoError, KeyError), self._client() as client:
                if self._serves_our_folder(client):
                    return self.uri
        return None

    def running(self) -> bool:
        return self._process is not None and alive(self._process)

    def stop(self) -> None:
        """Takes `mongod` down, unless another server still uses it. Harmless if it is gone."""
        process, self._process = self._process, None
        if process is None or not alive(process):
            return
        with suppress(PyMongoError), self._client() as client:
            if _others(client):
                return
            client.admin.command("shutdown", force=True)
        end(process)

    def _make_folder(self) -> None:
        try:
            self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise StartError(
                f"data_dir: {self.folder} can't be used ({error}). "
                "Set data_dir to a folder that can be written to."
            ) from None

    def _use_running(self) -> bool:
        """Whether a `mongod` that serves this very folder answers on the recorded port."""
        if not self._listens_where_recorded():
            return False
        with suppress(PyMongoError, KeyError, psutil.NoSuchProcess), self._client() as client:
            if self._serves_our_folder(client):
                self._make_primary(client, time.monotonic() + START_SECONDS)
                self._process = psutil.Process(client.admin.command("serverStatus")["pid"])
                return True
        return False

    def _listens_where_recorded(self) -> bool:
        with suppress(OSError, ValueError):
            port, replica_set = self._port_file.read_text().split()
            if replica_set == _REPLICA_SET:
                self._port = int(port)
        return listens(self._port)

    def _serves_our_folder(self, client: MongoClient[dict[str, Any]]) -> bool:
        options = client.admin.command("getCmdLineOpts")["parsed"]
        return Path(options["storage"]["dbPath"]).resolve() == self._data

    def _spawn(self, binary: Path, deadline: float) -> bool:
        """False if another `mongod` has the folder or the port: look again."""
        recorded, port = self._port, self._port
        if not recorded or listens(recorded):
            port = free_port()
        self._report(f"Starting MongoDB on {self.folder} ...")
        self._port = port
        if port != recorded and (self._data / "WiredTiger").exists():
            with self._launched(binary, deadline) as child:
                if child is not None:
                    self._move()
        with self._launched(binary, deadline, "--replSet", _REPLICA_SET) as child:
            if child is None:
                self._port = recorded
                return False
            self._port_file.write_text(f"{port} {_REPLICA_SET}")
            with self._client() as client:
                self._make_primary(client, deadline)
            self._process = psutil.Process(child.pid)
        return True

    @contextmanager
    def _launched(
        self, binary: Path, deadline: float, *options: str
    ) -> Iterator[subprocess.Popen[bytes] | None]:
        """A child that listens; None if another has its folder or port. An error ends it."""
        child = self._popen(binary, *options)
        try:
            while child.poll() is None and not listens(self._port):
                if time.monotonic() > deadline:
                    raise StartError(self._failure("does not listen"))
                time.sleep(0.02)
            if child.returncode in (_ADDRESS_IN_USE, _FOLDER_IN_USE):
                yield None
            elif child.returncode is not None:
                raise StartError(self._failure(f"ended with code {child.returncode}"))
            else:
                yield child
        except BaseException as error:
            child.kill()
            child.wait()
            if isinstance(error, PyMongoError | OSError):
                raise StartError(self._failure(f"failed ({error})")) from error
            raise

    def _move(self) -> None:
        """Tell the replica set its name and its new port while it is not one, and end `mongod`.

        Told later, a member first looks for itself on its old port, for half a minute if what
        listens there is silent. The name differs in folders of version 1.0.
        """
        with self._client() as client:
            sets = client.local["system.replset"]
            if config := sets.find_one():
                config["members"][0]["host"] = f"127.0.0.1:{self._port}"
                sets.delete_one({"_id": config["_id"]})
                sets.insert_one({**config, "_id": _REPLICA_SET})
            pid = client.admin.command("serverStatus")["pid"]
            with suppress(AutoReconnect):
                client.admin.command("shutdown", force=True)
        end(psutil.Process(pid))

    def _popen(self, binary: Path, *options: str) -> subprocess.Popen[bytes]:
        arguments = [
            *(str(binary), "--dbpath", str(self._data)),
            *("--bind_ip", "127.0.0.1", "--port", str(self._port)),
            *("--oplogSize", "128", "--wiredTigerCacheSizeGB", "0.5"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false", "--quiet"),
            *(["--nounixsocket"] if os.name == "posix" else []),
            *options,
        ]
        try:
            full = self._log.exists() and self._log.stat().st_size > MAX_LOG_BYTES
            with self._log.open("wb" if full else "ab") as log:
                # A session of its own: a Ctrl-C in the terminal is for the server, which drains
                # its requests first and needs the database for that.
                return subprocess.Popen(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=os.name == "posix",
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                )
        except OSError as error:
            raise StartError(self._failure(f"can't be run ({error.strerror})")) from None

    def _make_primary(self, client: MongoClient[dict[str, Any]], deadline: float) -> None:
        """Makes the replica set if there is none, and waits until it takes writes."""
        member = {"_id": 0, "host": f"127.0.0.1:{self._port}"}
        if client.local["system.replset"].find_one() is None:
            client.admin.command("replSetInitiate", {"_id": _REPLICA_SET, "members": [member]})
        while time.monotonic() < deadline:
            if client.admin.command("hello")["isWritablePrimary"]:
                return
            time.sleep(0.02)
        raise StartError(self._failure("did not become primary"))

    def _client(self) -> MongoClient[dict[str, Any]]:
        return MongoClient(self.uri, timeoutMS=int(CLIENT_SECONDS * 1000))

    def _failure(self, what: str) -> str:
        return (
            f"The embedded MongoDB {what}. Its log is {self._log}; or set mongodb_uri to a "
            "MongoDB of your own."
        )


def _others(client: MongoClient[dict[str, Any]]) -> bool:
    """Whether another server of ours is connected; each gives its process id in its name.

    A connection that was closed just now may still be listed, so this looks for a while.
    """
    ours = f"{APPLICATION_NAME} {os.getpid()}"
    query: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True, "idleConnections": True}},
        {"$match": {"appName": {"$regex": f"^{APPLICATION_NAME} ", "$ne": ours}}},
    ]
    deadline = time.monotonic() + OTHERS_SECONDS
    while list(client.admin.aggregate(query)):
        if time.monotonic() > deadline:
            return True
        time.sleep(0.05)
    return False
