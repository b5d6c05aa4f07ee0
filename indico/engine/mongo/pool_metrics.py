"""What the driver tells of its connections, for the metrics."""

from __future__ import annotations

from pymongo import monitoring

from ..telemetry.metrics import CONNECTION_WAIT, connections

__all__ = ["PoolListener"]


class PoolListener(monitoring.ConnectionPoolListener):
    """Counts the connections of a client that are open and in use; Motor calls it in threads."""

    def connection_created(self, event: monitoring.ConnectionCreatedEvent) -> None:
        connections.add(open=1)

    def connection_closed(self, event: monitoring.ConnectionClosedEvent) -> None:
        connections.add(open=-1)

    def connection_checked_out(self, event: monitoring.ConnectionCheckedOutEvent) -> None:
        connections.add(in_use=1)
        CONNECTION_WAIT.observe(event.duration or 0)

    def connection_checked_in(self, event: monitoring.ConnectionCheckedInEvent) -> None:
        connections.add(in_use=-1)

    def connection_check_out_failed(self, event: monitoring.ConnectionCheckOutFailedEvent) -> None:
        CONNECTION_WAIT.observe(event.duration or 0)

    def connection_check_out_started(
        self, event: monitoring.ConnectionCheckOutStartedEvent
    ) -> None:
        """Nothing to count yet."""

    def connection_ready(self, event: monitoring.ConnectionReadyEvent) -> None:
        """It was counted when it was made."""

    def pool_created(self, event: monitoring.PoolCreatedEvent) -> None:
        """One for each server."""

    def pool_ready(self, event: monitoring.PoolReadyEvent) -> None:
        """Its server answers."""

    def pool_cleared(self, event: monitoring.PoolClearedEvent) -> None:
        """Its connections will be closed, each with an event of its own."""

    def pool_closed(self, event: monitoring.PoolClosedEvent) -> None:
        """As are these."""
