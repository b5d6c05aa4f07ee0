"""BlackSheep: models are bound by type, `auth` on the handlers, and orjson as its docs show."""

from __future__ import annotations

from typing import Any

import orjson
import uvicorn
from blacksheep import Application, FromJSON, Request, Response, json
from blacksheep.server.authorization import allow_anonymous, auth
from blacksheep.settings.json import json_settings
from guardpost import AuthenticationHandler, Identity, User
from pydantic import ValidationError

from bench.peers.models import NoteCreate, NoteGet, NoteUpdate
from bench.peers.notes import Notes
from bench.peers.options import OPTIONS


def dumps(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()


class Bearer(AuthenticationHandler):
    async def authenticate(self, context: Request) -> Identity | None:
        header = context.get_first_header(b"Authorization")
        user_id = await app.notes.user_id(header.decode()) if header else None
        return user_id and User({"id": user_id}, "Bearer")


json_settings.use(loads=orjson.loads, dumps=dumps)
app = Application()
app.use_authentication().add(Bearer())
app.use_authorization()


def answer(data: Any, status: int = 200) -> Response:
    return json({"status": status, "data": data}, status)


@allow_anonymous()
@app.router.post("/system/echo")
async def echo(body: FromJSON[dict[str, Any]]) -> Response:
    return answer(body.value)


@auth()
@app.router.post("/note/get")
async def get(body: FromJSON[NoteGet]) -> Response:
    note = await app.notes.get(body.value.id)
    return answer(note) if note else answer(None, 404)


@auth()
@app.router.post("/note/create")
async def create(body: FromJSON[NoteCreate], request: Request) -> Response:
    user_id = request.user["id"]
    return answer(await app.notes.create(user_id, body.value.title, body.value.text), 201)


@auth()
@app.router.post("/note/update")
async def update(body: FromJSON[NoteUpdate]) -> Response:
    note = await app.notes.update(body.value.id, body.value.title)
    return answer(note) if note else answer(None, 404)


@app.exception_handler(ValidationError)
async def invalid(_: Application, request: Request, error: ValidationError) -> Response:
    return answer(str(error), 400)


@app.on_start
async def connect(app: Application) -> None:
    app.notes = Notes.connect()


@app.on_stop
async def close(app: Application) -> None:
    await app.notes.close()


uvicorn.run(app, port=OPTIONS.port, loop="uvloop", http="httptools", access_log=False)
