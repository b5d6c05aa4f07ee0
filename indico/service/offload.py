"""Work beside the event loop: `offload` in other processes, `in_thread` for a few milliseconds."""

from indico.engine.offload import offload
from indico.engine.offload.thread import LARGE_BYTES, in_thread

__all__ = ["LARGE_BYTES", "in_thread", "offload"]
