"""Models of the bodies, for the frameworks whose users write pydantic models."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

Id = Annotated[str, Field(pattern="^[0-9a-fA-F]{24}$")]
Title = Annotated[str, Field(min_length=1, max_length=200)]


class NoteGet(BaseModel):
    id: Id


class NoteCreate(BaseModel):
    title: Title
    text: str


class NoteUpdate(BaseModel):
    id: Id
    title: Title
