"""FastAPI: `Depends` for the user, and response models, which its documentation calls fastest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import uvicorn
from bson import ObjectId
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from bench.peers.models import NoteCreate, NoteGet, NoteUpdate
from bench.peers.notes import Notes
from bench.peers.options import OPTIONS

T = TypeVar("T")


class Note(BaseModel):
    id: str
    title: str
    text: str
    created_at: datetime


class Answer(BaseModel, Generic[T]):
    status: int
    data: T


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.notes = Notes.connect()
    yield
    await app.state.notes.close()


app = FastAPI(lifespan=lifespan)
bearer = HTTPBearer()


@app.exception_handler(RequestValidationError)
async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    return JSONResponse({"status": 400, "data": str(error)}, status_code=400)


async def current_user(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]
) -> ObjectId:
    authorization = f"{credentials.scheme} {credentials.credentials}"
    user_id = await request.app.state.notes.user_id(authorization)
    if user_id is None:
        raise HTTPException(401)
    return user_id


CurrentUser = Annotated[ObjectId, Depends(current_user)]


@app.post("/system/echo")
async def echo(body: dict[str, Any]) -> Answer[dict[str, Any]]:
    return Answer(status=200, data=body)


@app.post("/note/get", response_model=Answer[Note])
async def get(request: Request, user_id: CurrentUser, body: NoteGet) -> Any:
    note = await request.app.state.notes.get(body.id)
    if note is None:
        raise HTTPException(404)
    return {"status": 200, "data": note}


@app.post("/note/create", response_model=Answer[Note], status_code=201)
async def create(request: Request, user_id: CurrentUser, body: NoteCreate) -> Any:
    note = await request.app.state.notes.create(user_id, body.title, body.text)
    return {"status": 201, "data": note}


@app.post("/note/update", response_model=Answer[Note])
async def update(request: Request, user_id: CurrentUser, body: NoteUpdate) -> Any:
    note = await request.app.state.notes.update(body.id, body.title)
    if note is None:
        raise HTTPException(404)
    return {"status": 200, "data": note}


uvicorn.run(app, port=OPTIONS.port, loop="uvloop", http="httptools", access_log=False)
