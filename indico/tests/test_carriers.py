"""Each action answers the same over each carrier of calls: HTTP, a batch, TCP, a WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from indico.engine import offload
from indico.engine.tests.carriers import CARRIERS, Call, comparable, over_each
from indico.tests.server_test import PASSWORD, ServerTest
from indico.tests.test_app import ACTIONS

Make = Callable[..., Any]
ADA = {"email": "ada@example.com", "password": PASSWORD}
NEW = "another horse battery"
GRACE = {"name": "Grace", "email": "grace@example.com"}


def life(call: Make) -> Iterator[Any]:
    """Call each action of this repo, in the life of an account, and yield the envelopes.

    `call` returns an envelope, whose data the next call may need; a call of an action that this
    app does not have is left out.
    """
    yield call("system/ping")
    yield call("system/echo", {"a": [1, 2.5, None, "\u00e9"]})
    yield (registered := call("auth/register", {**ADA, "name": "Ada"}))
    token = registered["data"]["token"]
    yield call("auth/register", ADA)  # which is taken
    yield call("auth/check", token=token)
    yield call("user/get", token=token)
    yield call("user/update", {"update_user": {"name": "Ada L."}}, token)
    yield call("auth/oidc_finish", {"flow": "x", "returned": {}})  # which nobody began
    yield call("auth/oidc_link", {"link": "x", "password": PASSWORD})
    yield call("user/link", {"flow": "x", "returned": {}, "password": PASSWORD}, token)
    yield call("user/identities", token=token)
    yield call("user/unlink", {"id": "0" * 24}, token)
    yield from address_book(call, token)
    yield call("text/keywords", {"text": "A pool of processes", "limit": 2}, token)
    yield call("user/change_password", {"current_password": PASSWORD, "new_password": NEW}, token)
    yield call("auth/logout", token=token)
    yield call("user/get", token=token)  # whose token is revoked
    yield call("auth/login", ADA)  # with the old password
    login = {**ADA, "password": NEW}
    token = call("auth/login", login)["data"]["token"]
    yield call("auth/logout_all", token=token)
    yield (again := call("auth/login", login))
    yield call("user/delete", {"password": NEW}, again["data"]["token"])


def address_book(call: Make, token: str) -> Iterator[Any]:
    if "/address/create" not in ACTIONS:
        return
    yield (created := call("address/create", {"entry": {"name": "Grace"}}, token))
    one = {"id": created["data"]["id"]}
    yield call("address/create", {"entry": {"name": "Edsger"}}, token)
    yield call("address/get", one, token)
    yield call("address/update", {**one, "entry": GRACE}, token)
    yield call("address/update", {**one, "entry": GRACE, "version": "0" * 16}, token)
    yield (page := call("address/list", {"limit": 1}, token))
    yield call("address/list", {"limit": 1, "cursor": page["data"]["next_cursor"]}, token)
    yield call("address/delete", one, token)
    yield call("address/get", one, token)


class CarriersTest(ServerTest):
    covers = False

    def setUp(self) -> None:
        super().setUp()
        offload.configure(1, 1)
        self.addCleanup(offload.configure, 0, offload.DEFAULT_QUEUE)

    def test_the_life_of_an_account(self) -> None:
        lives = [self.live(carrier) for carrier in CARRIERS]
        for carrier, envelopes in zip(CARRIERS, lives, strict=True):
            for envelope, first in zip(envelopes, lives[0], strict=True):
                self.assertEqual(comparable(envelope), comparable(first), carrier.__name__)

    def live(self, carrier: Make) -> list[Any]:
        """Return all envelopes over one carrier."""

        def call(action: str, body: Any = None, token: str | None = None) -> Any:
            if f"/{action}" not in ACTIONS:
                return {"data": {}}
            return carrier(self, Call(action, body, token))

        envelopes = list(life(call))
        statuses = {envelope["status"] for envelope in envelopes if "status" in envelope}
        self.assertLessEqual(statuses, {200, 201, 401, 403, 404, 409, 412})
        self.assertEqual(self.stored("users"), [])
        return envelopes

    def test_every_action_without_a_token(self) -> None:
        for path in ACTIONS:
            over_each(self, Call(path[1:]))

    def test_every_action_with_a_wrong_body(self) -> None:
        token = self.register()["token"]
        for path in ACTIONS:
            over_each(self, Call(path[1:], {"no_such_field": [1]}, token))
