"""`offload`: CPU-bound work in other processes, so that the event loop is never blocked."""

from indico.engine.offload import offload

__all__ = ["offload"]
