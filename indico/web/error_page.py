"""The pages of errors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from tornado.httputil import HTTPHeaders

from indico.config import Settings
from indico.error import IndicoError
from indico.web import language
from indico.web.rendering import render

_ID = "{request_id}"  # a place that is filled in each page, which is made once


def error_page(
    settings: Settings,
) -> Callable[[IndicoError, str, HTTPHeaders, Sequence[str]], bytes] | None:
    """Return a function that makes the page of an error; None if the pages are off."""
    if not settings.pages:
        return None

    def page(
        error: IndicoError, request_id: str, headers: HTTPHeaders, trace: Sequence[str]
    ) -> bytes:
        texts = language.choose(headers.get("Accept-Language", ""))
        message = "" if error.status in texts.errors else error.message
        made = _page(settings.service_name, texts.code, error.status, message, "".join(trace))
        return made.replace(_ID.encode(), request_id.encode())  # an id of harmless characters

    return page


# Too much load is the worst time to make the same page again.
@functools.lru_cache(maxsize=64)
def _page(site: str, code: str, status: int, message: str, trace: str) -> bytes:
    texts = language.LANGUAGES[code]
    title, sentence = texts.errors.get(status, (texts.other_error, message))
    return render(
        "error.html",
        texts,
        site=site,
        user=None,
        title=title,
        sentence=sentence,
        status=status,
        request_id=_ID,
        trace=trace,
    )
