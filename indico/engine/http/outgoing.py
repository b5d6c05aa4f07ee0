"""HTTP requests that the app itself makes."""

from __future__ import annotations

from typing import Any

from tornado.concurrent import Future
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from ..mongo.transactions import outside_transaction

__all__ = ["refuse_in_transactions"]


class OutgoingClient(SimpleAsyncHTTPClient):
    """Tornado's client, which makes no request inside a transaction."""

    def fetch(
        self, request: str | HTTPRequest, raise_error: bool = True, **kwargs: Any
    ) -> Future[HTTPResponse]:
        outside_transaction("make an HTTP request")
        return super().fetch(request, raise_error, **kwargs)


def refuse_in_transactions() -> None:
    """Make `OutgoingClient` what `AsyncHTTPClient()` returns, unless the app has chosen another."""
    if AsyncHTTPClient.configured_class() is SimpleAsyncHTTPClient:
        AsyncHTTPClient.configure(OutgoingClient)
