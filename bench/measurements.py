"""The measurements, by the names of their commands."""

from __future__ import annotations

from collections.abc import Callable

from bench import (
    batches,
    chart,
    compare,
    cost,
    growth,
    held,
    jobs,
    limit,
    offload,
    overload,
    soak,
)

MEASUREMENTS: dict[str, Callable[[list[str]], int]] = {
    "peers": compare.main,
    "cost": cost.main,
    "held": held.main,
    "batches": batches.main,
    "offload": offload.main,
    "limit": limit.main,
    "growth": growth.main,
    "jobs": jobs.main,
    "overload": overload.main,
    "soak": soak.main,
    "draw": chart.main,
}
