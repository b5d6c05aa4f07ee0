"""The manifests for Kubernetes, against its own schemas."""

from __future__ import annotations

import unittest
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from indico.config import Settings
from indico.tests.deploy.programs import DEPLOY, needs, program, read_by
from indico.tests.deploy.test_containers import DOCKERFILE

FOLDER = DEPLOY / "kubernetes"
FILES = sorted(file for file in FOLDER.glob("*.yaml") if file.name != "kustomization.yaml")
MANIFESTS: dict[str, dict[str, Any]] = {
    manifest["kind"]: manifest for manifest in map(yaml.safe_load, map(Path.read_text, FILES))
}
VALIDATE = program("kubernetes-validate")
_PRIVATE = [*map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))]
LABELS = {"app.kubernetes.io/name": "indico"}


def ways_out() -> list[dict[str, Any]]:
    """Return the rules for connections to the internet."""
    rules = MANIFESTS["NetworkPolicy"]["spec"]["egress"]
    return [rule for rule in rules if any("ipBlock" in each for each in rule["to"])]


@needs(VALIDATE, "kubernetes-validate, of pip install -r req-check.txt")
class SchemaTest(unittest.TestCase):
    integration = True

    def test_valid(self) -> None:
        said = read_by(VALIDATE, "--strict", *FILES)
        self.assertEqual((said.returncode, said.stdout.count(" passed ")), (0, len(FILES)))

    def test_finds_a_fault(self) -> None:
        text = FOLDER.joinpath("deployment.yaml").read_text()
        with TemporaryDirectory(prefix="indico-tests-") as folder:
            file = Path(folder, "deployment.yaml")
            file.write_text(text.replace("readinessProbe", "readyProbe"))
            said = read_by(VALIDATE, "--strict", file)
        self.assertNotEqual(said.returncode, 0)
        self.assertIn("readyProbe", said.stdout)


class ManifestsTest(unittest.TestCase):
    """Facts that the schemas don't check."""

    pod = MANIFESTS["Deployment"]["spec"]["template"]
    container = pod["spec"]["containers"][0]

    def test_kustomization(self) -> None:
        """The kustomization takes all manifests but the example."""
        listed = yaml.safe_load(FOLDER.joinpath("kustomization.yaml").read_text())["resources"]
        files = {file.name for file in FILES} - {"secret.example.yaml"}
        self.assertEqual(set(listed), files)

    def test_labels(self) -> None:
        self.assertEqual(self.pod["metadata"]["labels"], LABELS)
        for kind in ("Deployment", "PodDisruptionBudget"):
            self.assertEqual(MANIFESTS[kind]["spec"]["selector"]["matchLabels"], LABELS)
        self.assertEqual(MANIFESTS["Service"]["spec"]["selector"], LABELS)
        policy = MANIFESTS["NetworkPolicy"]["spec"]["podSelector"]
        self.assertEqual(policy["matchLabels"], LABELS)

    def test_logins_with_other_services(self) -> None:
        """Requests to them have a way out of their own, which leads to no private address."""
        self.assertIn([{"port": 443, "protocol": "TCP"}], [way["ports"] for way in ways_out()])
        for way in ways_out():
            blocks = [each["ipBlock"] for each in way["to"]]
            kept = [ip_network(each) for block in blocks for each in block.get("except", ())]
            self.assertEqual([net for net in _PRIVATE if net not in kept], [])

    def test_settings(self) -> None:
        """The manifests set known settings, and a Secret that nobody filled in is refused."""
        config, secret = MANIFESTS["ConfigMap"]["data"], MANIFESTS["Secret"]["stringData"]
        for name in (*config, *secret):
            self.assertIn(name.removeprefix("INDICO_").lower(), Settings.model_fields)
        self.assertEqual(set(secret.values()), {""})
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        self.assertEqual(str(ports["metrics"]), config["INDICO_METRICS_PORT"])
        self.assertIn(f"INDICO_PORT={ports['http']} ", DOCKERFILE)
        self.assertFalse(self.pod["spec"]["enableServiceLinks"])

    def test_user(self) -> None:
        context = self.pod["spec"]["securityContext"]
        self.assertIn(f"USER {context['runAsUser']}:{context['runAsGroup']}\n", DOCKERFILE)

    def test_time_to_stop(self) -> None:
        before = self.container["lifecycle"]["preStop"]["sleep"]["seconds"]
        needed = before + Settings().drain_seconds + 5
        self.assertGreaterEqual(self.pod["spec"]["terminationGracePeriodSeconds"], needed)
