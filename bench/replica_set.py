"""A replica set of `mongod` processes on loopback, with or without TLS."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from bench.machine import UnfitError
from indico.engine.error import StartError
from indico.engine.mongo.mongod_binary import find_binary
from indico.engine.mongo.mongod_process import Launcher, free_port

NAME = "bench"
START_SECONDS = 60
DIRECTLY = {"directConnection": "true"}
_PRIMARY, _SECONDARY = 1, 2  # states of a member


@contextmanager
def running(folder: Path, members: int, tls: bool) -> Iterator[tuple[str, list[psutil.Process]]]:
    """Run the members with their data in `folder`, and yield their URI and their processes.

    Raise `StartError`, and `UnfitError` if TLS needs a program that is missing.
    """
    certificate = _certificate(folder) if tls else None
    deadline = time.monotonic() + START_SECONDS
    with ExitStack() as stack:
        started = [
            stack.enter_context(_member(folder / f"member{n}", certificate, deadline))
            for n in range(members)
        ]
        hosts = [f"127.0.0.1:{port}" for port, _ in started]
        options = {"tls": "true", "tlsCAFile": str(certificate)} if tls else {}
        _initiate(hosts, options, deadline)
        # A lone member is reached without discovery, which would go around the proxy of `batches`.
        way = {"replicaSet": NAME} if members > 1 else DIRECTLY
        yield _uri(hosts, {**way, **options}), [process for _, process in started]


@contextmanager
def _member(
    folder: Path, certificate: Path | None, deadline: float
) -> Iterator[tuple[int, psutil.Process]]:
    """Run one member, and yield its port and its process."""
    folder.mkdir(parents=True)
    port = free_port()
    launcher = Launcher(folder, folder.with_suffix(".log"))
    options = ("--replSet", NAME, *(_tls(certificate) if certificate else ()))
    with launcher.launched(find_binary(None), port, deadline, *options) as child:
        if child is None:
            raise launcher.failure(f"lost port {port} to another process")
    try:
        yield port, psutil.Process(child.pid)
    finally:
        child.kill()  # the data is thrown away, so nothing needs a clean end
        child.wait()


def _initiate(hosts: list[str], options: dict[str, str], deadline: float) -> None:
    """Make the members a replica set; on return one is primary, and all have the same data."""
    members = [{"_id": number, "host": host} for number, host in enumerate(hosts)]
    wanted = [_PRIMARY, *[_SECONDARY] * (len(hosts) - 1)]
    uri = _uri(hosts[:1], {**DIRECTLY, **options})
    try:
        with MongoClient[dict[str, Any]](uri) as first:
            first.admin.command("replSetInitiate", {"_id": NAME, "members": members})
            while time.monotonic() < deadline:
                status = first.admin.command("replSetGetStatus")
                ready = [member["state"] for member in status["members"]] == wanted
                if ready and first.admin.command("hello")["isWritablePrimary"]:
                    return
                with suppress(OperationFailure):  # while the others start
                    if status["myState"] == _SECONDARY:
                        first.admin.command("replSetStepUp")  # the election itself waits 10 s
                time.sleep(0.1)
    except PyMongoError as error:
        raise StartError(f"bench: the replica set can't be made: {error}") from error
    raise StartError(f"bench: the replica set was not ready in {START_SECONDS} s")


def _uri(hosts: list[str], options: dict[str, str]) -> str:
    return f"mongodb://{','.join(hosts)}/?{urlencode(options)}"


def _tls(certificate: Path) -> tuple[str, ...]:
    return (
        *("--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(certificate)),
        *("--tlsCAFile", str(certificate), "--tlsAllowConnectionsWithoutCertificates"),
    )


def _certificate(folder: Path) -> Path:
    """Make a certificate for loopback, signed by itself; return the file with it and its key."""
    if shutil.which("openssl") is None:
        raise UnfitError("bench --tls needs openssl for its certificate: apt install openssl")
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    both = folder / "mongodb.pem"
    both.write_text(certificate.read_text() + key.read_text())
    return both
