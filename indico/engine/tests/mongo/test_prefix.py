from __future__ import annotations

from typing import ClassVar

from tornado.testing import gen_test

from ...mongo.collection import Collection, Document, IndexModel
from ...mongo.prefix import beginning_with
from ..environment import DRIVER
from ..server_test import ServerTest

LAST = "\U0010ffff"
TITLES = Collection("sample_titles", Document, IndexModel("title"))
NAMES = (
    "",
    "a",
    "ab",
    "aB",
    "ac",
    f"a{LAST}",
    f"a{LAST}b",
    "b",
    "\ud7ff",
    "\ud7ffa",
    "\ue000",
    LAST,
)


class PrefixTest(ServerTest):
    varies_with: ClassVar[tuple[str, ...]] = (DRIVER,)
    indexed = (TITLES,)

    @gen_test
    async def test_each(self) -> None:
        for name in NAMES:
            await TITLES.insert({"title": name})
        for prefix in (*NAMES, f"a{LAST}{LAST}", "c"):
            found = await TITLES.find({"title": beginning_with(prefix)})
            expected = {name for name in NAMES if name.startswith(prefix)}
            self.assertEqual({each["title"] for each in found}, expected, prefix)
