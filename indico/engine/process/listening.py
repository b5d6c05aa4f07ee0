"""The sockets on which the server listens, and TLS on them."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple, Self

from tornado.netutil import bind_sockets

from ..error import StartError
from ..settings import ServerSettings, env_name
from . import systemd


class Sockets(NamedTuple):
    """Listening sockets; `metrics` and `tcp` are empty unless they have a port of their own."""

    api: list[socket.socket]
    metrics: list[socket.socket]
    tcp: Sequence[socket.socket] = ()

    @property
    def port(self) -> int:
        return _port_of(self.api)

    @property
    def tcp_port(self) -> int | None:
        return _port_of(self.tcp) if self.tcp else None

    def all(self) -> list[socket.socket]:
        return [*self.api, *self.metrics, *self.tcp]

    @property
    def counts(self) -> list[int]:
        """The number of sockets of each kind, by which `split` finds them again."""
        return [len(kind) for kind in self]

    @classmethod
    def split(cls, sockets: Iterable[socket.socket], counts: Iterable[int]) -> Self:
        """Return the sockets of `all`, which another process has sent."""
        left = iter(sockets)
        return cls(*[list(islice(left, count)) for count in counts])


def open_sockets(settings: ServerSettings) -> Sockets:
    """Return the sockets that systemd hands over, else new ones. Raises `StartError`."""
    metrics = _bind(settings, "metrics_port", settings.metrics_port)
    tcp = _bind(settings, "tcp_port", settings.tcp_port)
    api = systemd.take_sockets() or _bind(settings, "port", settings.port)
    return Sockets(api, metrics, tcp)


def tls(settings: ServerSettings) -> ssl.SSLContext | None:
    """Return TLS with `certificate` and `private_key`; None if unset. Raises `StartError`."""
    if settings.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    key = settings.private_key or settings.certificate
    for name, file in (("certificate", settings.certificate), ("private_key", key)):
        try:
            file.read_bytes()
        except OSError as error:
            raise StartError(f"{name}: {file} can't be read: {error.strerror}.") from None
    try:
        context.load_cert_chain(settings.certificate, key, _no_password)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise StartError(
            f"certificate, private_key: {settings.certificate} and {key} are no pair of PEM files "
            f"that TLS can use ({reason})."
        ) from None
    return context


def _port_of(sockets: Sequence[socket.socket]) -> int:
    port: int = sockets[0].getsockname()[1]
    return port


def _no_password() -> str:
    raise ValueError("the key has a password: remove it with openssl pkey")


def _bind(settings: ServerSettings, name: str, port: int | None) -> list[socket.socket]:
    """Return the sockets of the port that the setting `name` gives; none for an unset port."""
    if port is None:
        return []
    try:
        return bind_sockets(port, settings.host, reuse_port=settings.reuse_port)
    except (OSError, UnicodeError) as error:
        where = f"{settings.host}:{port}"
        if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise StartError(
                f"{name}: can't listen on {where} ({error.strerror}). Stop what uses it, or choose "
                f"another with --{name.replace('_', '-')} or {env_name(type(settings), name)}."
            ) from None
        raise StartError(
            f"host: can't listen on {where}, which is no address of this machine. Choose another "
            f"with --host or {env_name(type(settings), 'host')}."
        ) from None
