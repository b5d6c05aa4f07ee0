"""`ReplicaSet`: three `mongod` that tests kill, freeze, and cut off from their client."""

from __future__ import annotations

import atexit
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from ...mongo.mongod_binary import find_binary
from ...mongo.mongod_commands import Client
from ...mongo.mongod_process import Launcher, free_port
from ..http.test_tls import certificate
from ..server_process import until
from .proxy import Proxy

NAME = "faults"
USER = "tests"
START_SECONDS = 60
_NODE_NOT_FOUND = 74
# A member without a primary calls for an election after a second; MongoDB's default is ten.
# Secondaries read from the primary alone. Otherwise MongoDB 6.0 stalls after some elections: the
# heartbeats to the new primary are lost, so the other secondary takes no member for newer than
# itself. It reads from nobody until the old primary returns, and no write gets its majority.
SETTINGS = {
    "chainingAllowed": False,
    "electionTimeoutMillis": 1000,
    "heartbeatIntervalMillis": 200,
    "heartbeatTimeoutSecs": 1,
}
# A driver asks each member every half a second, and waits a second for its answer.
WATCH = "heartbeatFrequencyMS=500&connectTimeoutMS=1000"
STEP_DOWN = {"replSetStepDown": 2, "secondaryCatchUpPeriodSecs": 1, "force": True}


class Member:
    """A `mongod` with its data in `folder`, and a proxy in front of it."""

    def __init__(self, folder: Path, options: tuple[str, ...]) -> None:
        self.port = free_port()
        self.proxy = Proxy(f"mongodb://127.0.0.1:{self.port}/?tls=true")
        self.host = f"127.0.0.1:{self.port}"
        self._options = options
        data = folder / str(self.port)
        data.mkdir()
        self._launcher = Launcher(data, folder / f"{self.port}.log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host_of_proxy(self) -> str:
        return f"localhost:{urlsplit(self.proxy.uri).port}"

    def start(self) -> None:
        """Start it anew. The port may be taken for a moment, by the near end of a connection."""
        until(self._starts, START_SECONDS)

    def _starts(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        binary = find_binary(None)
        with self._launcher.launched(binary, self.port, deadline, *self._options) as child:
            self._process = child
        return child is not None

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        assert self._process
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


class ReplicaSet:
    """Three members with TLS, a key file and a user, while `running()`.

    `uri` leads through the proxies, and `direct_uri` past them: each member has two names. A
    client gets those of the proxies if it asks for `localhost` in TLS. The members, which
    connect to an address, ask for no name.
    """

    def __init__(self, folder: Path) -> None:
        crt, key = certificate()
        self._crt = _write(folder / "crt.pem", crt)
        options = (
            *("--replSet", NAME, "--keyFile", _write(folder / "key", "keyOfTheTests")),
            *("--tlsMode", "requireTLS", "--tlsCAFile", self._crt),
            *("--tlsCertificateKeyFile", _write(folder / "key.pem", crt + key)),
            "--tlsAllowConnectionsWithoutCertificates",
        )
        self.members = [Member(folder, options) for _ in range(3)]

    @property
    def uri(self) -> str:
        return self._uri(*(member.host_of_proxy for member in self.members))

    @property
    def direct_uri(self) -> str:
        return self._uri(*(member.host for member in self.members))

    @contextmanager
    def running(self) -> Iterator[ReplicaSet]:
        with ExitStack() as stack:
            for member in self.members:
                stack.enter_context(member.proxy)
                stack.callback(member.kill)
                atexit.register(member.kill)  # after a Ctrl-C
            with ThreadPoolExecutor() as pool:
                list(pool.map(Member.start, self.members))
            self._initiate()
            self._client: Client = stack.enter_context(MongoClient(self.direct_uri))
            self.wait_until_whole()
            yield self

    def primary(self) -> Member:
        """Return the primary, once there is one."""
        until(lambda: self._client.primary)
        _, port = self._client.primary or ("", 0)
        return next(member for member in self.members if member.port == port)

    def step_down(self) -> None:
        """Make the primary a secondary, once another member can follow it."""
        self._client.admin.command(STEP_DOWN)

    def wait_for_another(self, primary: Member) -> None:
        """Wait until a member other than `primary` is the primary."""
        until(lambda: self._client.primary and self.primary() is not primary)

    def wait_until_whole(self) -> None:
        """Wait until there is a primary, and two members that follow it."""
        until(lambda: self._client.primary and len(self._client.secondaries) == 2)

    def _uri(self, *hosts: str) -> str:
        tls = f"tls=true&tlsCAFile={self._crt}"
        return f"mongodb://{USER}:{USER}@{','.join(hosts)}/?replicaSet={NAME}&{tls}&{WATCH}"

    def _initiate(self) -> None:
        members = [
            {"_id": n, "host": member.host, "horizons": {"proxies": member.host_of_proxy}}
            for n, member in enumerate(self.members)
        ]
        configuration = {"_id": NAME, "members": members, "settings": SETTINGS}
        tls: dict[str, Any] = {"directConnection": True, "tls": True, "tlsCAFile": self._crt}
        # Without a user, `mongod` lets a client on loopback make the first one.
        with MongoClient[Any](self.members[0].host, **tls) as client:
            until(lambda: _is_initiated(client, configuration), START_SECONDS)
            until(lambda: client.admin.command("hello")["isWritablePrimary"])
            client.admin.command("createUser", USER, pwd=USER, roles=["root"])


def _is_initiated(client: MongoClient[Any], configuration: dict[str, Any]) -> bool:
    """Make the set; return False if a member did not answer, as on a busy machine."""
    try:
        client.admin.command("replSetInitiate", configuration)
    except OperationFailure as error:
        if error.code != _NODE_NOT_FOUND:
            raise
        return False
    return True


def _write(file: Path, text: str) -> str:
    """Write `text` for this user only, which `mongod` demands of a key; return the path."""
    file.write_text(text)
    file.chmod(0o600)
    return str(file)
