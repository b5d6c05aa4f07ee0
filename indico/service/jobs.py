"""Work that is done later and for sure: see docs/limits-and-jobs.md."""

from indico.engine.jobs import GiveUp, Job, job

__all__ = ["GiveUp", "Job", "job"]
