"""The connections of a client: a count for the metrics, and word of their failure."""

from __future__ import annotations

from collections.abc import Callable

from pymongo import monitoring

from ..telemetry.metrics import CONNECTION_WAIT, connections
from . import waiting

__all__ = ["PoolListener"]


class PoolListener(monitoring.ConnectionPoolListener):
    """A count of a client's connections, open and in use; Motor calls it in threads.

    `cleared` gets the address of a server whose connections are useless. The second argument says
    whether no answer comes on them any more.
    """

    cleared: Callable[[tuple[str, int | None], bool], None] | None = None

    def connection_created(self, event: monitoring.ConnectionCreatedEvent) -> None:
        connections.add(open=1)

    def connection_closed(self, event: monitoring.ConnectionClosedEvent) -> None:
        connections.add(open=-1)

    def connection_checked_out(self, event: monitoring.ConnectionCheckedOutEvent) -> None:
        waiting.forget_current()
        connections.add(in_use=1)
        CONNECTION_WAIT.observe(event.duration or 0)

    def connection_checked_in(self, event: monitoring.ConnectionCheckedInEvent) -> None:
        connections.add(in_use=-1)

    def connection_check_out_failed(self, event: monitoring.ConnectionCheckOutFailedEvent) -> None:
        CONNECTION_WAIT.observe(event.duration or 0)

    def pool_cleared(self, event: monitoring.PoolClearedEvent) -> None:
        if self.cleared:
            self.cleared(event.address, event.interrupt_connections)

    # The driver calls these too, and PyMongo's base class would raise NotImplementedError.
    def connection_check_out_started(
        self, event: monitoring.ConnectionCheckOutStartedEvent
    ) -> None: ...

    def connection_ready(self, event: monitoring.ConnectionReadyEvent) -> None: ...

    def pool_created(self, event: monitoring.PoolCreatedEvent) -> None: ...

    def pool_ready(self, event: monitoring.PoolReadyEvent) -> None: ...

    def pool_closed(self, event: monitoring.PoolClosedEvent) -> None: ...
