from __future__ import annotations

import json
import os
import tempfile
from unittest import TestCase
from unittest.mock import patch

from ...oidc.provider_settings import ProviderSettings
from ...settings import SettingsError, load


class Settings(ProviderSettings, env_prefix="SAMPLE_"): ...


class ProvidersTest(TestCase):
    """The services that people may log in with."""

    ISSUER = "https://accounts.example.com"
    SECRET = "hunter2 hunter2"

    def load(self, *flags: str, file: str = "", **variables: str) -> Settings:
        with tempfile.NamedTemporaryFile("w+", suffix=".yaml") as config:
            config.write(file)
            config.flush()
            named = {f"SAMPLE_{name.upper()}": value for name, value in variables.items()}
            with patch.dict(os.environ, named):
                return load(Settings, ["--config", config.name, *flags])

    def refusal(self, *flags: str, file: str = "") -> str:
        with self.assertRaises(SettingsError) as caught:
            self.load(*flags, file=file)
        self.assertNotIn("hunter2", str(caught.exception))
        return str(caught.exception)

    def several(self, **changes: object) -> str:
        work = {"issuer": self.ISSUER, "client_id": "me", "client_secret": self.SECRET, **changes}
        return json.dumps({"work": work})

    def test_none(self) -> None:
        self.assertEqual(self.load().providers, {})

    def test_one(self) -> None:
        one = ("--oidc-issuer", self.ISSUER, "--oidc-client-id", "me")
        settings = self.load(*one, oidc_client_secret=self.SECRET)
        (name,) = settings.providers
        provider = settings.providers[name]
        self.assertEqual((name, provider.client_id), ("accounts.example.com", "me"))
        assert provider.client_secret is not None
        self.assertEqual(provider.client_secret.get_secret_value(), self.SECRET)
        self.assertNotIn("hunter2", repr(settings))
        self.assertIsNone(self.load(*one).providers[name].client_secret)

    def test_several(self) -> None:
        text = self.several()
        for settings in (
            self.load("--oidc-providers", text),
            self.load(oidc_providers=text),
            self.load(file=f"oidc_providers: {text}"),
        ):
            self.assertEqual(settings.providers["work"].issuer, self.ISSUER)
            self.assertNotIn("hunter2", repr(settings))

    def test_both(self) -> None:
        one = ("--oidc-issuer", "http://localhost:9400", "--oidc-client-id", "me")
        both = self.load(*one, "--oidc-providers", self.several()).providers
        self.assertEqual(set(both), {"localhost", "work"})

    def test_half(self) -> None:
        for flags, missing in (
            (("--oidc-issuer", self.ISSUER), "oidc_client_id"),
            (("--oidc-client-id", "me"), "oidc_issuer"),
            (("--oidc-client-secret", self.SECRET), "oidc_issuer"),
        ):
            self.assertTrue(self.refusal(*flags).startswith(f"{missing}: is not set"), flags)

    def test_wrong_issuer(self) -> None:
        for issuer in (
            "accounts.example.com",
            "http://accounts.example.com",
            "https://",
            "https://a.example?x=1",
            "https://a.example#x",
            "https://[",
            "",
        ):
            line = self.refusal(f"--oidc-issuer={issuer}", "--oidc-client-id", "me")
            self.assertTrue(line.startswith(f"oidc_issuer: '{issuer}' is not allowed"), line)

    def test_wrong_providers(self) -> None:
        for text, why in (
            ("{", "it is not JSON"),
            ("5", "should be a valid dictionary"),
            (self.several(issuer="http://a.example"), "work.issuer: Value error, it must be like"),
            (self.several(client_id=""), "work.client_id: String should have at least 1"),
            (self.several(secret=self.SECRET), "work.secret: Extra inputs are not permitted"),
            (self.several(client_secret=[self.SECRET]), "work.client_secret: "),
            (self.several().replace("work", "my work"), "my work.[key]: "),
        ):
            line = self.refusal("--oidc-providers", text)
            self.assertTrue(line.startswith("oidc_providers: the value is not allowed: "), line)
            self.assertIn(why, line)
