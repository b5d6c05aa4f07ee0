"""`/dashboard/address`: an entry is added, changed or deleted."""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import patch

from indico.tests.web.page_test import PageTest
from indico.web import addresses

ENTRY = {
    "full_name": "Grace Hopper",
    "emails": [{"kind": "work", "email": "grace@example.com"}, {"email": "g@example.com"}],
    "phone_numbers": [{"local_number": 5550100}],
    "rank": ["rear admiral"],
}


class AddressTest(PageTest):
    def setUp(self) -> None:
        super().setUp()
        self.enter()
        self.token = self.login()["token"]

    def create(self, entry: dict[str, Any], token: str = "") -> str:
        """Store an entry by the API, and return the path of its page."""
        answer = self.post("/address/create", {"entry": entry}, token or self.token)
        return f"/dashboard/address/{self.data(answer, 201)['id']}"

    def version(self, path: str) -> str:
        (version,) = re.findall(r'name="version" value="(\w+)"', self.visit(path).body.decode())
        return str(version)

    def entries(self) -> list[Any]:
        return [address["entry"] for address in self.stored("addresses")]

    def test_add(self) -> None:
        self.assertNotIn(b'name="delete"', self.visit("/dashboard/address").body)
        fields = {"name": " Grace ", "email": "grace@example.com", "phone": "555"}
        self.leads_to(self.send("/dashboard/address", **fields), "/dashboard?done=book_added")
        self.assertEqual(
            self.entries(),
            [
                {
                    "name": "Grace",
                    "emails": [{"email": "grace@example.com"}],
                    "phone_numbers": [{"local_number": "555"}],
                }
            ],
        )
        text = self.page(self.visit("/dashboard?done=book_added"))
        self.assertIn("The entry was added.", text)
        self.assertIn("Grace grace@example.com · 555", text)

    def test_wrong(self) -> None:
        for fields, problem in (
            ({}, "Fill in this field."),
            ({"name": " "}, "This is too short."),
            ({"name": "n" * 201}, "This is too long."),
            ({"name": "Ada", "email": "ada"}, "This is no valid email address."),
        ):
            answer = self.send("/dashboard/address", **fields)
            self.assertIn(problem, self.page(answer, 400))
        self.assertEqual(self.entries(), [])

    def test_change_keeps_all_else(self) -> None:
        path = self.create(ENTRY)
        page = self.visit(path).body
        for value in (b"Grace Hopper", b"grace@example.com", b"5550100"):
            self.assertIn(b'value="%b"' % value, page)
        fields = {"name": "Grace Murray", "email": "new@example.com", "phone": "1"}
        answer = self.send(path, version=self.version(path), **fields)
        self.leads_to(answer, "/dashboard?done=book_changed")
        changed = {
            **ENTRY,
            "full_name": "Grace Murray",
            "emails": [{"kind": "work", "email": "new@example.com"}, {"email": "g@example.com"}],
            "phone_numbers": [{"local_number": "1"}],
        }
        self.assertEqual(self.entries(), [changed])

    def test_remove_values(self) -> None:
        path = self.create(ENTRY)
        self.send(path, version=self.version(path), name="Grace")
        (entry,) = self.entries()
        self.assertEqual(entry["emails"], [{"kind": "work"}, {"email": "g@example.com"}])
        self.assertEqual(entry["phone_numbers"], [])

    def test_an_entry_without_values(self) -> None:
        path = self.create({})
        self.assertIn("No name", self.page(self.visit("/dashboard")))
        self.send(path, version=self.version(path), name="Grace")
        self.assertEqual(self.entries(), [{"name": "Grace"}])

    def test_changed_meanwhile(self) -> None:
        path = self.create({"name": "Grace"})
        version = self.version(path)
        self.leads_to(self.send(path, version=version, name="Ada"), "/dashboard?done=book_changed")
        for form in ({"name": "Mary"}, {"delete": "yes"}):
            answer = self.send(path, version=version, **form)
            self.assertIn("The entry has changed meanwhile.", self.page(answer, 412))
            self.assertIn(b'value="Ada"', answer.body)
        self.assertEqual(self.entries(), [{"name": "Ada"}])

    def test_delete(self) -> None:
        path = self.create({"name": "Grace"})
        answer = self.send(path, version=self.version(path), name="", delete="yes")
        self.leads_to(answer, "/dashboard?done=book_deleted")
        self.assertEqual(self.entries(), [])
        self.assertIn("Not found", self.page(self.visit(path), 404))

    def test_not_found(self) -> None:
        for path in ("/dashboard/address/xyz", "/dashboard/address/0123456789abcdef01234567"):
            self.page(self.visit(path), 404)
            self.page(self.send(path, name="Ada"), 404)

    def test_other_user(self) -> None:
        path = self.create({"name": "Grace"}, self.register("b@example.com")["token"])
        self.page(self.visit(path), 404)
        self.page(self.send(path, name="Ada", version="0" * 16), 404)
        self.assertEqual(self.entries(), [{"name": "Grace"}])


class BookTest(PageTest):
    def setUp(self) -> None:
        super().setUp()
        self.enter()

    def add(self, *names: str) -> None:
        for name in names:
            self.leads_to(self.send("/dashboard/address", name=name), "/dashboard?done=book_added")

    def names(self, path: str = "/dashboard") -> list[str]:
        """Return the names in the list, in its order."""
        return re.findall(r'aria-label="Change: (.*?)"', self.visit(path).body.decode())

    def test_empty(self) -> None:
        self.assertIn("Your address book is empty.", self.page(self.visit("/dashboard")))

    def test_search(self) -> None:
        self.add("Grace", "Ada", "Adele")
        self.assertEqual(self.names(), ["Grace", "Ada", "Adele"])
        self.assertEqual(self.names("/dashboard?query=AD"), ["Ada", "Adele"])
        text = self.page(self.visit("/dashboard?query=%3Cb%3E"))
        self.assertIn("No name begins with “<b>”.", text)
        self.assertNotIn(b"<b>", self.visit("/dashboard?query=%3Cb%3E").body)

    def test_pages(self) -> None:
        with patch.object(addresses, "_ENTRIES", 2):
            self.add(*"abcde")
            found, path = [], "/dashboard?query="
            while path:
                found.append(self.names(path))
                (path,) = re.findall(
                    r'rel="next" href="(.*?)#book"', self.visit(path).body.decode()
                ) or [""]
                path = path.replace("&amp;", "&")
        self.assertEqual(found, [["a", "b"], ["c", "d"], ["e"]])

    def test_wrong_cursor(self) -> None:
        self.page(self.visit("/dashboard?cursor=wrong"), 400)
        self.page(self.visit("/dashboard?query=%ff"), 400)

    def test_scripts_in_names(self) -> None:
        self.add('"><script>alert(1)</script>')
        self.assertNotIn(b"<script>", self.visit("/dashboard").body)
