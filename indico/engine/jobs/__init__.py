"""Jobs: async functions that run later, at least once, in any process of the project."""

from __future__ import annotations

from .declared_job import GiveUp, Job, job

__all__ = ["GiveUp", "Job", "job"]
