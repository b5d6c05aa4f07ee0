"""The sample's settings, actions and URL map."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from ...error import NotFound
from ...http.action_handler import ActionHandler
from ...http.application import Application, operating_routes
from ...http.batch import BatchRoute
from ...http.decorators import type_check, unpack
from ...http.rest_handler import RestHandler
from ...mongo.collection import Collection, IndexModel
from ...mongo.driver import ObjectId
from ...settings import ServerSettings
from ..offload.work import hold, join
from . import accounts
from .accounts import auth

ITEMS = Collection("sample_items", IndexModel("owner"))
Email = Annotated[str, StringConstraints(pattern="^[^@]+@[^@]+$")]


class Settings(ServerSettings, env_prefix="SAMPLE_"):
    """The settings of every server, and one more."""

    greeting: str = Field("hello", description="what /system/greet answers")


class UserUpdate(BaseModel):
    name: str


class SampleHandler(ActionHandler):
    """The types of what the engine and `auth` set."""

    config: Settings
    session: accounts.Session
    user_id: ObjectId


class AuthHandler(SampleHandler):
    @unpack("email", "password")
    @type_check(Email, Annotated[str, StringConstraints(min_length=8)])
    async def register(self, email: str, password: str) -> None:
        """Make an account and log in."""
        self.respond(await accounts.register(email, password), code=201)

    @unpack("email", "password")
    @type_check(str, str)
    async def login(self, email: str, password: str) -> Any:
        """Log in."""
        return await accounts.login(email, password)

    @auth
    async def check(self) -> Any:
        """Return the owner of the token."""
        return {"user_id": self.user_id}

    @auth
    async def logout(self) -> Any:
        """Revoke the token of this call."""
        return {"revoked": await accounts.logout(self.session.token)}


class UserHandler(SampleHandler):
    @auth
    async def get(self) -> Any:
        """Return the account."""
        return await accounts.get(self.user_id)

    @auth
    @unpack("update_user")
    @type_check(UserUpdate)
    async def update(self, update_user: UserUpdate) -> Any:
        """Change the account."""
        return await accounts.update(self.user_id, update_user.model_dump())

    @auth
    async def delete(self) -> None:
        """Delete the account."""
        await accounts.delete(self.user_id)


class SystemHandler(SampleHandler):
    async def ping(self) -> str:
        """Answer."""
        return "pong"

    async def echo(self, body: dict[str, Any]) -> dict[str, Any]:
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


class ItemsHandler(RestHandler):
    async def post(self) -> None:
        """Make an item."""
        item_id = ObjectId()
        await ITEMS.insert({"_id": item_id, "item": self.body})
        self.set_header("Location", f"/items/{item_id}")
        self.respond(code=201)

    async def get(self) -> Any:
        """Return all items."""
        return {str(item["_id"]): item["item"] for item in await ITEMS.find({})}


class ItemHandler(RestHandler):
    async def get(self, item_id: str) -> Any:
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
    return Application([*ROUTES, BatchRoute, *operating_routes(settings)], settings)
