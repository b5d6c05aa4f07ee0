"""`Clients`: the clients of all providers of the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .client import Client
from .error import LoginFailed, NotConfigured
from .flow import Flow
from .identity import Identity
from .provider import Provider


class Clients:
    """The clients by the names of their providers. An answer takes `seconds` at most."""

    def __init__(self, providers: Mapping[str, Provider], seconds: float) -> None:
        self._by_name = {name: Client(name, each, seconds) for name, each in providers.items()}

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def __iter__(self) -> Iterator[Client]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> Client:
        """Return the client of a provider. Raises `NotConfigured`."""
        if name not in self._by_name:
            raise NotConfigured("provider")
        return self._by_name[name]

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the providers, by their issuers."""
        return {client.provider.issuer: client.label for client in self}

    async def finish(self, flow: Flow | None, answer: Mapping[str, str]) -> Identity:
        """Return the person who came back. None is a flow that this server did not sign."""
        if flow is None or flow.provider not in self._by_name:
            raise LoginFailed("state")
        return await self[flow.provider].finish(flow, answer)
