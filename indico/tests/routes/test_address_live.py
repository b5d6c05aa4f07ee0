"""`/live` of the address book."""

from __future__ import annotations

from tornado.testing import gen_test

from indico.tests.routes.live_test import LiveTest


class ChangesTest(LiveTest):
    @gen_test(timeout=60)
    async def test_each_change(self) -> None:
        client, caller = await self.open(self.token), await self.open(self.token)
        made = await self.call(caller, "address/create", entry={"name": "Grace"})
        self.assertEqual(await self.told(client, "addresses"), ("insert", made))
        change = {"id": made["id"], "entry": {"name": "Edsger"}}
        changed = await self.call(caller, "address/update", **change)
        self.assertEqual(await self.told(client, "addresses"), ("update", changed))
        await self.call(caller, "address/delete", id=made["id"])
        self.assertEqual(await self.told(client, "addresses"), ("delete", None))
        await self.close(client, caller)
