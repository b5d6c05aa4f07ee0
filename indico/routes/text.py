"""`/text`: analysis of texts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from indico.error import RateLimited
from indico.routes.handler import IndicoHandler, Page
from indico.service.text import Keyword, keywords
from indico.utils import raises, read_only, type_check, unpack
from indico.utils.auth.auth_utils import auth

Text = Annotated[str, StringConstraints(max_length=200_000)]


class TextHandler(IndicoHandler):
    """Actions that compute for long, and therefore run in other processes."""

    @read_only
    @auth
    @unpack("text", limit=10)
    @type_check(Text, Annotated[int, Field(ge=1, le=100)])
    @raises(RateLimited)
    async def keywords(self, text: str, limit: int) -> Page[Keyword]:
        """Return the `limit` most important words, best first, without the stop words of English.

        The action runs in another process. Too many waiting calls are a 503, too many calls of the
        user a 429, and 30 seconds a 504.
        """
        return Page(items=await keywords(text, limit), next_cursor=None)


TextRoute = (r"/text/(?P<action>[a-zA-Z_]+)?", TextHandler)
