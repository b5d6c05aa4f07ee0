"""The events of address books."""

from __future__ import annotations

from typing import Any

from indico.tests.webhook_test import WebhookTest

GRACE = {"name": "Grace Hopper"}


class AddressEventsTest(WebhookTest):
    types = ("address.created", "address.updated", "address.deleted")

    def address(self, action: str, token: str | None = None, **body: Any) -> Any:
        return self.post(f"/address/{action}", body, token or self.token)

    def test_valid(self) -> None:
        created = self.data(self.address("create", entry=GRACE), 201)
        told = {"id": created["id"]}
        self.assertEqual(self.events(), [("address.created", told)])
        self.data(self.address("update", **told, entry={"name": "G"}, version=created["version"]))
        self.assertEqual(self.events(), [("address.updated", told)])
        self.data(self.address("delete", **told))
        self.assertEqual(self.events(), [("address.deleted", told)])

    def test_changes_that_fail(self) -> None:
        created = self.data(self.address("create", entry=GRACE), 201)
        self.events()
        wrong = {"id": created["id"], "version": "0" * 16}
        self.error(self.address("update", **wrong, entry={}), 412, "precondition_failed")
        self.error(self.address("delete", **wrong), 412, "precondition_failed")
        self.error(self.address("create", entry={"name": 5}), 400, "invalid_argument", "entry.name")
        self.error(self.address("delete", self.eve, id=created["id"]), 404, "not_found")
        self.assertEqual(self.events(), [])
        self.assertEqual(self.data(self.address("get", id=created["id"])), created)

    def test_other_types(self) -> None:
        self.data(self.call("update", id=self.webhook["id"], types=["user.updated"]))
        self.data(self.address("create", entry=GRACE), 201)
        self.assertEqual(self.events(), [])
        self.change()
        self.assertEqual([name for name, _ in self.events()], ["user.updated"])

    def test_a_book_of_somebody_else(self) -> None:
        self.data(self.address("create", self.eve, entry=GRACE), 201)
        response = self.fetch("/addresses", method="POST", body='{"name": "Grace"}')
        path = response.headers["Location"]
        self.fetch(path, method="PUT", body='{"name": "G"}')
        self.fetch(path, method="PATCH", body='{"name": "H"}', allow_nonstandard_methods=True)
        self.assertEqual(self.fetch(path, method="DELETE").code, 204)
        self.assertEqual(self.events(), [])

    def test_by_a_key(self) -> None:
        for _ in range(2):
            body = {"entry": GRACE}
            self.data(self.post("/address/create", body, self.token, Idempotency_Key="k"), 201)
        self.assertEqual([name for name, _ in self.events()], ["address.created"])
