"""`ServerProcess` and `ProcessTest`: your server as a person starts it, in a process of its own."""

from __future__ import annotations

from typing import ClassVar, cast

from indico.engine.tests import server_process
from indico.engine.tests.server_process import ROOT, call, until
from indico.server import PROGRAM

__all__ = ["ROOT", "ProcessTest", "ServerProcess", "call", "until"]


class ServerProcess(server_process.ServerProcess):
    server = PROGRAM.server


class ProcessTest(server_process.ProcessTest):
    server_class: ClassVar[type[server_process.ServerProcess]] = ServerProcess

    def start(self, *flags: str) -> ServerProcess:
        return cast(ServerProcess, super().start(*flags))

    def serve(self, *flags: str) -> ServerProcess:
        return cast(ServerProcess, super().serve(*flags))
