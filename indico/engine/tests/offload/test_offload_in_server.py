"""A server that stops while its pool is at work."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from ... import offload
from ..process.in_process import InProcessServer
from ..server_process import (
    ENGINE,
    ProcessTest,
    RunningServer,
    ServerProcess,
    children,
    until,
)
from ..server_test import mongodb_uri
from .test_offload import gone


class PoolAtWorkTest(ProcessTest):
    """A server with a pool of one process, which the test suspends in the middle of a call."""

    def setUp(self) -> None:
        super().setUp()
        self.answer: Any = None
        self.marker = self.folder / "marker"

    def pool_flags(self, drain_seconds: str) -> list[str]:
        return [
            *("--mongodb-uri", mongodb_uri(), "--mongodb-database", "test_offload_in_server"),
            *("--offload-processes", "1", "--drain-seconds", drain_seconds),
        ]

    def find_process(self, server: RunningServer, pid: int) -> None:
        """Let the server, whose id is `pid`, start the process of its pool."""
        self.server = server
        joined = server.call("/system/join", {"parts": ["a", "b"]})
        self.assertEqual(joined, (200, "ab"))
        (self.process,) = children(pid, f"{ENGINE}.offload.child")

    def begin(self) -> None:
        def call() -> None:
            with contextlib.suppress(OSError):
                held = {"marker": str(self.marker)}
                self.answer = self.server.call("/system/hold", held, timeout=60)

        self.client = threading.Thread(target=call)
        self.client.start()
        until(self.marker.exists)
        self.process.suspend()
        self.marker.unlink()


class SignalTest(PoolAtWorkTest):
    """A server whose processes get signals."""

    def start_server(self) -> ServerProcess:
        server = self.serve(*self.pool_flags("300"))
        self.find_process(server, server.process.pid)
        self.begin()
        return server

    def finish(self, server: ServerProcess) -> None:
        """Wait for the server, which answers the call and stops."""
        until(lambda: "stopping, once" in server.printed())
        self.process.resume()
        self.assertEqual(server.wait(), 0)
        self.client.join()
        self.assertEqual(self.answer[0], 200)
        self.assertTrue(gone(self.process.pid))
        self.assertNotIn("Traceback", server.printed())

    def test_sigterm_to_all_of_a_service(self) -> None:
        server = self.start_server()
        for process in (self.process, server.process):
            process.send_signal(signal.SIGTERM)
        self.finish(server)

    def test_ctrl_c_in_the_terminal(self) -> None:
        server = self.start_server()
        os.killpg(server.process.pid, signal.SIGINT)
        self.finish(server)

    def test_sigkill(self) -> None:
        self.start_server().kill()
        self.process.resume()
        self.client.join()
        until(lambda: gone(self.process.pid))


class StopTest(PoolAtWorkTest):
    """A server that stops in the test's own process."""

    def stop(self, client: Callable[[], None], drain_seconds: str) -> str:
        """Return what the server prints, which stops once `client` returns."""

        def find_and_go_on(server: InProcessServer) -> None:
            self.find_process(server, os.getpid())
            client()

        server = InProcessServer()
        self.addCleanup(offload.configure, 0, offload.DEFAULT_QUEUE)
        flags = self.all_flags(*self.pool_flags(drain_seconds))
        self.assertEqual(server.run(find_and_go_on, *flags), 0)
        self.assertTrue(gone(self.process.pid))
        return server.printed()

    def test_idle(self) -> None:
        self.stop(lambda: None, "300")

    def test_a_call_that_does_not_finish(self) -> None:
        self.assertIn("1 requests did not finish", self.stop(self.begin, "0.3"))
        self.client.join()
