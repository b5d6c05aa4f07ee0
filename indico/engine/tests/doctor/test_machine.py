from __future__ import annotations

import os
import resource
import socket
import subprocess
from collections import namedtuple
from pathlib import Path
from unittest import skipUnless
from unittest.mock import patch

import psutil

from ...doctor.machine import certificate, disk_space, file_limit, folders, port
from ..http import test_tls
from ..sample.server import PROGRAM
from ..server_process import ENGINE, until
from .doctor_test import DoctorTest, without_rights

UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
Usage = namedtuple("Usage", "free")

SERVER = PROGRAM.server


class PortTest(DoctorTest):
    """`test_listening` and `test_parent` have the ports of servers that run."""

    def test_free(self) -> None:
        until(self.is_free)  # another program may take it first
        self.assertIn("takes a free port", self.one(port, self.settings(port=0), SERVER))

    def is_free(self) -> bool:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
        line = self.one(port, self.settings(port=number), SERVER)
        return line == f"ok: 127.0.0.1:{number} is free. "

    def test_taken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            by = f"by {psutil.Process().name()} (process {os.getpid()})"
            line = self.one(port, self.settings(port=number), SERVER)
            self.assertIn(f"fault: 127.0.0.1:{number} is taken {by}.", line)
            with patch("psutil.net_connections", side_effect=psutil.AccessDenied):
                line = self.one(port, self.settings(port=number), SERVER)
            self.assertIn(f"127.0.0.1:{number} is taken.", line)
            with patch("psutil.net_connections", return_value=[]):
                self.assertEqual(self.one(port, self.settings(port=number), SERVER), line)
            for name in ("metrics_port", "tcp_port"):
                found = self.found(port, self.settings(port=0, **{name: number}), SERVER)
                self.assertEqual(found, ["ok", "fault"])

    def test_rights(self) -> None:
        with patch(f"{ENGINE}.doctor.machine.bind_sockets", side_effect=PermissionError(13, "")):
            self.assertIn("CAP_NET_BIND_SERVICE", self.one(port, self.settings(port=80), SERVER))

    @skipUnless(
        UNPRIVILEGED.exists() and int(UNPRIVILEGED.read_text()) > 80, "any user may listen on 80"
    )
    def test_a_privileged_one(self) -> None:
        with without_rights():
            line = self.one(port, self.settings(port=80), SERVER)
        self.assertIn("fault: 127.0.0.1:80 needs rights that this user doesn't have.", line)

    def test_host(self) -> None:
        for host in ("192.0.2.1", "a" * 70):
            line = self.one(port, self.settings(port=0, host=host), SERVER)
            self.assertIn(f"fault: {host}:0 is not an address of this machine.", line)


class FileLimitTest(DoctorTest):
    def of(self, hard: int, **settings: int) -> str:
        with patch("resource.getrlimit", return_value=(256, hard)):
            return self.one(file_limit, self.settings(**settings))

    def test_states(self) -> None:
        self.assertIn("fault: A process may open 1023 files", self.of(1023))
        self.assertIn("warning: A process may open 1024 files", self.of(1024))
        self.assertIn("ok: ", self.of(10_000))
        self.assertIn("warning: ", self.of(10_000, max_in_flight=10_000))
        self.assertIn("LimitNOFILE=10500 in systemd's unit", self.of(1023, max_in_flight=10_000))
        self.assertIn("ok: There is no limit.", self.of(resource.RLIM_INFINITY))

    def test_this_process(self) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertIn(
            f" {hard} files" if hard > 0 else "no limit", self.one(file_limit, self.settings())
        )


class DiskSpaceTest(DoctorTest):
    def test_states(self) -> None:
        for free, state in ((255 << 20, "fault"), (1 << 30, "warning"), (3 << 30, "ok")):
            with patch("shutil.disk_usage", return_value=Usage(free)):
                line = self.one(disk_space, self.settings())
                self.assertIn(f"are free for data_dir ({self.folder})", line)
                self.assertTrue(line.startswith(state), line)

    def test_what_is_not_written(self) -> None:
        own = self.settings(mongodb_uri="mongodb://localhost")
        self.assertEqual(self.found(disk_space, own), [])
        self.assertEqual(len(self.found(disk_space, self.settings(log_file="a/b.log"))), 2)


class FoldersTest(DoctorTest):
    def test_data_dir(self) -> None:
        settings = self.settings()
        self.assertIn("can be made", self.one(folders, settings))
        data = settings.data_dir / "mongodb"
        data.mkdir(parents=True)
        data.chmod(0o755)
        self.assertEqual(self.found(folders, settings), ["ok", "fault"])
        data.chmod(0o700)
        self.assertIn("can be written to", self.one(folders, settings))
        data.chmod(0o755)
        own = self.settings(mongodb_uri="mongodb://localhost")
        self.assertEqual(self.found(folders, own), [])

    def test_no_folder(self) -> None:
        (self.folder / "data").write_text("")
        self.assertIn("fault: data_dir: ", self.one(folders, self.settings()))
        under = self.settings(data_dir=self.folder / "data/below")
        self.assertIn("is not a folder", self.one(folders, under))

    def test_not_to_be_written(self) -> None:
        self.folder.chmod(0o755)
        locked = self.folder / "locked"
        locked.mkdir()
        locked.chmod(0o555)
        log = self.folder / "server.log"
        log.write_text("")
        log.chmod(0o444)
        with without_rights():
            line = self.one(folders, self.settings(data_dir=locked / "data"))
            self.assertIn(f"fault: data_dir: this user can't write to {locked}.", line)
            self.folder_of_log_is_locked(log)
        locked.chmod(0o755)
        self.assertEqual(self.found(folders, self.settings(data_dir=locked)), ["ok"])

    def folder_of_log_is_locked(self, log: Path) -> None:
        own = {"mongodb_uri": "mongodb://localhost"}
        states = self.found(folders, self.settings(log_file=log, **own))
        self.assertEqual(states[1:], ["fault"])

    def test_files(self) -> None:
        settings = self.settings(
            pid_file=self.folder / "run/server-%(port)s.pid", log_file=self.folder / "server.log"
        )
        self.assertEqual(self.found(folders, settings), ["ok", "ok", "ok"])
        (self.folder / "server.log").write_text("")
        self.assertEqual(self.found(folders, settings), ["ok", "ok", "ok"])


class CertificateTest(DoctorTest):
    def setUp(self) -> None:
        super().setUp()
        self.crt, self.key = self.folder / "crt.pem", self.folder / "key.pem"
        for file, text in zip((self.crt, self.key), test_tls.certificate(), strict=True):
            file.write_text(text)
            file.chmod(0o600)
        self.tls = {"certificate": self.crt, "private_key": self.key}

    def test_valid(self) -> None:
        self.assertEqual(self.found(certificate, self.settings()), [])
        self.assertIn("ok: ", self.one(certificate, self.settings(**self.tls)))
        self.crt.write_text(self.crt.read_text() + self.key.read_text())
        self.assertIn("ok: ", self.one(certificate, self.settings(certificate=self.crt)))

    def test_key_for_others(self) -> None:
        self.key.chmod(0o644)
        line = self.one(certificate, self.settings(**self.tls))
        self.assertIn(f"fault: private_key: others can read {self.key}. chmod 600", line)

    def test_incomplete(self) -> None:
        line = self.one(certificate, self.settings(certificate=self.crt))
        self.assertIn("fault: ", line)

    def test_unusable(self) -> None:
        missing = self.settings(certificate=self.crt, private_key=self.folder / "no.pem")
        self.assertIn("(No such file or directory)", self.one(certificate, missing))
        with patch("ssl.SSLContext.load_cert_chain", side_effect=ValueError("too odd")):
            self.assertIn("(too odd)", self.one(certificate, self.settings(**self.tls)))

    def test_of_another(self) -> None:
        other = test_tls.certificate.__wrapped__()[1]
        self.key.write_text(other)
        line = self.one(certificate, self.settings(**self.tls))
        self.assertIn("(key values mismatch)", line)
        self.key.write_text("nothing")
        self.assertIn("can't be used (", self.one(certificate, self.settings(**self.tls)))

    def test_a_password(self) -> None:
        subprocess.run(
            [
                *("openssl", "pkey", "-aes128", "-passout", "pass:hunter2"),
                *("-out", str(self.key)),
            ],
            input=self.key.read_bytes(),
            check=True,
            capture_output=True,
        )
        line = self.one(certificate, self.settings(**self.tls))
        self.assertIn("without a password", line)
