"""Templates and static files, as bytes and paths."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tornado.template import Loader

from indico.engine.http.static_files import StaticFiles
from indico.web.texts import Texts

__all__ = ["FILES", "render", "shown_time"]

_FOLDER = Path(__file__).parent
FILES = StaticFiles(_FOLDER / "static")
_TEMPLATES = Loader(str(_FOLDER / "templates"))


def render(template: str, texts: Texts, **values: Any) -> bytes:
    """Return a template as HTML. All values are escaped, unless the template says `raw`."""
    names = {"texts": texts, "static": FILES.url, "time": shown_time, **values}
    return _TEMPLATES.load(template).generate(**names)


def render_field(
    texts: Texts,
    values: Mapping[str, str],
    problems: Mapping[str, str],
    name: str,
    label: str,
    **attributes: str | bool,
) -> bytes:
    """Return the HTML of a form's field, with its value and what is wrong with it."""
    about = {"kind": "text", "autocomplete": "off", "required": True, "hint": "", **attributes}
    value, problem = values.get(name, ""), problems.get(name, "")
    return render(
        "field.html", texts, name=name, label=label, value=value, problem=problem, **about
    )


def shown_time(time: datetime) -> str:
    """Return a time to the minute, in a form that all languages share."""
    return f"{time:%Y-%m-%d %H:%M} UTC"
