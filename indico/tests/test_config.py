"""Your settings: each is a flag, an environment variable and a line of a file."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import redirect_stdout
from unittest import TestCase
from unittest.mock import patch

from pydantic import Field

from indico.config import Settings
from indico.engine.settings import env_name, load


class SettingsTest(TestCase):
    def test_names(self) -> None:
        self.assertEqual(env_name(Settings, "session_ttl_seconds"), "INDICO_SESSION_TTL_SECONDS")
        self.assertEqual(Settings().service_name, "indico")

    def test_a_setting_of_ones_own_is_one_line(self) -> None:
        class Own(Settings):
            greeting: str = Field("hello", description="what the server says first")

        shown = io.StringIO()
        with redirect_stdout(shown), self.assertRaises(SystemExit):
            load(Own, ["--help"])
        line = "what the server says first (default: hello; environment: INDICO_GREETING)"
        self.assertIn(f"--greeting VALUE {line}", " ".join(shown.getvalue().split()))
        with tempfile.NamedTemporaryFile("w+", suffix=".yaml") as file:
            file.write("greeting: good day")
            file.flush()
            flags = ["--config", file.name]
            self.assertEqual(load(Own, []).greeting, "hello")
            self.assertEqual(load(Own, flags).greeting, "good day")
            with patch.dict(os.environ, {"INDICO_GREETING": "hi"}):
                self.assertEqual(load(Own, flags).greeting, "hi")
                self.assertEqual(load(Own, [*flags, "--greeting", "hey"]).greeting, "hey")
