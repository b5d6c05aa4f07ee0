"""Starlette: its authentication middleware on `/note`, and the JSON response that its docs show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    BaseUser,
    SimpleUser,
    requires,
)
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from bench.peers.models import NoteCreate, NoteGet, NoteUpdate
from bench.peers.notes import Notes
from bench.peers.options import OPTIONS


class OrjsonResponse(JSONResponse):
    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_UTC_Z)


class User(SimpleUser):
    def __init__(self, id: Any) -> None:
        super().__init__(str(id))
        self.id = id


class Bearer(AuthenticationBackend):
    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        user_id = await conn.app.state.notes.user_id(conn.headers.get("Authorization"))
        return user_id and (AuthCredentials(["authenticated"]), User(user_id))


def answer(data: Any, status: int = 200) -> OrjsonResponse:
    return OrjsonResponse({"status": status, "data": data}, status_code=status)


async def echo(request: Request) -> OrjsonResponse:
    return answer(orjson.loads(await request.body()))


@requires("authenticated", status_code=401)
async def get(request: Request) -> OrjsonResponse:
    body = NoteGet.model_validate_json(await request.body())
    note = await request.app.state.notes.get(body.id)
    if note is None:
        raise HTTPException(404)
    return answer(note)


@requires("authenticated", status_code=401)
async def create(request: Request) -> OrjsonResponse:
    body = NoteCreate.model_validate_json(await request.body())
    notes = request.app.state.notes
    return answer(await notes.create(request.user.id, body.title, body.text), status=201)


@requires("authenticated", status_code=401)
async def update(request: Request) -> OrjsonResponse:
    body = NoteUpdate.model_validate_json(await request.body())
    note = await request.app.state.notes.update(body.id, body.title)
    if note is None:
        raise HTTPException(404)
    return answer(note)


async def invalid(request: Request, error: Exception) -> OrjsonResponse:
    return answer(str(error), status=400)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.notes = Notes.connect()
    yield
    await app.state.notes.close()


app = Starlette(
    routes=[
        Route("/system/echo", echo, methods=["POST"]),
        Mount(
            "/note",
            routes=[
                Route("/get", get, methods=["POST"]),
                Route("/create", create, methods=["POST"]),
                Route("/update", update, methods=["POST"]),
            ],
            middleware=[Middleware(AuthenticationMiddleware, backend=Bearer())],
        ),
    ],
    exception_handlers={ValidationError: invalid, orjson.JSONDecodeError: invalid},
    lifespan=lifespan,
)

uvicorn.run(app, port=OPTIONS.port, loop="uvloop", http="httptools", access_log=False)
