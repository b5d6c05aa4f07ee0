"""Work that needs a processor, in processes beside the event loop: the engine's `offload`."""

from indico.engine.offload import offload

__all__ = ["offload"]
