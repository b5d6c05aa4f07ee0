"""A worker: `python -m` this module with a channel and flags, as its parent starts it."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from .. import log, offload, standard_streams, tasks
from .. import settings as config
from ..error import StartError
from ..program import Program
from ..settings import SettingsError
from . import serving, signals
from .listening import Sockets

_MAX_SOCKETS = 64


def main(channel: socket.socket, flags: Sequence[str]) -> int:
    """Serve until the parent ends, or until it says so; return the exit code."""
    text, descriptors, _, _ = socket.recv_fds(channel, 1 << 16, _MAX_SOCKETS)
    if not text:  # the parent has ended already
        return 1
    given = json.loads(text)
    opened = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    for listening in opened:
        listening.setblocking(False)  # they are so already, but Python takes them for blocking
    sockets = Sockets.split(opened, given["sockets"])
    try:
        _serve(given, flags, sockets, channel)
    except (SettingsError, StartError) as error:
        standard_streams.complain(str(error))
        return 1
    except signals.SecondStop:
        return 1
    return 0


def _serve(
    given: dict[str, Any], flags: Sequence[str], sockets: Sockets, channel: socket.socket
) -> None:
    program = Program(*given["program"])
    settings = config.load(program.settings_class(), flags)
    log.configure(settings.log_format, settings.log_level, settings.service_name)
    processes = settings.offload_processes or max(1, offload.cores() // given["workers"])
    offload.configure(processes, settings.offload_queue, settings.offload_share)

    def ready() -> None:
        standard_streams.redirect(settings.log_target)
        tasks.start(_speak(channel, given["speak_seconds"]))

    origin = given["mongodb"] or settings.uri
    serving.run(program, settings, sockets, origin, ready, channel.fileno())


async def _speak(channel: socket.socket, seconds: float) -> None:
    """Say at once, and then every few seconds, that the event loop runs and serves."""
    while True:
        with suppress(OSError):  # the parent has ended, or is stopped and does not read
            channel.send(b"1", socket.MSG_DONTWAIT)
        await asyncio.sleep(seconds)


if __name__ == "__main__":
    # Open until the process ends, because the parent takes its end for the worker's.
    _channel = socket.socket(fileno=int(sys.argv[1]))
    sys.exit(main(_channel, sys.argv[2:]))
