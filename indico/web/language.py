"""The language of a page: a module of `texts/` that the browser prefers."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from indico.engine.http.accept import weights
from indico.web import texts
from indico.web.texts import Texts

__all__ = ["LANGUAGES", "choose"]

DEFAULT = "en"
LANGUAGES: dict[str, Texts] = {
    module.name: import_module(f"{texts.__name__}.{module.name}").TEXTS
    for module in iter_modules(texts.__path__)
}


def choose(accept_language: str) -> Texts:
    """Return the texts that a browser with this header `Accept-Language` likes best."""
    liked = (code.partition("-")[0] for code, weight in weights(accept_language).items() if weight)
    return LANGUAGES[next((code for code in liked if code in LANGUAGES), DEFAULT)]
