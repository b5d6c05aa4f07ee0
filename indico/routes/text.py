"""`/text`: what a text is about."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from indico.routes.handler import IndicoHandler
from indico.service.text import Keyword, keywords
from indico.utils import type_check, unpack
from indico.utils.auth.auth_utils import auth

Text = Annotated[str, StringConstraints(max_length=200_000)]


class TextHandler(IndicoHandler):
    """Work for a processor, which is offloaded: the server goes on with other requests."""

    @auth
    @unpack("text", limit=10)
    @type_check(Text, Annotated[int, Field(ge=1, le=100)])
    async def keywords(self, text: str, limit: int) -> list[Keyword]:
        """The `limit` words that say most, the best first: `word`, and `score`, 1 for the best."""
        return await keywords(text, limit)


TextRoute = (r"/text/(?P<action>[a-zA-Z_]+)?", TextHandler)
