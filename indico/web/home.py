"""`/`: what this server is, and whether it works."""

from __future__ import annotations

from indico.web.handler import PageHandler, failed_checks


class HomeHandler(PageHandler):
    """The start page."""

    async def get(self) -> None:
        failed = await failed_checks(self.application)
        self.show("home.html", failed=failed.values(), docs=self.config.serves_docs)


HomeRoute = (r"/", HomeHandler)
