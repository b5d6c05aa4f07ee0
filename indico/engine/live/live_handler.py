"""`GET /live`: a WebSocket with the changes of a user's documents, and calls of actions."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from tornado.websocket import WebSocketClosedError, WebSocketHandler, WebSocketProtocol

from ..error import APIError, AuthError, InvalidArgument, InvalidJSON, PermissionDenied, ServerError
from ..http.action import LookUp
from ..http.json_body import parsed_or_error
from ..http.json_handler import JSONHandler
from ..http.request_log import log_failed
from ..tasks import start
from .ending import GOING_AWAY, SESSION_ENDED, TOO_SLOW, UNAVAILABLE, Ending
from .event import Event
from .feed import Feed
from .protocol import PatientProtocol
from .socket_calls import SocketCalls
from .subscription import Subscription

MAX_MESSAGE_BYTES = 64 << 10
SIGN_IN_SECONDS = 10.0
# Time for the calls in flight of a session that ends, such as the one that logs out.
LAST_ANSWERS_SECONDS = 0.5
_NOT_SIGNED_IN = Ending(1008, 'Send {"token": ...} with a valid token first.')


class SignIn(BaseModel):
    """The message that signs in a client which sends neither a cookie nor a header."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,500}$")]
    last_event_id: str = ""


class LiveHandler(WebSocketHandler, JSONHandler):
    """The WebSocket of one client.

    It is no operation of the API's document, because OpenAPI can't describe a WebSocket.
    """

    described = False
    SUPPORTED_METHODS = ("GET",)
    max_message_size = MAX_MESSAGE_BYTES
    _subscription: Subscription | None = None
    _calls: SocketCalls | None = None
    _beginning: asyncio.TimerHandle | asyncio.Task[None]  # the time to sign in, then the replay

    def initialize(self, feed: Feed, look_up: LookUp) -> None:
        self._feed = feed
        self._look_up = look_up

    # The handshake, which is a request like others.

    async def prepare(self) -> None:  # type: ignore[override]
        super().prepare()
        headers = self.request.headers
        if headers.get("Upgrade", "").lower() != "websocket":
            raise InvalidArgument("This path is for WebSockets; /events tells the same by HTTP.")
        if self._check_cross_origin(self.check_origin):
            raise PermissionDenied("A page of another origin may not open this WebSocket.")
        if await self._sign_in() is None and "Authorization" in headers:
            raise AuthError
        # After the look-up, because nothing is awaited from here to `open`.
        self.application.unending.refuse_too_many()

    def on_connection_close(self) -> None:
        if self.get_status() == 101:
            super().on_connection_close()
        else:  # the client has left during the handshake
            JSONHandler.on_connection_close(self)

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        if protocol := super().get_websocket_protocol():
            protocol = PatientProtocol(self, False, protocol.params)  # type: ignore[attr-defined]
        return protocol

    # The WebSocket.

    def open(self, *args: str, **kwargs: str) -> None:
        last_id = self.get_query_argument("last_event_id", "")  # an error ends it all
        self.set_nodelay(True)
        self.application.unending.add(self)
        loop = asyncio.get_running_loop()
        self._beginning = loop.call_later(SIGN_IN_SECONDS, self.end, _NOT_SIGNED_IN)
        if hasattr(self, "session"):
            self._subscribe(last_id)

    async def on_message(self, message: str | bytes) -> None:
        if self.ws_connection is None:  # it is being closed
            return
        text = message.encode() if isinstance(message, str) else message
        sent = parsed_or_error(text, self.config.max_body_values)
        if self._subscription is None and not _is_call(sent):
            await self._sign_in_by(sent)
        else:
            self._calls = self._calls or SocketCalls(self)
            await self._calls.take(sent)

    def on_close(self) -> None:
        """Let go of all, because objects that refer to each other stay in memory for long."""
        self.application.unending.discard(self)
        self._beginning.cancel()
        if self._calls:
            self._calls.cancel()
        if self._subscription:
            self._subscription.close()
        self._calls = self._subscription = None

    def leave_soon(self) -> None:
        """Close once the calls in flight are answered, because the server stops."""
        self._close_after_calls(GOING_AWAY)

    async def write_whole(self, text: bytes) -> None:
        """Write a message, and disconnect a client that does not take it in time."""
        try:
            written = self.write_message(text)
        except WebSocketClosedError:
            return
        written.add_done_callback(lambda done: done.cancelled() or done.exception())
        done, _ = await asyncio.wait([written], timeout=self.config.write_timeout_seconds)
        if not done:
            self.end(TOO_SLOW)

    # What the subscription calls.

    def write_event(self, event: Event) -> asyncio.Future[None]:
        return self.write_message(event.text)

    async def find_session(self) -> Any:
        return await self._look_up(self)

    def end(self, ending: Ending) -> None:
        if ending is TOO_SLOW and self.ws_connection:
            self.ws_connection.on_connection_close()
        elif ending is SESSION_ENDED:
            asyncio.get_running_loop().call_later(LAST_ANSWERS_SECONDS, self.close, *ending)
            self._close_after_calls(ending)
        else:
            self.close(*ending)

    def _close_after_calls(self, ending: Ending) -> None:
        if self._calls:
            self._calls.leave(ending)
        else:
            self.close(*ending)

    async def _sign_in(self) -> Any:
        """Return the session that cookie or header name, and keep it; None if there is none."""
        if (session := await self.find_session()) is not None:
            self.session, self.user_id = session, session.user_id
        return session

    async def _sign_in_by(self, message: Any) -> None:
        """Take the token of a message for the handshake's header."""
        try:
            sent = SignIn.model_validate(message)
            self.request.headers["Authorization"] = f"Bearer {sent.token}"
            session = await self._sign_in()
        except ValidationError:
            session = None
        except APIError:
            self.end(UNAVAILABLE)
            return
        if session is None:
            self.end(_NOT_SIGNED_IN)
        elif self.ws_connection is not None:  # the client is still there
            self._subscribe(sent.last_event_id)

    def _subscribe(self, last_id: str) -> None:
        self._beginning.cancel()
        self._subscription = Subscription(self._feed, self.session, self)
        self._beginning = start(self._begin(self._subscription, last_id))

    async def _begin(self, subscription: Subscription, last_id: str) -> None:
        try:
            await subscription.begin(last_id)
        except APIError as error:
            if isinstance(error, ServerError):
                log_failed(self, error)
            subscription.end(UNAVAILABLE)


def _is_call(sent: Any) -> bool:
    """Return whether a client that has not signed in makes a call, such as the one to log in."""
    return "action" in sent if isinstance(sent, dict) else not isinstance(sent, InvalidJSON)
