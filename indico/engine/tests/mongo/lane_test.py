"""`LaneTest`: a test of a collection whose commands go by lanes, through a proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ClassVar

from ...mongo.driver import mongodb
from ...mongo.lane import Lane
from ...mongo.lanes import Lanes
from ..environment import DRIVER
from .fail_point_test import FaultTest


class LaneTest(FaultTest):
    """`self.things` with ten documents; `self.lanes` are those of `mongodb`."""

    varies_with = (DRIVER,)
    settings: ClassVar[dict[str, Any]] = {"mongodb_lane": True}

    @property
    def lanes(self) -> Lanes:
        assert mongodb.lanes
        return mongodb.lanes

    def open_lanes(self) -> set[Lane]:
        return {*self.lanes.reads._lanes, *self.lanes.others._lanes}

    @contextmanager
    def commands(self, *names: str) -> Iterator[list[dict[str, Any]]]:
        """Yield the commands with these names that the block sends, complete at its end."""
        commands: list[dict[str, Any]] = []
        self.proxy.commands = commands
        try:
            yield commands
        finally:
            self.proxy.commands = None
            commands[:] = [each for each in commands if not names or next(iter(each)) in names]

    @asynccontextmanager
    async def frozen_answers(self) -> AsyncIterator[None]:
        """Hold all answers during the block."""
        self.proxy.freeze(requests=False)
        try:
            yield
        finally:
            self.proxy.thaw()
