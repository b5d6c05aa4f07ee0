"""`/dashboard`: the account, its sessions, and the address book; and the end of sessions."""

from __future__ import annotations

from functools import partial

import indico.db.session_db as SessionDB
import indico.db.user_db as UserDB
from indico.db import ObjectId
from indico.error import InvalidArgument
from indico.service import address_book
from indico.service.address_book import POSITION, Book, Position
from indico.web.contact import Contact
from indico.web.handler import PageHandler, authenticated

Row = tuple[ObjectId, Contact]
_ENTRIES = 20
_MAX_QUERY = 100


class DashboardHandler(PageHandler):
    """The overview of an account."""

    @authenticated
    async def get(self) -> None:
        query = self.get_query_argument("query", "")[:_MAX_QUERY]
        cursor = self.get_query_argument("cursor", None)
        find = partial(_find, self.user_id, query or None)
        entries = await self.page(find, _ENTRIES, cursor, query, kind=POSITION)
        self.show(
            "dashboard.html",
            account=await UserDB.get(self.user_id),
            uses=await SessionDB.find_uses(self.user_id),
            entries=entries["items"],
            next_cursor=entries["next_cursor"],
            cursor=cursor,
            query=query,
        )


class SessionsHandler(PageHandler):
    """The end of one session in the field `session`, or of all sessions but this one."""

    @authenticated
    async def post(self) -> None:
        if session_id := self.form.get("session"):
            try:
                await SessionDB.revoke_one(self.user_id, bytes.fromhex(session_id))
            except ValueError:
                raise InvalidArgument("The field session is wrong.") from None
            self.redirect_after("/dashboard?done=session")
        else:
            await SessionDB.revoke_others(self.user_id, self.session, None)
            self.redirect_after("/dashboard?done=sessions")


DashboardRoute = (r"/dashboard", DashboardHandler)
SessionsRoute = (r"/dashboard/sessions", SessionsHandler)


async def _find(
    book: Book, query: str | None, limit: int, after: Position | None
) -> tuple[list[Row], Position | None]:
    found, end = await address_book.list_addresses(book, limit, after, query)
    return [(address.id, Contact.of(address.entry)) for address in found], end
