"""Litestar: msgspec's structs in and out, its authentication middleware on `/note`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import uvicorn
from litestar import Litestar, Request, Router, post
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, NotFoundException
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.params import JSONBody

from bench.peers.notes import Notes
from bench.peers.options import OPTIONS

Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{24}$")]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
T = TypeVar("T")


class NoteGet(msgspec.Struct):
    id: Id


class NoteCreate(msgspec.Struct):
    title: Title
    text: str


class NoteUpdate(msgspec.Struct):
    id: Id
    title: Title


class Note(msgspec.Struct):
    id: str
    title: str
    text: str
    created_at: datetime


class Answer(msgspec.Struct, Generic[T]):
    status: int
    data: T


class Bearer(AbstractAuthenticationMiddleware):
    async def authenticate_request(self, connection: ASGIConnection) -> AuthenticationResult:
        authorization = connection.headers.get("Authorization")
        user_id = await connection.app.state.notes.user_id(authorization)
        if user_id is None:
            raise NotAuthorizedException
        return AuthenticationResult(user=user_id, auth=None)


@post("/system/echo", status_code=200)
async def echo(data: JSONBody[dict[str, Any]]) -> Answer[dict[str, Any]]:
    return Answer(200, data)


@post("/get", status_code=200)
async def get(request: Request, data: JSONBody[NoteGet]) -> Answer[Note]:
    note = await request.app.state.notes.get(data.id)
    if note is None:
        raise NotFoundException
    return Answer(200, Note(**note))


@post("/create")
async def create(request: Request, data: JSONBody[NoteCreate]) -> Answer[Note]:
    note = await request.app.state.notes.create(request.user, data.title, data.text)
    return Answer(201, Note(**note))


@post("/update", status_code=200)
async def update(request: Request, data: JSONBody[NoteUpdate]) -> Answer[Note]:
    note = await request.app.state.notes.update(data.id, data.title)
    if note is None:
        raise NotFoundException
    return Answer(200, Note(**note))


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    app.state.notes = Notes.connect()
    yield
    await app.state.notes.close()


notes = Router("/note", route_handlers=[get, create, update], middleware=[Bearer])
app = Litestar([echo, notes], lifespan=[lifespan])

uvicorn.run(app, port=OPTIONS.port, loop="uvloop", http="httptools", access_log=False)
