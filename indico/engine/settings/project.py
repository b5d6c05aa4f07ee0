"""The project's name, which is the prefix of its environment variables in lower case."""

from __future__ import annotations

from typing import Any

from pydantic_settings import BaseSettings


class ProjectName(str):
    """A default that is the project's name: each settings class replaces it by its own name."""

    __slots__ = ()


class ProjectSettings(BaseSettings):
    """Settings that know the name of their project.

    The name is `env_prefix` in lower case: `ACME_` makes `acme`. A subclass keeps the name, unless
    it has a prefix of its own.
    """

    @classmethod
    def project(cls) -> str:
        """Return the name, which also begins the name of each metric."""
        return str(cls.model_config["env_prefix"]).lower().rstrip("_") or "server"

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        name = ProjectName(cls.project())
        fields = [f for f in cls.model_fields.values() if isinstance(f.default, ProjectName)]
        if any(field.default != name for field in fields):
            for field in fields:
                field.default = name
            cls.model_rebuild(force=True)  # pydantic's validators hold the defaults, too
