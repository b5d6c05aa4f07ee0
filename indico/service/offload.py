"""Work beside the event loop: `offload` in other processes, threads for milliseconds."""

from indico.engine.offload import offload
from indico.engine.offload.thread import LARGE_BYTES, Threads, in_thread

__all__ = ["LARGE_BYTES", "Threads", "in_thread", "offload"]
