"""The sockets of a server: TLS, a shared port, sockets from systemd, a port for /metrics."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from functools import partial
from unittest import TestCase
from unittest.mock import patch

from ...doctor import machine as doctor
from ...process import systemd
from ..http.test_tls import certificate
from ..sample.app import Settings
from ..sample.server import PROGRAM
from ..server_process import ROOT, ProcessTest, RunningServer, ServerProcess, until
from ..server_test import mongodb_uri
from ..telemetry.scrape import scrape
from .in_process import InProcessServer, run_main

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
PING = b'{"id": 1, "action": "system/ping"}\n'
PONG = b'{"id":1,"status":200,"data":"pong"}\n'


class CertificateTest(ProcessTest):
    def setUp(self) -> None:
        super().setUp()
        self.certificate, self.key = self.folder / "crt.pem", self.folder / "key.pem"
        for file, text in zip((self.certificate, self.key), certificate(), strict=True):
            file.write_text(text)

    def refusal(self, *flags: str) -> str:
        """Return the one line that a server prints which can't start."""
        code, text = run_main(*self.all_flags("--mongodb-uri", mongodb_uri(), *flags))
        self.assertEqual((code, len(text.splitlines())), (1, 1), text)
        return text

    def ask(self, port: int, request: bytes = HEALTH) -> str:
        context = ssl.create_default_context(cafile=str(self.certificate))
        with (
            socket.create_connection(("127.0.0.1", port), timeout=60) as client,
            context.wrap_socket(client, server_hostname="localhost") as tls,
        ):
            tls.sendall(request)
            return tls.recv(1000).decode()

    def test_valid(self) -> None:
        both = self.folder / "both.pem"
        both.write_text("".join(certificate()))
        pair = ("--certificate", str(self.certificate), "--private-key", str(self.key))
        flags = ("--mongodb-uri", mongodb_uri(), "--tcp-port", "0")
        self.assertEqual(InProcessServer().run(self.ask_both, *self.all_flags(*flags, *pair)), 0)
        server = self.serve(*flags, "--certificate", str(both), "--processes", "1")
        self.ask_both(server)
        self.assertEqual(server.stop(), 0)

    def ask_both(self, server: RunningServer) -> None:
        """Ask over HTTP and over TCP."""
        found = re.search(r"listens on https://\S+ and tls://127.0.0.1:(\d+) ", server.printed())
        assert found, server.printed()
        self.assertIn("200 OK", self.ask(server.port))
        self.assertEqual(self.ask(int(found[1]), PING).encode(), PONG)

    def test_files_that_can_not_be_read(self) -> None:
        text = self.refusal("--certificate", "nowhere.pem")
        self.assertIn("certificate: nowhere.pem can't be read: No such file", text)
        text = self.refusal("--certificate", str(self.certificate), "--private-key", "nowhere.pem")
        self.assertIn("private_key: nowhere.pem can't be read", text)

    def test_files_that_are_no_pair(self) -> None:
        self.assertIn("no pair", self.refusal("--certificate", str(self.certificate)))
        self.key.write_text("what?")
        text = self.refusal("--certificate", str(self.certificate), "--private-key", str(self.key))
        self.assertIn(f"{self.certificate} and {self.key} are no pair", text)

    def test_a_key_with_a_password(self) -> None:
        locked = self.folder / "locked.pem"
        subprocess.run(
            [
                *("openssl", "pkey", "-aes128", "-passout", "pass:secret"),
                *("-in", str(self.key), "-out", str(locked)),
            ],
            check=True,
            capture_output=True,
        )
        pair = ("--certificate", str(self.certificate), "--private-key", str(locked))
        self.assertIn("the key has a password", self.refusal(*pair))


class ReusePortTest(ProcessTest):
    def test_side_by_side(self) -> None:
        first = self.serve("--mongodb-uri", mongodb_uri(), "--reuse-port")
        check_taken_port(self, first)
        flags = self.all_flags("--mongodb-uri", mongodb_uri(), "--port", str(first.port))
        self.assertEqual(run_main(*flags)[0], 1)

        def client(second: InProcessServer) -> None:
            self.assertEqual(first.port, second.port)

            def both_have_answered() -> bool:
                first.call("/healthz")
                return all("/healthz 200" in server.printed() for server in (first, second))

            until(both_have_answered)
            self.assertEqual(first.stop(), 0)
            for _ in range(20):
                self.assertEqual(second.call("/healthz"), (200, "ok"))

        self.assertEqual(InProcessServer().run(client, *flags, "--reuse-port"), 0)


class OtherPortsTest(ProcessTest):
    """Ports of their own for /metrics and for TCP; `test_parent` has those of several workers."""

    def test_on_ports_of_their_own(self) -> None:
        port = free_port()
        ports = ("--metrics-port", str(port), "--tcp-port", "0")
        flags = self.all_flags("--mongodb-uri", mongodb_uri(), *ports)
        client = partial(check_other_ports, self, port)
        self.assertEqual(InProcessServer().run(client, *flags), 0)

    def test_it_is_taken(self) -> None:
        for name in ("metrics", "tcp"):
            with socket.create_server(("127.0.0.1", 0)) as taken:
                port = str(taken.getsockname()[1])
                flags = self.all_flags("--mongodb-uri", mongodb_uri(), f"--{name}-port", port)
                code, text = run_main(*flags)
                self.assertEqual(code, 1)
            self.assertIn(f"{name}_port: can't listen on 127.0.0.1:{port}", text)
            self.assertIn(f"--{name}-port or SAMPLE_{name.upper()}_PORT", text)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def check_other_ports(test: TestCase, metrics_port: int, server: RunningServer) -> None:
    """Make calls over HTTP and TCP, which any worker may answer, and look at their counts."""
    calls = ({"resource": "healthz", "action": "GET"}, {"resource": "system", "action": "ping"})

    def counts() -> list[float]:
        scraped = scrape(metrics_port)
        return [scraped.sum("sample_requests_total", **call) for call in calls]

    found = re.search(r" and tcp://127.0.0.1:(\d+) ", server.printed())
    assert found, server.printed()
    before = counts()
    test.assertEqual(server.call("/metricsz")[0], 404)
    for _ in range(10):
        server.call("/healthz")
        with socket.create_connection(("127.0.0.1", int(found[1])), timeout=60) as client:
            client.sendall(PING)
            test.assertEqual(client.recv(1000), PONG)
    test.assertEqual(counts(), [count + 10 for count in before])


def check_taken_port(test: TestCase, server: ServerProcess) -> None:
    """Ask the doctor about the port of a server that runs."""
    (found,) = doctor.port(Settings(port=server.port), PROGRAM.server)
    where, pid = f"127.0.0.1:{server.port}", server.process.pid
    said = f"server of this project already listens on {where} (process {pid})"
    test.assertIn(said, found.seen)
    test.assertEqual(found.state, "warning")


class SystemdTest(ProcessTest):
    """A start by systemd, which hands over a listening socket."""

    def setUp(self) -> None:
        super().setUp()
        self.surroundings = {"LISTEN_FDS": "1", "NOTIFY_SOCKET": str(self.folder / "notify")}
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(str(self.folder / "notify"))
        self.manager.settimeout(60)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listening.close)

    def told(self) -> list[str]:
        return self.manager.recv(1000).decode().split("\n")

    def begin(self, *flags: str) -> subprocess.Popen[bytes]:
        """Start as systemd does: its sockets begin at 3, and it names the process they are for."""
        code = (
            "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid());"
            f"os.dup2({self.listening.fileno()}, 3);"
            f"os.execv(sys.executable, [sys.executable, '-m', '{PROGRAM.server}', *sys.argv[1:]])"
        )
        settings = ("--port", "1", "--mongodb-uri", mongodb_uri())
        return subprocess.Popen(
            [sys.executable, "-S", "-c", code, *settings, *flags],
            cwd=ROOT,
            env=os.environ | self.surroundings,
            pass_fds=[3, self.listening.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ask(self) -> bytes:
        with socket.create_connection(self.listening.getsockname(), timeout=60) as client:
            client.sendall(HEALTH)
            return client.recv(1000)

    def test_a_parent(self) -> None:
        server = self.begin("--processes", "1")
        self.assertIn(b"200 OK", self.ask())  # the first connection waits until it serves
        self.assertEqual(self.told(), ["READY=1"])
        server.send_signal(signal.SIGHUP)
        reloading, since = self.told()
        self.assertEqual(reloading, "RELOADING=1")
        self.assertRegex(since, r"^MONOTONIC_USEC=\d+$")
        self.assertEqual(self.told(), ["READY=1"])
        server.terminate()
        self.assertEqual(self.told(), ["STOPPING=1"])
        self.assertEqual(server.wait(), 0)

    def test_alone(self) -> None:
        def client(server: InProcessServer) -> None:
            self.assertEqual(self.told(), ["READY=1"])
            self.assertEqual(server.port, self.listening.getsockname()[1])
            self.assertIn(b"200 OK", self.ask())

        given = os.dup(self.listening.fileno())
        surroundings = {**self.surroundings, "LISTEN_PID": str(os.getpid())}
        flags = self.all_flags("--port", "1", "--mongodb-uri", mongodb_uri())
        with patch.dict(os.environ, surroundings), patch.object(systemd, "_FIRST", given):
            self.assertEqual(InProcessServer().run(client, *flags), 0)


class NotifyTest(TestCase):
    def test_in_the_abstract_namespace(self) -> None:
        name = f"server-test-{os.getpid()}"
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
            patch.dict(os.environ, {"NOTIFY_SOCKET": f"@{name}"}),
        ):
            manager.bind(f"\0{name}")
            manager.settimeout(10)
            systemd.notify("READY=1", "STATUS=fine")
            self.assertEqual(manager.recv(100), b"READY=1\nSTATUS=fine")

    def test_sockets_for_another_process(self) -> None:
        with patch.dict(os.environ, {"LISTEN_FDS": "1", "LISTEN_PID": "1"}):
            self.assertEqual(systemd.take_sockets(), [])
            self.assertNotIn("LISTEN_FDS", os.environ)
