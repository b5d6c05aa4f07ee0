from __future__ import annotations

import random
import string
from typing import Any

from ...doctor.trust import entropy, proxies, secrets
from ...settings import load
from ..sample.app import Settings
from .doctor_test import DoctorTest

KEY = "c8b1f0a2793e46d5e0975b3fd182a64c"
OWN: dict[str, Any] = {"environment": "production", "secret_key": KEY}
URI = "mongodb://ada:hunter2@db.example.com,db2.example.com/"


class SecretsTest(DoctorTest):
    def of(self, *flags: str, **chosen: Any) -> list[str]:
        """Return the findings that are not ok."""
        lines = [
            f"{found.state}: {found.seen}" for found in secrets(self.settings(**chosen), flags)
        ]
        self.assertNotIn("hunter2", str(lines))
        self.assertNotIn(KEY, str(lines))
        self.assertEqual(
            self.found(secrets, self.settings(**chosen), flags)[0], lines[0][:5].split(":")[0]
        )
        return [line for line in lines if not line.startswith("ok: ")]

    def test_secret_key(self) -> None:
        production: dict[str, Any] = {"environment": "production", "mongodb_uri": URI}
        self.assertEqual(self.of(), [])
        self.assertEqual(self.of(secret_key=2 * "0123456789abcdef"), [])
        self.assertEqual(self.of(**production, secret_key=KEY), [])
        for weak in (2 * "0123456789abcdef", "ab" * 20, "correct horse battery staple"):
            (line,) = self.of(**production, secret_key=weak)
            self.assertTrue(line.startswith("fault: secret_key can be guessed"), line)
        for strong in ("kq7w2mzx5fj9bt4hv8ns3rdp6c", "s3T_x-Qe0bLk9uYw2Vn7"):
            self.assertEqual(self.of(**production, secret_key=strong), [])

    def test_entropy(self) -> None:
        """Keys of generators pass, and what people type does not."""
        rng = random.Random(1)
        for characters, length in (
            ("0123456789abcdef", 32),
            (string.ascii_lowercase, 26),
            (string.ascii_letters + string.digits, 22),
        ):
            keys = ["".join(rng.choices(characters, k=length)) for _ in range(200)]
            self.assertGreater(min(map(entropy, keys)), 64, characters)
        for typed in ("", "a", "changemechangemechangeme", "my-secret-key-for-production-1"):
            self.assertLess(entropy(typed), 64, typed)

    def test_user_of_mongodb(self) -> None:
        x509 = "mongodb://db.example.com/?tls=true&authMechanism=MONGODB-X509"
        self.assertEqual(self.of(**OWN, mongodb_uri=x509), [])
        (line,) = self.of(**OWN, mongodb_uri="mongodb://db.example.com/")
        self.assertTrue(line.startswith("warning: mongodb_uri has no user"))
        self.assertEqual(self.of(mongodb_uri="mongodb://db.example.com/"), [])

    def test_flags(self) -> None:
        self.assertEqual(self.of("--mongodb-uri", "mongodb://db/", "--port", "1"), [])
        for flags in (("--secret-key", KEY), ("--mongodb-uri", URI)):
            (line,) = self.of(*flags)
            self.assertTrue(line.startswith("warning: A secret is on the command line"), line)

    def test_file(self) -> None:
        file = self.folder / "settings.yaml"
        for text, secret in (
            ("", False),
            ("port: 1 # ada@example.com\nmongodb_uri:", False),
            (f"mongodb_uri: {URI}", True),
            (f"secret_key: {KEY}", True),
        ):
            file.write_text(text)
            for mode, readable in ((0o600, False), (0o640, False), (0o644, True)):
                file.chmod(mode)
                load(Settings, ("--config", str(file)))
                self.assertEqual(len(self.of("--config", str(file))), secret and readable)


class ProxiesTest(DoctorTest):
    def of(self, networks: str, **chosen: Any) -> str:
        return self.one(proxies, self.settings(trusted_proxies=networks, **chosen))

    def test_valid(self) -> None:
        self.assertEqual(self.of(""), "ok: No proxy is trusted. ")
        line = self.of("127.0.0.1, 10.0.0.0/8, fd00::/8, 100.64.0.0/10")
        self.assertIn("ok: X-Forwarded-For is read from 127.0.0.1/32, 10.0.0.0/8", line)

    def test_everybody(self) -> None:
        for network in ("0.0.0.0/0", "10.0.0.1, ::/0"):
            self.assertIn("fault: ", self.of(network))

    def test_public(self) -> None:
        for network in ("8.8.8.8", "10.0.0.1, 2001:4860::/32", "0.0.0.0/1", "128.0.0.0/1"):
            self.assertIn("warning: ", self.of(network))

    def test_none_in_production(self) -> None:
        production: dict[str, Any] = {**OWN, "mongodb_uri": URI}
        note = "ok: No proxy is trusted: behind a proxy"
        for host, told in (("0.0.0.0", True), ("::", True), ("example.com", True)):
            self.assertEqual(self.of("", host=host, **production).startswith(note), told)
        for host in ("127.0.0.1", "::1", "localhost"):
            self.assertEqual(self.of("", host=host, **production), "ok: No proxy is trusted. ")
        self.assertEqual(self.of("", host="0.0.0.0"), "ok: No proxy is trusted. ")
