from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import TestCase
from unittest.mock import patch

from pydantic import SecretStr, ValidationError

from ..settings import ServerSettings, SettingsError, env_name, shown_default, unknown_variables
from ..settings import load as load_settings
from .sample.app import Settings
from .sample.server import PROGRAM

URI = "mongodb://ada:hunter2@db.example.com/"
SECRET = "a secret of our own"


def load(flags: Sequence[str]) -> Settings:
    return load_settings(Settings, flags)


class ConfigTest(TestCase):
    """A file for settings, and an environment that ends with the test."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "settings.yaml"
        environment = patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        os.environ.pop(env_name(Settings, "mongodb_database"), None)
        os.environ.pop(env_name(Settings, "env_file"), None)
        self.enterContext(contextlib.chdir(folder.name))

    def refusal(self, *argv: str) -> str:
        with self.assertRaises(SettingsError) as raised:
            load(argv)
        return str(raised.exception)


class LoadTest(ConfigTest):
    def test_defaults(self) -> None:
        settings = load([])
        self.assertEqual((settings.host, settings.port), ("127.0.0.1", 8888))
        self.assertEqual(settings.environment, "development")
        self.assertFalse(settings.debug)
        for name, field in Settings.model_fields.items():
            self.assertEqual(getattr(settings, name), field.default)

    def test_order(self) -> None:
        self.file.write_text("port: 1\nhost: file\nmongodb_database: file\n")
        os.environ["SAMPLE_PORT"] = "2"
        os.environ["SAMPLE_HOST"] = "environment"
        settings = load(["--config", str(self.file), "--port", "3"])
        self.assertEqual(settings.port, 3)
        self.assertEqual(settings.host, "environment")
        self.assertEqual(settings.mongodb_database, "file")

    def test_flags(self) -> None:
        settings = load(["--debug", "--log-format", "json", "--mongodb-timeout-seconds", "2.5"])
        self.assertTrue(settings.debug)
        self.assertEqual(settings.log_format, "json")
        self.assertEqual(settings.mongodb_timeout_seconds, 2.5)
        os.environ["SAMPLE_DEBUG"] = "true"
        self.assertTrue(load([]).debug)
        self.assertFalse(load(["--no-debug"]).debug)

    def test_empty_is_unset(self) -> None:
        os.environ["SAMPLE_MONGODB_URI"] = ""
        self.file.write_text("")
        self.assertIsNone(load(["--config", str(self.file)]).mongodb_uri)

    def test_wrong_value(self) -> None:
        wrong = {
            "port": ("abc", "integer"),
            "log_format": ("xml", "'text' or 'json'"),
            "max_body_bytes": ("0", "greater than or equal to 1"),
            "drain_seconds": ("-1", "greater than 0"),
            "body_timeout_seconds": ("inf", "finite"),
            "offload_processes": ("-1", "greater than or equal to 0"),
            "mongodb_driver": ("mongoengine", "'motor' or 'pymongo'"),
            "mongodb_database": ("a b", "pattern"),
            "environment": ("prod", "'development' or 'production'"),
        }
        for name, (value, allowed) in wrong.items():
            with self.subTest(name=name):
                os.environ[env_name(Settings, name)] = value
                line = self.refusal()
                self.assertTrue(line.startswith(f"{name}: '{value}' is not allowed: "), line)
                self.assertIn(allowed, line)
                self.assertNotIn("\n", line)
                del os.environ[env_name(Settings, name)]

    def test_several_wrong_values(self) -> None:
        lines = self.refusal("--port", "x", "--log-format", "y").splitlines()
        self.assertEqual([line.split(":")[0] for line in lines], ["port", "log_format"])

    def test_a_key_without_its_certificate(self) -> None:
        line = self.refusal("--private-key", "key.pem")
        self.assertEqual(line.split(":")[0], "certificate")

    def test_networks(self) -> None:
        settings = load(["--trusted-proxies", "10.0.0.0/8, ::1"])
        self.assertEqual([str(n) for n in settings.trusted_proxies], ["10.0.0.0/8", "::1/128"])
        self.file.write_text("trusted_proxies: [10.0.0.0/8, 127.0.0.1]")
        self.assertEqual(len(load(["--config", str(self.file)]).trusted_proxies), 2)
        for wrong in ("10.0.0.1/8", "nobody", "10.0.0.0/33"):
            line = self.refusal("--trusted-proxies", wrong)
            self.assertIn(f"trusted_proxies: '{wrong}' is not allowed: ", line)
            self.assertNotIn("Value error", line)
        self.file.write_text("trusted_proxies: 5")
        self.assertIn("trusted_proxies: 5", self.refusal("--config", str(self.file)))

    def test_origins(self) -> None:
        settings = load(["--cors-origins", "https://a.example, http://localhost:3000"])
        self.assertEqual(settings.cors_origins, ("https://a.example", "http://localhost:3000"))
        self.file.write_text("cors_origins: ['*']")
        self.assertEqual(load(["--config", str(self.file)]).cors_origins, ("*",))
        for wrong, why in (
            ("https://a.example/", "https://a.example/ is no origin"),
            ("a.example", "without a path"),
            ("https://A.example", "is no origin"),
            ("https://a.example,null", "null is no origin"),
            ("https://*.example", "is no origin"),
            ("*,https://a.example", "must stand alone"),
        ):
            line = self.refusal("--cors-origins", wrong)
            self.assertIn(f"cors_origins: '{wrong}' is not allowed: ", line)
            self.assertIn(why, line)
        self.file.write_text("cors_origins: 5")
        self.assertIn("cors_origins: 5", self.refusal("--config", str(self.file)))

    def test_trusted_origins(self) -> None:
        settings = load(["--trusted-origins", "https://a.example"])
        self.assertEqual(settings.trusted_origins, ("https://a.example",))
        self.assertIn("name each origin", self.refusal("--trusted-origins", "*"))

    def test_secrets(self) -> None:
        keys = ["the first old key", "the second old key"]
        self.file.write_text(f"old_secret_keys: {keys}")
        for flags, values in (
            (["--config", str(self.file)], keys),
            (["--old-secret-keys", "first-old-key-01, second-old-key-2"], None),
        ):
            secrets = [key.get_secret_value() for key in load(flags).old_secret_keys]
            self.assertEqual(secrets, values or ["first-old-key-01", "second-old-key-2"])
        line = self.refusal("--old-secret-keys", "first-old-key-01,short")
        self.assertIn("old_secret_keys: the value is not allowed: it has fewer than 16", line)
        self.assertNotIn("first-old", line)

    def test_unknown_key(self) -> None:
        self.file.write_text("prot: 1\n")
        line = self.refusal("--config", str(self.file))
        self.assertTrue(line.startswith("prot: there is no such setting; known are environment,"))

    def test_unreadable_file(self) -> None:
        self.assertIn("No such file", self.refusal("--config", "nowhere.yaml"))
        self.assertIn("config: ", self.refusal("--config", ""))
        for text in ("- 1", "port: [", "5", "1: 2", "[" * 600):
            self.file.write_text(text)
            self.assertTrue(self.refusal("--config", str(self.file)).startswith("config: "))
        self.file.write_bytes(b"\xff")
        self.assertIn("is not YAML", self.refusal("--config", str(self.file)))
        self.file.write_text("port: 1\nmongodb_uri: mongodb://u:hunter2@h: x")
        line = self.refusal("--config", str(self.file))
        self.assertIn("is not YAML, line 2", line)
        self.assertNotIn("hunter2", line)

    def test_secrets_are_not_shown(self) -> None:
        self.assertNotIn("hunter2", repr(load(["--mongodb-uri", URI])))
        self.file.write_text("mongodb_uri: [hunter2]")
        line = self.refusal("--config", str(self.file))
        self.assertTrue(line.startswith("mongodb_uri: the value is not allowed"), line)
        self.assertNotIn("hunter2", line)

    def test_a_short_secret(self) -> None:
        line = self.refusal("--secret-key", "hunter2")
        start = "secret_key: the value is not allowed: it has fewer than 16 characters ("
        self.assertTrue(line.startswith(start), line)

    def test_help(self) -> None:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), self.assertRaises(SystemExit) as left:
            load(["--help"])
        self.assertEqual(left.exception.code, 0)
        text = " ".join(out.getvalue().split())
        for name, field in Settings.model_fields.items():
            default = shown_default(field)
            self.assertIn(f"--{name.replace('_', '-')}", text)
            shown = f"(default: {default}; environment: {env_name(Settings, name)})"
            self.assertIn(f"{field.description} {shown}", text)

    def test_unknown_flag(self) -> None:
        err = io.StringIO()
        for argv in (["--prot", "1"], ["--mongodb_uri=mongodb://u:hunter2@h/"], ["hunter2"]):
            with contextlib.redirect_stderr(err), self.assertRaises(SystemExit) as left:
                load(argv)
            self.assertEqual(left.exception.code, 2)
        self.assertIn("there is no such flag: --mongodb_uri\n", err.getvalue())
        self.assertNotIn("hunter2", err.getvalue())


class EnvFileTest(ConfigTest):
    """The file `.env` in the working directory."""

    def setUp(self) -> None:
        super().setUp()
        self.env = Path(".env")
        self.env.write_text("SAMPLE_PORT=1\nsample_greeting='good day'\nSAMPLE_HOST=\nOTHER=2\n")

    def test_order(self) -> None:
        self.file.write_text("port: 3\nhost: file\ngreeting: file")
        flags = ["--config", str(self.file)]
        settings = load(flags)
        self.assertEqual((settings.port, settings.host, settings.greeting), (1, "file", "good day"))
        os.environ["SAMPLE_PORT"] = "4"
        self.assertEqual(load(flags).port, 4)
        self.assertEqual(load([*flags, "--port", "5"]).port, 5)

    def test_another_file(self) -> None:
        Path("other").write_text("SAMPLE_PORT=6\nSAMPLE_TRUSTED_PROXIES=10.0.0.0/8,::1")
        settings = load(["--env-file", "other"])
        self.assertEqual((settings.port, len(settings.trusted_proxies)), (6, 2))
        os.environ["SAMPLE_ENV_FILE"] = "other"
        self.assertEqual(load([]).port, 6)
        self.assertEqual(load(["--env-file", ""]).port, 8888)

    def test_production_does_not_read_it(self) -> None:
        self.file.write_text(f"environment: production\nmongodb_uri: {URI}\nsecret_key: {SECRET}")
        self.assertEqual(load(["--config", str(self.file)]).port, 8888)
        os.environ["SAMPLE_ENVIRONMENT"] = "development"
        self.assertEqual(load(["--config", str(self.file)]).port, 1)
        del os.environ["SAMPLE_ENVIRONMENT"]
        self.env.write_text("SAMPLE_ENVIRONMENT=production")
        self.assertRegex(self.refusal(), "^environment: .env can't say production, which does not")

    def test_refused(self) -> None:
        self.env.write_text("SAMPLE_PORT=x")
        self.assertTrue(self.refusal().startswith("port: 'x' is not allowed"))
        self.env.write_bytes(b"\xff")
        self.assertEqual(self.refusal(), "env_file: .env can't be read: it is not UTF-8")
        with patch("builtins.open", side_effect=PermissionError(13, "Permission denied")):
            self.assertEqual(self.refusal(), "env_file: .env can't be read: Permission denied")


class UnknownVariablesTest(ConfigTest):
    def unknown(self, *flags: str) -> list[str]:
        return list(unknown_variables(load(flags)))

    def test_the_nearest_name(self) -> None:
        self.assertEqual(self.unknown(), [])
        os.environ |= {"SAMPLE_PROT": "1", "sample_gretting": "2", "SAMPLE_PORT": "3", "PROT": "4"}
        Path(".env").write_text("SAMPLE_QQQQ=5\nQQQQ=6")
        prot = "SAMPLE_PROT is no setting; did you mean SAMPLE_PORT?"
        qqqq = "SAMPLE_QQQQ is no setting; --help shows all"
        gretting = "SAMPLE_GRETTING is no setting; did you mean SAMPLE_GREETING?"
        self.assertEqual(self.unknown(), [gretting, prot, qqqq])
        production = ("--environment", "production", "--mongodb-uri", URI, "--secret-key", SECRET)
        self.assertEqual(self.unknown(*production), [gretting, prot])

    def test_without_a_prefix_all_may_be_others(self) -> None:
        self.assertEqual(list(unknown_variables(ServerSettings())), [])


class ProductionTest(ConfigTest):
    def test_valid(self) -> None:
        flags = ["--environment", "production", "--mongodb-uri", URI, "--secret-key", SECRET]
        settings = load(flags)
        self.assertEqual(settings.environment, "production")

    def test_refused(self) -> None:
        lines = self.refusal("--environment", "production", "--debug").splitlines()
        refused = ["mongodb_uri", "debug", "secret_key"]
        self.assertEqual([line.split(":")[0] for line in lines], refused)

    def test_an_old_key_that_everybody_knows(self) -> None:
        self.file.write_text("old_secret_keys: [for development only]")
        flags = ["--environment", "production", "--mongodb-uri", URI, "--secret-key", SECRET]
        line = self.refusal(*flags, "--config", str(self.file))
        self.assertTrue(line.startswith("old_secret_keys: has the public default"), line)

    def test_a_secret_at_its_default(self) -> None:
        class WithSecret(Settings):
            a_key: SecretStr = SecretStr("change me")

        own: Any = {"mongodb_uri": SecretStr(URI), "secret_key": SecretStr(SECRET)}
        own["environment"] = "production"
        with self.assertRaisesRegex(ValidationError, "a_key: is a secret left at its default"):
            WithSecret(**own)
        WithSecret(**own, a_key=SecretStr("my own"))
        WithSecret()


class NameTest(TestCase):
    """The project's name, which is the default of two settings."""

    def names(self, kind: type[ServerSettings]) -> tuple[str, str, str]:
        settings = kind()
        self.assertEqual(shown_default(kind.model_fields["service_name"]), settings.service_name)
        return settings.project(), settings.service_name, settings.mongodb_database

    def setUp(self) -> None:
        environment = patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        os.environ.pop(env_name(Settings, "mongodb_database"), None)

    def test_defaults(self) -> None:
        self.assertEqual(self.names(Settings), ("sample",) * 3)
        self.assertEqual(self.names(ServerSettings), ("server",) * 3)

    def test_subclass_of_a_subclass(self) -> None:
        class Acme(ServerSettings, env_prefix="ACME_"):
            pass

        class AcmeBranch(Acme):
            pass

        class Stall(AcmeBranch, env_prefix="MARKET_STALL_"):
            pass

        for kind in (Acme, AcmeBranch):
            self.assertEqual(self.names(kind), ("acme",) * 3)
        self.assertEqual(self.names(Stall), ("market_stall",) * 3)
        self.assertEqual(env_name(AcmeBranch, "port"), "ACME_PORT")

    def test_a_default_of_ones_own(self) -> None:
        class Acme(ServerSettings, env_prefix="ACME_"):
            service_name: str = "The Acme"

        class Stall(Acme, env_prefix="STALL_"):
            pass

        self.assertEqual(self.names(Acme), ("acme", "The Acme", "acme"))
        self.assertEqual(self.names(Stall), ("stall", "The Acme", "stall"))

    def test_another_prefix_than_the_program_says(self) -> None:
        self.assertIs(PROGRAM.settings_class(), Settings)
        with self.assertRaisesRegex(ValueError, "SAMPLE_.*'ACME_': write the same in both"):
            PROGRAM._replace(env_prefix="ACME_").settings_class()

    def test_no_prefix(self) -> None:
        class Bare(ServerSettings):
            pass

        self.assertEqual(self.names(Bare), ("server",) * 3)

    def test_a_value(self) -> None:
        with patch.dict(os.environ, {"SAMPLE_SERVICE_NAME": "Samples"}):
            self.assertEqual(self.names_of([]), ("Samples", "sample"))
            self.assertEqual(self.names_of(["--mongodb-database", "other"]), ("Samples", "other"))

    def names_of(self, flags: Sequence[str]) -> tuple[str, str]:
        settings = load(flags)
        return settings.service_name, settings.mongodb_database

    def test_a_setting_of_ones_own(self) -> None:
        with patch.dict(os.environ, {env_name(Settings, "greeting"): "good day"}):
            self.assertEqual(load([]).greeting, "good day")
            self.assertEqual(load(["--greeting", "hi"]).greeting, "hi")
