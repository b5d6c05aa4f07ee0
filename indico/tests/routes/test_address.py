from __future__ import annotations

from typing import Any

import indico.db.address_db as AddressDB
from indico.db import ObjectId
from indico.engine.http.cursor import write_cursor
from indico.tests.server_test import PASSWORD, ServerTest

GRACE = {"name": "Grace Hopper", "emails": [{"kind": "work", "email": "grace@example.com"}]}
# Of 64 bits is more than a version of ours can be.
NOT_THERE = ("0" * 16, "f" * 16)


class AddressTest(ServerTest):
    """Ada's book with one entry, and Eve with a book of her own."""

    def setUp(self) -> None:
        super().setUp()
        self.token = self.register()["token"]
        self.eve = self.register("eve@example.com")["token"]
        self.address = self.create(GRACE)

    def create(self, entry: Any, token: str | None = None) -> Any:
        body = {"entry": entry}
        return self.data(self.post("/address/create", body, token or self.token), 201)

    def call(self, action: str, token: str | None = None, **body: Any) -> Any:
        return self.post(f"/address/{action}", body, token or self.token)

    def entries(self) -> dict[str, Any]:
        items = self.data(self.call("list"))["items"]
        return {item["id"]: item["entry"] for item in items}

    def assert_unchanged(self) -> None:
        self.assertEqual(self.data(self.call("get", id=self.address["id"])), self.address)


class CreateTest(AddressTest):
    def test_valid(self) -> None:
        self.assertEqual(set(self.address), {"id", "version", "entry"})
        self.assertEqual(self.address["entry"], GRACE)
        self.assert_unchanged()

    def test_anonymous(self) -> None:
        self.error(self.post("/address/create", {"entry": {}}), 401, "unauthenticated")

    def test_missing_field(self) -> None:
        self.error(self.call("create", x=1), 400, "invalid_argument", "entry", "x")

    def test_wrong_type(self) -> None:
        for entry, paths in (
            ([], ["entry"]),
            ({"a": {"$b": 1, "": 2}}, ["entry.a.$b", "entry.a"]),
            ({"emails": [{"email": 5}], "name": None}, ["entry.name", "entry.emails.0.email"]),
        ):
            self.error(self.call("create", entry=entry), 400, "invalid_argument", *paths)
        self.assertEqual(len(self.entries()), 1)


class GetTest(AddressTest):
    def test_anonymous(self) -> None:
        body = {"id": self.address["id"]}
        self.error(self.post("/address/get", body), 401, "unauthenticated")

    def test_missing_field(self) -> None:
        self.error(self.call("get", x=1), 400, "invalid_argument", "id", "x")

    def test_wrong_type(self) -> None:
        self.error(self.call("get", id="xyz"), 400, "invalid_argument", "id")

    def test_not_found(self) -> None:
        unknown = self.error(self.call("get", id=str(ObjectId())), 404, "not_found")
        hers = self.error(self.call("get", self.eve, id=self.address["id"]), 404, "not_found")
        self.assertEqual({**unknown, "request_id": ""}, {**hers, "request_id": ""})


class UpdateTest(AddressTest):
    def test_valid(self) -> None:
        updated = self.data(self.call("update", id=self.address["id"], entry={"a": 1}))
        self.assertEqual(updated["id"], self.address["id"])
        self.assertEqual(updated["entry"], {"a": 1})
        self.assertNotEqual(updated["version"], self.address["version"])
        self.assertEqual(self.entries(), {self.address["id"]: {"a": 1}})

    def test_version(self) -> None:
        body = {"id": self.address["id"], "entry": {"a": 1}}
        for version in NOT_THERE:
            self.error(self.call("update", **body, version=version), 412, "precondition_failed")
        self.assert_unchanged()
        self.data(self.call("update", **body, version=self.address["version"]))

    def test_anonymous(self) -> None:
        body = {"id": self.address["id"], "entry": {}}
        self.error(self.post("/address/update", body), 401, "unauthenticated")

    def test_missing_field(self) -> None:
        self.error(self.call("update", x=1), 400, "invalid_argument", "id", "entry", "x")

    def test_wrong_type(self) -> None:
        body = {"id": self.address["id"], "entry": {"name": 5}, "version": "x"}
        response = self.call("update", **body)
        self.error(response, 400, "invalid_argument", "entry.name", "version")
        self.assert_unchanged()

    def test_other_user(self) -> None:
        for address_id in (self.address["id"], str(ObjectId())):
            response = self.call("update", self.eve, id=address_id, entry={})
            self.error(response, 404, "not_found")
        self.assert_unchanged()


class DeleteTest(AddressTest):
    def test_valid(self) -> None:
        self.assertIsNone(self.data(self.call("delete", id=self.address["id"])))
        self.error(self.call("delete", id=self.address["id"]), 404, "not_found")
        self.assertEqual(self.entries(), {})

    def test_version(self) -> None:
        body = {"id": self.address["id"]}
        for version in NOT_THERE:
            self.error(self.call("delete", **body, version=version), 412, "precondition_failed")
        self.data(self.call("delete", **body, version=self.address["version"]))

    def test_anonymous(self) -> None:
        body = {"id": self.address["id"]}
        self.error(self.post("/address/delete", body), 401, "unauthenticated")

    def test_missing_field(self) -> None:
        self.error(self.call("delete", x=1), 400, "invalid_argument", "id", "x")

    def test_other_user(self) -> None:
        self.error(self.call("delete", self.eve, id=self.address["id"]), 404, "not_found")
        self.assert_unchanged()

    def test_with_the_account(self) -> None:
        self.create({"name": "Ada"}, self.eve)
        self.data(self.post("/user/delete", {"password": PASSWORD}, self.token))
        (left,) = self.stored("addresses")
        self.assertEqual(left["entry"], {"name": "Ada"})


class ListTest(AddressTest):
    def names(self, **body: Any) -> list[str]:
        """Return the names on all pages."""
        names, cursor = [], None
        while True:
            page = self.data(self.call("list", **body, cursor=cursor))
            names += [item["entry"]["name"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return names

    def test_valid(self) -> None:
        page = self.data(self.call("list"))
        self.assertEqual(page, {"items": [self.address], "next_cursor": None})

    def test_pages(self) -> None:
        for name in ("b", "a", "c"):
            self.create({"name": name})
        self.create({"name": "Eve"}, self.eve)
        self.assertEqual(self.names(limit=2), ["Grace Hopper", "b", "a", "c"])
        self.assertEqual(self.names(limit=2, query=""), ["a", "b", "c", "Grace Hopper"])

    def test_query(self) -> None:
        for name in ("grace kelly", "GRACIE", "Gr.ce", "Ada", "(gr", "Straße"):
            self.create({"name": name})
        for limit in (1, 50):
            for query, names in {
                "gRaC": ["Grace Hopper", "grace kelly", "GRACIE"],
                "gr.": ["Gr.ce"],
                ".*": [],
                "(": ["(gr"],
                "STRASSE": ["Straße"],
                "$": [],
            }.items():
                self.assertEqual(self.names(limit=limit, query=query), names)

    def test_wrong_cursor(self) -> None:
        for name in ("grace kelly", "ada"):
            self.create({"name": name})
            self.create({"name": name}, self.eve)
        mine = self.data(self.call("list", limit=1, query="g"))["next_cursor"]
        plain = self.data(self.call("list", limit=1))["next_cursor"]
        hers = self.data(self.call("list", self.eve, limit=1))["next_cursor"]
        for cursor, query in ((mine, None), (mine, "gr"), (plain, "g"), (hers, None), ("x", None)):
            response = self.call("list", cursor=cursor, query=query)
            self.error(response, 400, "invalid_argument", "cursor")

    def test_cursor_of_another_shape(self) -> None:
        """A person who knows the secret can sign anything."""
        user_id = self.data(self.post("/auth/check", token=self.token))["user_id"]
        address_id = ObjectId(self.address["id"])
        right: Any
        for query, right in ((None, [address_id]), ("g", ["", address_id])):
            purpose = f"/address/list of {user_id}: {(query,)!r}"
            old = ["", str(address_id)]
            for position in (right, old, ["a", "b"], ["a"], [1, address_id], [*right, 1], []):
                cursor = write_cursor(position, purpose, self.config.secret_key)
                response = self.call("list", cursor=cursor, query=query)
                if position is right:
                    self.data(response)
                else:
                    self.error(response, 400, "invalid_argument", "cursor")

    def test_anonymous(self) -> None:
        self.error(self.post("/address/list"), 401, "unauthenticated")

    def test_wrong_type(self) -> None:
        response = self.call("list", limit=0, cursor=5, query="x" * 101)
        self.error(response, 400, "invalid_argument", "limit", "cursor", "query")


class DocumentTest(AddressTest):
    def test_what_is_stored(self) -> None:
        (document,) = self.stored("addresses")
        self.assertEqual(set(document), {"_id", "book", "entry", "name_key", "version"})
        self.assertEqual(document["name_key"], AddressDB.fold("Grace Hopper"))
