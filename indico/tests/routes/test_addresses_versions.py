"""`/addresses`: ETag, If-None-Match and If-Match."""

from __future__ import annotations

from indico.tests.routes.test_addresses import BILL, UNKNOWN, AddressesTest


class VersionTest(AddressesTest):
    """ETag, If-None-Match and If-Match."""

    def test_not_modified(self) -> None:
        path = self.create()
        for where in (path, "/addresses", "/addresses?limit=5"):
            tag = self.etag(where)
            for sent in (tag, f'"x", {tag}', f"W/{tag}", "*"):
                for method in ("GET", "HEAD"):
                    response = self.send(method, where, If_None_Match=sent)
                    self.assertEqual((response.code, response.body), (304, b""), (where, sent))
                    self.assertEqual(response.headers["ETag"], tag)
            for sent in ('"x"', "x", tag.strip('"'), '""'):
                self.assertEqual(self.send("GET", where, If_None_Match=sent).code, 200)
            self.send("PATCH", path, {where: 1})
            self.assertNotEqual(self.etag(where), tag)
            self.assertEqual(self.send("GET", where, If_None_Match=tag).code, 200)

    def test_each_change_tells_its_tag(self) -> None:
        created = self.send("POST", "/addresses", BILL)
        path = created.headers["Location"]
        self.assertEqual(created.headers["ETag"], self.etag(path))
        for method in ("PUT", "PATCH"):
            changed = self.send(method, path, {})
            self.assertEqual(changed.headers["ETag"], self.etag(path))

    def test_the_book_has_a_tag(self) -> None:
        tags = {self.etag("/addresses")}
        path = self.create()
        tags.add(self.etag("/addresses"))
        self.send("PUT", path, {})
        tags.add(self.etag("/addresses"))
        self.create()
        self.send("DELETE", path)
        tags.add(self.etag("/addresses"))
        self.send("DELETE", self.create())
        tags.add(self.etag("/addresses"))
        self.assertEqual(len(tags), 5)
        self.assertIn(self.etag("/addresses"), tags)

    def test_if_match(self) -> None:
        path = self.create()
        for form in ("{}", '"x", {}', "*", "W/{}"):
            old = self.etag(path)
            sent = form.format(old)
            self.assertEqual(self.send("PUT", path, {}, If_Match=sent).code, 204, sent)
            self.assertEqual(self.send("PATCH", path, {"a": 1}, If_Match="*").code, 200)
            for method in ("PUT", "PATCH", "DELETE"):
                for wrong in (old, '"x"', "x", "", '"ffffffffffffffff"', '"*"', 'W/"*"'):
                    response = self.send(method, path, {"b": 2}, If_Match=wrong)
                    self.refused(response, 412, "precondition_failed")
            self.assertEqual(self.get(path), {"a": 1})
        old = self.etag(path)
        self.refused(self.send("GET", path, If_Match='"x"'), 412, "precondition_failed")
        self.assertEqual(self.send("GET", path, If_Match=old).code, 200)
        self.assertEqual(self.send("DELETE", path, If_Match=old).code, 204)
        for method in ("PUT", "PATCH", "DELETE"):
            self.refused(self.send(method, path, {}, If_Match=old), 404, "not_found")

    def test_if_none_match(self) -> None:
        path = self.create()
        for method in ("PUT", "PATCH", "DELETE"):
            for sent in ("*", self.etag(path), f'"x", {self.etag(path)}'):
                response = self.send(method, path, {}, If_None_Match=sent)
                self.refused(response, 412, "precondition_failed")
            self.refused(self.send(method, UNKNOWN, {}, If_None_Match="*"), 404, "not_found")
        self.assertEqual(self.get(path), BILL)
        self.assertEqual(self.send("DELETE", path, If_None_Match='"x"').code, 204)
