"""A server that stops while its pool is at work."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import Any

import psutil

from ..server_process import ProcessTest, until
from ..server_test import mongodb_uri
from .test_offload import gone


class PoolAtWorkTest(ProcessTest):
    """A server with a pool of one process, which the test suspends in the middle of a call."""

    drain_seconds = 30.0

    def setUp(self) -> None:
        super().setUp()
        self.server = self.serve(
            *("--mongodb-uri", mongodb_uri(), "--mongodb-database", "test_offload_in_server"),
            *("--offload-processes", "1", "--drain-seconds", str(self.drain_seconds)),
        )
        self.answer: Any = None
        self.marker = self.folder / "marker"
        joined = self.server.call("/system/join", {"parts": ["a", "b"]})
        self.assertEqual(joined, (200, "ab"))
        (self.process,) = psutil.Process(self.server.process.pid).children()

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

    def finish(self) -> None:
        """Wait for the server, which answers the call and stops."""
        until(lambda: "stopping, once" in self.server.printed())
        self.process.resume()
        self.assertEqual(self.server.wait(), 0)
        self.client.join()
        self.assertEqual(self.answer[0], 200)
        self.assertTrue(gone(self.process.pid))
        self.assertNotIn("Traceback", self.server.printed())


class StopTest(PoolAtWorkTest):
    def test_idle(self) -> None:
        self.assertEqual(self.server.stop(), 0)
        self.assertTrue(gone(self.process.pid))

    def test_sigterm_to_all_of_a_service(self) -> None:
        self.begin()
        for process in (self.process, self.server.process):
            process.send_signal(signal.SIGTERM)
        self.finish()

    def test_ctrl_c_in_the_terminal(self) -> None:
        self.begin()
        os.killpg(self.server.process.pid, signal.SIGINT)
        self.finish()

    def test_sigkill(self) -> None:
        self.begin()
        self.server.kill()
        self.process.resume()
        self.client.join()
        until(lambda: gone(self.process.pid))


class CutOffTest(PoolAtWorkTest):
    drain_seconds = 0.3

    def test_a_call_that_does_not_finish(self) -> None:
        self.begin()
        self.assertEqual(self.server.stop(), 0)
        self.client.join()
        self.assertIn("1 requests did not finish", self.server.printed())
        self.assertTrue(gone(self.process.pid))
