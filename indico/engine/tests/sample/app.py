"""The sample's settings, actions and URL map."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, JsonValue, StringConstraints
from typing_extensions import TypedDict

from ...error import AuthError, Conflict, NotFound
from ...http.action_handler import ActionHandler
from ...http.answer import Created
from ...http.application import Application, operating_routes
from ...http.batch import BatchRoute
from ...http.decorators import raises, type_check, unpack
from ...http.rest_handler import RestHandler
from ...live.routes import live_routes
from ...mongo.collection import Collection, IndexModel
from ...mongo.driver import ObjectId
from ...openapi.document import API
from ...openapi.pages import docs_routes, openapi_route
from ...settings import ServerSettings
from ..offload.work import hold, join
from . import accounts
from .accounts import auth


class MemoDocument(TypedDict):
    _id: ObjectId
    user_id: ObjectId
    text: str
    secret: str


class ItemDocument(TypedDict):
    _id: ObjectId
    item: dict[str, Any]


ITEMS = Collection("sample_items", ItemDocument, IndexModel("owner"))
MEMOS = Collection(
    "sample_memos",
    MemoDocument,
    IndexModel("user_id"),
    owner="user_id",
    live=lambda memo: {"id": memo["_id"], "text": memo["text"]},
)
Email = Annotated[str, StringConstraints(pattern="^[^@]+@[^@]+$")]


class Settings(ServerSettings, env_prefix="SAMPLE_"):
    """The settings of every server, and one more."""

    greeting: str = Field("hello", description="what /system/greet answers")


class UserUpdate(BaseModel):
    name: str


class User(TypedDict):
    """An account."""

    id: ObjectId
    email: str
    name: str | None


class Login(TypedDict):
    """A token and its account."""

    user: User
    token: str


class Check(TypedDict):
    user_id: ObjectId


class Revoked(TypedDict):
    revoked: int


class SampleHandler(ActionHandler):
    """The types of what the engine and `auth` set."""

    config: Settings
    session: accounts.Session
    user_id: ObjectId


class AuthHandler(SampleHandler):
    @unpack("email", "password")
    @type_check(Email, Annotated[str, StringConstraints(min_length=8)])
    @raises(Conflict)
    async def register(self, email: str, password: str) -> Created[Login]:
        """Make an account and log in."""
        return await accounts.register(email, password)  # type: ignore[return-value]

    @unpack("email", "password")
    @type_check(str, str)
    @raises(AuthError)
    async def login(self, email: str, password: str) -> Login:
        """Log in."""
        return await accounts.login(email, password)  # type: ignore[return-value]

    @auth
    async def check(self) -> Check:
        """Return the owner of the token."""
        return {"user_id": self.user_id}

    @auth
    async def logout(self) -> Revoked:
        """Revoke the token of this call."""
        return {"revoked": await accounts.logout(self.session.token)}


class UserHandler(SampleHandler):
    @auth
    async def get(self) -> User:
        """Return the account."""
        return await accounts.get(self.user_id)  # type: ignore[return-value]

    @auth
    @unpack("update_user")
    @type_check(UserUpdate)
    async def update(self, update_user: UserUpdate) -> User:
        """Change the account."""
        return await accounts.update(self.user_id, update_user.name)  # type: ignore[return-value]

    @auth
    async def delete(self) -> None:
        """Delete the account."""
        await accounts.delete(self.user_id)


class SystemHandler(SampleHandler):
    async def ping(self) -> str:
        """Answer."""
        return "pong"

    async def echo(self, body: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Answer with the body."""
        return body

    async def greet(self) -> str:
        """Answer with the setting."""
        return self.config.greeting

    @unpack("seconds")
    @type_check(float)
    async def wait(self, seconds: float) -> None:
        """Answer later."""
        await asyncio.sleep(seconds)

    @unpack("parts")
    @type_check(list[str])
    async def join(self, parts: list[str]) -> str:
        """Answer from another process."""
        return await join(*parts)

    @unpack("marker")
    @type_check(str)
    async def hold(self, marker: str) -> str:
        """Keep another process busy until the file `marker` is gone, and answer."""
        return await hold(Path(marker))


Item = dict[str, JsonValue]


class ItemsHandler(RestHandler):
    @type_check(Item)
    async def post(self, item: dict[str, Any]) -> Created[None]:
        """Make an item."""
        item_id = ObjectId()
        await ITEMS.insert({"_id": item_id, "item": item})
        self.set_header("Location", f"/items/{item_id}")

    @unpack(limit=None)
    @type_check(Annotated[int, Field(ge=1, le=1000)])
    async def get(self, limit: int | None) -> dict[str, Item]:
        """Return all items, or `limit` items."""
        return {str(item["_id"]): item["item"] for item in await ITEMS.find({}, limit=limit or 0)}


class ItemHandler(RestHandler):
    @raises(NotFound)
    async def get(self, item_id: str) -> Item:
        """Return an item."""
        item = await ITEMS.find_by_id(ObjectId(item_id))
        if item is None:
            raise NotFound
        return item["item"]


ROUTES = [
    (r"/auth/(?P<action>[a-zA-Z_]+)?", AuthHandler),
    (r"/user/(?P<action>[a-zA-Z_]+)?", UserHandler),
    (r"/system/(?P<action>[a-zA-Z_]+)?", SystemHandler),
    (r"/items/?", ItemsHandler),
    (r"/items/([0-9a-f]{24})/?", ItemHandler),
]


def make_app(settings: Settings) -> Application:
    routes = [*ROUTES, BatchRoute, *operating_routes(settings)]
    api = API("sample", "1.2.3", routes)
    live = live_routes(settings, accounts.SESSIONS, accounts.find_session)
    return Application([*routes, openapi_route(api), *docs_routes(api), *live], settings)
