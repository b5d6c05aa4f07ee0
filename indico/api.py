"""`python -m indico.api`: writes the page of all calls, docs/api.md or another file."""

from __future__ import annotations

import sys
from pathlib import Path

from indico.engine.requirements import required

with required():
    from indico.app import make_app
    from indico.config import Settings
    from indico.engine.openapi.markdown import page
    from indico.engine.openapi.pages import api_of
    from indico.engine.openapi.schemas import Schema

PAGE = Path(__file__).resolve().parents[1] / "docs/api.md"


def document() -> Schema:
    """Return the document of the app with the default settings, whatever the environment says."""
    return api_of(make_app(Settings.model_construct())).document()


def text() -> str:
    return page(document())


if __name__ == "__main__":
    Path(*sys.argv[1:] or [str(PAGE)]).write_text(text(), encoding="utf-8")
