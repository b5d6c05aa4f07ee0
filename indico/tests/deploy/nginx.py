"""`Nginx`: Debian's nginx with `deploy/nginx.conf`, on ports of the test."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from indico.tests.deploy.programs import DEPLOY, needs, program
from indico.tests.server_process import until

PROGRAM = program("nginx")

needs_nginx = needs(PROGRAM, "nginx, of apt install nginx-light")


class Nginx:
    """Debian's nginx in front of servers on these ports of loopback; `edits` replaces more."""

    def __init__(
        self, folder: Path, ports: Sequence[int], edits: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        folder.joinpath("nginx.conf").write_text(self._configuration(edits))
        folder.joinpath("indico-servers.conf").write_text(self._servers(ports))

    def _configuration(self, edits: Mapping[str, str]) -> str:
        text = DEPLOY.joinpath("nginx.conf").read_text()
        temporary = "\n".join(
            f"{module}_temp_path {self.folder}/{module};"
            for module in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        known = {
            "user www-data;": "user root;" if os.geteuid() == 0 else "",
            "worker_processes auto;": "worker_processes 2;",
            "worker_rlimit_nofile 65536;": "",
            "http {": f"http {{\n{temporary}",
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "/run/": f"{self.folder}/",
            "/var/log/nginx/": f"{self.folder}/",
            "/etc/nginx/certificate": f"{self.folder}/certificate",
            "/etc/nginx/private": f"{self.folder}/private",
        }
        for old, new in {**known, **edits}.items():
            assert old in text, old
            text = text.replace(old, new)
        return text

    @staticmethod
    def _servers(ports: Sequence[int]) -> str:
        lines = DEPLOY.joinpath("indico-servers.conf").read_text().splitlines()
        servers = [line for line in lines if line.startswith("server ")]
        return "\n".join(
            re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", server)
            for server, port in zip(servers, ports, strict=False)
        )

    def __enter__(self) -> Self:
        command = [str(PROGRAM), "-p", f"{self.folder}/", "-c", "nginx.conf", "-e", "error.log"]
        self.process = subprocess.Popen(
            [*command, "-g", "daemon off;"], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        until(lambda: accepts(self.port) or self.process.poll() is not None)
        assert self.process.poll() is None, self.errors()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    def errors(self) -> str:
        return self.folder.joinpath("error.log").read_text()

    def requests(self) -> list[dict[str, Any]]:
        """Return the log entries, one a request."""
        lines = self.folder.joinpath("access.log").read_text().splitlines()
        return [json.loads(line) for line in lines]


def accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


def free_ports(count: int) -> list[int]:
    """Return ports below the ephemeral ones, so that they stay free between two servers."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(15_000, 30_000)
        with suppress(OSError), socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port))
            found.append(port)
    return found
