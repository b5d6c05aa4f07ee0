"""docs/pages.md: the page that is added there."""

from __future__ import annotations

import dataclasses
import re
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from tornado.template import Loader

from indico.engine.http.application import Application
from indico.tests.server_process import ROOT
from indico.tests.web.page_test import PageTest
from indico.web import language, rendering, routes
from indico.web.routes import PAGES

DOCUMENTATION = (ROOT / "docs/pages.md").read_text()
TEMPLATES = ROOT / "indico/web/templates"


def block(kind: str) -> str:
    (found,) = re.findall(rf"```{kind}\n(.*?)```", DOCUMENTATION, re.S)
    return str(found)


class NewPageTest(PageTest):
    def make_app(self, settings: Any) -> Application:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="test-")), "templates")
        shutil.copytree(TEMPLATES, folder)
        (folder / "tokens.html").write_text(block("html"))
        self.enterContext(patch.object(rendering, "_TEMPLATES", Loader(str(folder))))
        english = dataclasses.asdict(language.LANGUAGES["en"])
        texts = SimpleNamespace(**english, tokens="Tokens")
        self.enterContext(patch.object(language, "choose", lambda header: texts))
        module: dict[str, Any] = {"__name__": "indico.web.tokens"}
        exec(compile(block("python"), "docs/pages.md", "exec"), module)
        self.enterContext(patch.object(routes, "PAGES", [*PAGES, module["TokensRoute"]]))
        return super().make_app(settings)

    def test_valid(self) -> None:
        self.leads_to(self.visit("/dashboard/tokens"), "/login?next=%2Fdashboard%2Ftokens")
        self.enter()
        self.assertTrue(self.page(self.visit("/dashboard/tokens")).endswith("Tokens 1"))
