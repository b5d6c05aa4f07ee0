"""All settings of a server: name, type, default and one line of help."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from .http_settings import HTTPSettings
from .kinds import Seconds, Secrets
from .mongodb_settings import MongoDBSettings
from .process_settings import ProcessSettings


class ServerSettings(MongoDBSettings, HTTPSettings, ProcessSettings):
    """Settings of every server. A flag beats the environment, which beats the files.

    A project's own class names the prefix of its environment variables:

        class Settings(ServerSettings, env_prefix="ACME_"):
            currency: str = Field("EUR", description="currency of all prices")
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="forbid", frozen=True)

    secret_key: SecretStr = Field(
        SecretStr("for development only"),
        min_length=16,
        description="key that signs cookies and cursors, and encrypts the secrets of webhooks",
    )
    old_secret_keys: Secrets = Field(
        (), description="keys that secret_key was before; what they signed or encrypted is valid"
    )
    offload_processes: int = Field(
        0, ge=0, le=1024, description="processes for offloaded work; 0 is one for each core"
    )
    offload_queue: int = Field(
        64, ge=0, description="offloaded calls that may wait for a process; beyond it 503"
    )
    offload_share: int = Field(
        16, ge=1, description="offloaded calls of one user or address at once; beyond it 429"
    )
    job_concurrency: int = Field(
        32, ge=0, le=1000, description="jobs that a process runs at once; 0 leaves jobs to others"
    )
    job_lease_seconds: Seconds = Field(
        30, description="time after which a job of a killed process runs elsewhere"
    )
    webhooks_private_addresses: bool = Field(
        False,
        description="send webhooks by http and to private addresses; in development only",
        json_schema_extra={"development_only": True},
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.private_key and not self.certificate:
            raise ValueError("certificate: is not set, but private_key is: TLS needs both")
        if self.has_parent and os.name == "nt":  # pragma: no cover - Windows
            raise ValueError("processes, daemon, pid_file: Windows has no such processes")
        if self.environment == "production" and (refused := list(_unfit_for_production(self))):
            raise ValueError("\n".join(refused))
        return self


def _unfit_for_production(settings: ServerSettings) -> Iterator[str]:
    if settings.mongodb_uri is None:
        yield (
            "mongodb_uri: is not set, and environment=production refuses the embedded MongoDB: "
            "set it to the URI of a replica set"
        )
    for name, field in type(settings).model_fields.items():
        value, extra = getattr(settings, name), field.json_schema_extra
        if value and isinstance(extra, dict) and extra.get("development_only"):
            yield f"{name}: must be off with environment=production"
        if isinstance(value, SecretStr) and value == field.default:
            yield (
                f"{name}: is a secret left at its default, which environment=production refuses: "
                "set a value of your own"
            )
    if type(settings).model_fields["secret_key"].default in settings.old_secret_keys:
        yield "old_secret_keys: has the public default of secret_key, so anybody can sign cookies"
