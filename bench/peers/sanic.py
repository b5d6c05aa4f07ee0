"""Sanic: its own server in one process, Sanic Extensions' `validate`, a decorator for the user."""

from __future__ import annotations

import functools
from typing import Any

import orjson
from sanic import HTTPResponse, Request, Sanic, json
from sanic.exceptions import NotFound, Unauthorized
from sanic_ext import validate

from bench.peers.models import NoteCreate, NoteGet, NoteUpdate
from bench.peers.notes import Notes
from bench.peers.options import OPTIONS


def dumps(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


app = Sanic("notes", dumps=dumps, loads=orjson.loads)


def protected(handler: Any) -> Any:
    @functools.wraps(handler)
    async def decorated(request: Request, *args: Any, **kwargs: Any) -> Any:
        request.ctx.user_id = await app.ctx.notes.user_id(request.headers.get("authorization"))
        if request.ctx.user_id is None:
            raise Unauthorized
        return await handler(request, *args, **kwargs)

    return decorated


def answer(data: Any, status: int = 200) -> HTTPResponse:
    return json({"status": status, "data": data}, status=status)


@app.post("/system/echo")
async def echo(request: Request) -> HTTPResponse:
    return answer(request.json)


@app.post("/note/get")
@protected
@validate(json=NoteGet)
async def get(request: Request, body: NoteGet) -> HTTPResponse:
    note = await app.ctx.notes.get(body.id)
    if note is None:
        raise NotFound
    return answer(note)


@app.post("/note/create")
@protected
@validate(json=NoteCreate)
async def create(request: Request, body: NoteCreate) -> HTTPResponse:
    note = await app.ctx.notes.create(request.ctx.user_id, body.title, body.text)
    return answer(note, status=201)


@app.post("/note/update")
@protected
@validate(json=NoteUpdate)
async def update(request: Request, body: NoteUpdate) -> HTTPResponse:
    note = await app.ctx.notes.update(body.id, body.title)
    if note is None:
        raise NotFound
    return answer(note)


@app.before_server_start
async def connect(app: Sanic) -> None:
    app.ctx.notes = Notes.connect()


@app.after_server_stop
async def close(app: Sanic) -> None:
    await app.ctx.notes.close()


app.run(port=OPTIONS.port, single_process=True, access_log=False, motd=False)
