"""The Dockerfile and compose.yaml, read by hadolint, a schema and nginx."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from indico.config import Settings
from indico.engine import settings as config
from indico.tests.deploy.nginx import Nginx, needs_nginx
from indico.tests.deploy.programs import DEPLOY, needs, program, read_by
from indico.tests.server_process import ROOT
from indico.tests.server_test import ServerTest

DOCKERFILE = DEPLOY.joinpath("Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(DEPLOY.joinpath("compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
HADOLINT = program("hadolint")
CHECK_JSONSCHEMA = program("check-jsonschema")


@needs(HADOLINT, "hadolint, of pip install -r req-check.txt")
class HadolintTest(unittest.TestCase):
    integration = True

    def lint(self, *more: str) -> tuple[int, str]:
        with TemporaryDirectory(prefix="indico-tests-") as folder:
            settings, file = Path(folder, "hadolint.yaml"), Path(folder, "Dockerfile")
            settings.write_text("ignored: []\n")  # so that hadolint looks for no other
            file.write_text("\n".join([DOCKERFILE, *more]))
            said = read_by(HADOLINT, "--config", settings, "--no-color", file)
        return said.returncode, said.stdout

    def test_valid(self) -> None:
        self.assertEqual(self.lint(), (0, ""))

    def test_finds_a_fault(self) -> None:
        code, said = self.lint("USER root", "RUN apt-get install gcc")
        self.assertNotEqual(code, 0)
        self.assertIn("DL3002", said)


class DockerfileTest(unittest.TestCase):
    def test_what_is_installed(self) -> None:
        """The builder's command installs what the server needs, and no more."""
        (command,) = re.findall(r"sed '.*' req\.txt", DOCKERFILE)
        said = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, check=True)
        installed = said.stdout.decode()
        for package in ("tornado", "pymongo", "uvloop", "opentelemetry-sdk"):
            self.assertIn(f"\n{package}==", installed)
        for package in ("fiftyone", "pycurl", "pynose", "ruff", "mypy"):
            self.assertNotIn(package, installed)

    def test_settings(self) -> None:
        """The image sets known settings."""
        fields = re.findall(r"INDICO_(\w+)=(\S+)", DOCKERFILE)
        flags = [f"--{name.lower().replace('_', '-')}={value}" for name, value in fields]
        secret = ["--secret-key", "0123456789abcdef", "--mongodb-uri", "mongodb://a"]
        loaded = config.load(Settings, [*flags, *secret])
        self.assertEqual((loaded.environment, loaded.host), ("production", "0.0.0.0"))
        self.assertIn(f"EXPOSE {loaded.port}\n", DOCKERFILE)

    def test_user(self) -> None:
        self.assertEqual(re.findall("^USER (.*)", DOCKERFILE, re.MULTILINE), ["10001:10001"])


class HealthTest(ServerTest):
    """Command of the HEALTHCHECK, run as a container engine runs it."""

    covers = False

    async def check(self) -> int:
        (command,) = re.findall(r"HEALTHCHECK .*\\\n +CMD (\[.*\])", DOCKERFILE)
        *python, code = json.loads(command)
        self.assertEqual(python, ["python", "-c"])
        patient = code.replace("timeout=2", "timeout=60")  # other tests keep the machine busy
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", patient),
            env={**os.environ, "INDICO_PORT": str(self.get_http_port())},
            stderr=subprocess.DEVNULL,
        )
        return await process.wait()

    def test_healthy(self) -> None:
        self.assertEqual(self.run_async(self.check()), 0)
        self.http_server.stop()
        self.assertEqual(self.run_async(self.check()), 1)


@needs(CHECK_JSONSCHEMA, "check-jsonschema, of pip install -r req-check.txt")
class ComposeSchemaTest(unittest.TestCase):
    integration = True

    def check(self, text: str) -> tuple[int, str]:
        with TemporaryDirectory(prefix="indico-tests-") as folder:
            file = Path(folder, "compose.yaml")
            file.write_text(text)
            schema = ("--builtin-schema", "vendor.compose-spec")
            said = read_by(CHECK_JSONSCHEMA, *schema, file)
        return said.returncode, said.stdout

    def test_valid(self) -> None:
        code, said = self.check(DEPLOY.joinpath("compose.yaml").read_text())
        self.assertEqual(code, 0, said)

    def test_finds_a_fault(self) -> None:
        text = DEPLOY.joinpath("compose.yaml").read_text()
        code, said = self.check(text.replace("read_only: true", "readonly: true"))
        self.assertEqual(code, 1)
        self.assertIn("readonly", said)


class ComposeTest(unittest.TestCase):
    """Facts that the schema doesn't check."""

    def test_names(self) -> None:
        """Each service, network, secret, config and volume in use is declared."""
        for service in SERVICES.values():
            self.assertLessEqual(set(service.get("depends_on", ())), set(SERVICES))
            for kind in ("networks", "secrets"):
                self.assertLessEqual(set(service.get(kind, ())), set(COMPOSE[kind]))
            for used in service.get("configs", ()):
                self.assertIn(used["source"], COMPOSE["configs"])
            for volume in service.get("volumes", ()):
                self.assertIn(volume.split(":")[0], COMPOSE["volumes"])

    def test_only_nginx_is_reached(self) -> None:
        outside = [name for name, network in COMPOSE["networks"].items() if not network]
        self.assertEqual(outside, ["outside"])
        for name, service in SERVICES.items():
            reached = "ports" in service or "outside" in service.get("networks", ())
            self.assertEqual(reached, name == "nginx", name)

    def test_proxy_is_trusted(self) -> None:
        address = SERVICES["nginx"]["networks"]["servers"]["ipv4_address"]
        for name in ("indico-1", "indico-2"):
            environment = SERVICES[name]["environment"]
            self.assertEqual(environment, {"INDICO_TRUSTED_PROXIES": address})

    def test_secrets(self) -> None:
        """Secrets are made once, stay out of the repository, and are read as settings."""
        with TemporaryDirectory(prefix="indico-tests-") as folder:
            script = Path(folder, "make-secrets.sh")
            script.write_text(DEPLOY.joinpath("make-secrets.sh").read_text())
            made = [self.make_secrets(script) for _ in range(2)]
            settings = Path(folder, "secrets/settings.yaml")
            flags = ["--config", str(settings), "--environment", "production"]
            uri = config.load(Settings, flags).uri
        self.assertEqual(made[0], made[1])
        self.assertIn(f":{made[0]['mongodb-password']}@", uri)
        self.assertEqual(len(set(made[0].values())), 3)
        files = {f"secrets/{name}" for name in made[0]}
        self.assertEqual({secret["file"] for secret in COMPOSE["secrets"].values()}, files)
        self.assertIn("deploy/secrets/", ROOT.joinpath(".gitignore").read_text().splitlines())

    @staticmethod
    def make_secrets(script: Path) -> dict[str, str]:
        subprocess.run(["sh", str(script)], check=True)
        return {file.name: file.read_text() for file in (script.parent / "secrets").iterdir()}


@needs_nginx
class ComposeNginxTest(unittest.TestCase):
    integration = True

    def test_valid(self) -> None:
        """nginx takes the servers' addresses of compose.yaml in its own configuration."""
        servers = COMPOSE["configs"]["nginx-servers"]["content"]
        addresses = [
            SERVICES[name]["networks"]["servers"]["ipv4_address"]
            for name in ("indico-1", "indico-2")
        ]
        self.assertEqual(re.findall(r"server ([\d.]+):8000 ", servers), addresses)
        with TemporaryDirectory(prefix="indico-nginx-") as folder:
            nginx = Nginx(Path(folder), [])
            Path(folder, "indico-servers.conf").write_text(servers)
            with nginx:
                self.assertEqual(nginx.errors(), "")
