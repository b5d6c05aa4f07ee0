"""aiohttp: its own server on uvloop, `AppKey`, `cleanup_ctx`, and its response for orjson."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import uvloop
from aiohttp import web
from bson import ObjectId
from pydantic import ValidationError

from bench.peers.models import NoteCreate, NoteGet, NoteUpdate
from bench.peers.notes import Notes
from bench.peers.options import OPTIONS

NOTES = web.AppKey("notes", Notes)
routes = web.RouteTableDef()


def dumps(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def answer(data: Any, status: int = 200) -> web.Response:
    return web.json_bytes_response({"status": status, "data": data}, status=status, dumps=dumps)


async def authorized(request: web.Request) -> ObjectId:
    """Check the token, as `check_authorized` of aiohttp_security does for a handler."""
    user_id = await request.app[NOTES].user_id(request.headers.get("Authorization"))
    if user_id is None:
        raise web.HTTPUnauthorized
    return user_id


async def valid(request: web.Request, model: Any) -> Any:
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


@routes.post("/system/echo")
async def echo(request: web.Request) -> web.Response:
    try:
        return answer(await request.json(loads=orjson.loads))
    except orjson.JSONDecodeError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


@routes.post("/note/get")
async def get(request: web.Request) -> web.Response:
    await authorized(request)
    body = await valid(request, NoteGet)
    note = await request.app[NOTES].get(body.id)
    if note is None:
        raise web.HTTPNotFound
    return answer(note)


@routes.post("/note/create")
async def create(request: web.Request) -> web.Response:
    user_id = await authorized(request)
    body = await valid(request, NoteCreate)
    return answer(await request.app[NOTES].create(user_id, body.title, body.text), status=201)


@routes.post("/note/update")
async def update(request: web.Request) -> web.Response:
    await authorized(request)
    body = await valid(request, NoteUpdate)
    note = await request.app[NOTES].update(body.id, body.title)
    if note is None:
        raise web.HTTPNotFound
    return answer(note)


async def mongodb(app: web.Application) -> AsyncIterator[None]:
    app[NOTES] = Notes.connect()
    yield
    await app[NOTES].close()


app = web.Application()
app.add_routes(routes)
app.cleanup_ctx.append(mongodb)
loop = uvloop.new_event_loop()
web.run_app(app, host="127.0.0.1", port=OPTIONS.port, access_log=None, loop=loop)
