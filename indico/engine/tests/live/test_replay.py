"""Connecting again with the id of the last event: nothing is missed, and nothing comes twice."""

from __future__ import annotations

import asyncio
import os
from typing import Any
from unittest.mock import patch

from tornado.testing import gen_test

from ...live import feed, replays, subscription
from ...log import LOGGER
from ...mongo.driver import APPLICATION_NAME, mongodb
from ..http.http_servers import until
from ..sample.app import MEMOS
from .live_test import LiveTest


class ReplayTest(LiveTest):
    @gen_test(timeout=60)
    async def test_nothing_is_missed(self) -> None:
        client = await self.connect_live()
        last = (await self.next(client))["event_id"]
        client.close()
        await until(lambda: self.feed._running is None)
        ids = [str(await self.memo(f"memo {n}")) for n in range(3)]
        await self.memo("Eve's", self.eve)
        await MEMOS.delete({"text": "memo 0"})
        missed = await self.until_ready(last)
        told = [self.told(message)[:2] for message in missed]
        self.assertEqual(told, [*(("insert", each) for each in ids), ("delete", ids[0])])
        self.assertEqual(await self.until_ready(missed[-1]["event_id"]), [])
        self.assertEqual(await self.until_ready(missed[1]["event_id"]), missed[2:])

    @gen_test(timeout=60)
    async def test_another_owner(self) -> None:
        memo_id = await self.memo("given away")
        client = await self.connect_live()
        last = (await self.next(client))["event_id"]
        await MEMOS.update_by_id(memo_id, {"user_id": self.eve})
        (missed,) = await self.until_ready(last)
        self.assertEqual(self.told(missed), ("delete", str(memo_id), None))

    @gen_test(timeout=60)
    async def test_while_there_are_changes(self) -> None:
        """Clients leave and come back at any time, and each gets each change once, in order."""
        client = await self.connect_live()
        last, seen = (await self.next(client))["event_id"], list[Any]()
        writing = asyncio.create_task(self.write_many(20))
        while len(seen) < 20:
            client = await self.connect_live(last_id=last)
            for _ in range(4):
                message = await self.next(client)
                last = message["event_id"]
                seen += [] if message.get("ready") else [self.told(message)[2]]
                if len(seen) == 20:
                    break
            client.close()
        await writing
        self.assertEqual(seen, [str(n) for n in range(20)])

    async def write_many(self, count: int) -> None:
        for n in range(count):
            await self.memo(str(n))

    @gen_test(timeout=60)
    async def test_changes_meanwhile(self) -> None:
        """A change during the replay is held until it is over, and told once."""
        self.assertEqual(await self.told_meanwhile(room=1000), (["before", "ready", "during"], 1))

    @gen_test(timeout=60)
    async def test_more_than_can_be_held(self) -> None:
        """Changes during the replay are replayed too, if they take too much memory."""
        self.assertEqual(await self.told_meanwhile(room=100), (["before", "during", "ready"], 2))

    async def told_meanwhile(self, room: int) -> tuple[list[str], int]:
        """Return what a client is told that can hold `room` bytes, and the number of replays."""
        client = await self.connect_live()
        last = (await self.next(client))["event_id"]
        await self.memo("before")
        await self.next(client)
        replay, rounds = replays.Replays.replay, 0

        async def replay_and_write(self_: Any, subscribed: Any) -> None:
            nonlocal rounds
            rounds += 1
            await replay(self_, subscribed)
            if rounds == 1:
                await self.memo("during " + "x" * 200)
                await self.next(client)

        with (
            patch.object(replays.Replays, "replay", replay_and_write),
            patch.object(subscription, "MAX_UNSENT_BYTES", room),
        ):
            late = await self.connect_live(last_id=last)
            found = [await self.next(late) for _ in range(3)]
        texts = [(each.get("ready") and "ready") or self.told(each)[2].split()[0] for each in found]
        return texts, rounds

    @gen_test(timeout=60)
    async def test_what_is_lost_meanwhile(self) -> None:
        """The stream of all clients may be lost during the replay for one."""
        client = await self.connect_live()
        last = (await self.next(client))["event_id"]
        await self.memo("missed")
        await self.next(client)
        replay, rounds = replays.Replays.replay, 0

        async def replay_and_lose(self_: Any, client: Any) -> None:
            nonlocal rounds
            rounds += 1
            await replay(self_, client)
            if rounds == 1:
                client.position = self.feed.events.position_of(last)
                client.resync()

        with patch.object(replays.Replays, "replay", replay_and_lose):
            found = await self.until_ready(last)
        self.assertEqual([self.told(message)[2] for message in found], ["missed", "missed"])
        self.assertEqual(rounds, 2)

    @gen_test(timeout=60)
    async def test_many_at_once(self) -> None:
        """One stream reads the past for all, and one for each that was away for long."""
        client = await self.connect_live()
        last = (await self.next(client))["event_id"]
        memo_id = str(await self.memo("missed"))
        await self.next(client)
        for together, most in ((60, 4), (-1, 10)):
            with (
                patch.object(replays, "TOGETHER_SECONDS", together),
                patch.object(self.feed, "past", wraps=self.feed.past) as past,
            ):
                found = await asyncio.gather(*(self.until_ready(last) for _ in range(10)))
            for (message,) in found:
                self.assertEqual(self.told(message)[1], memo_id)
            self.assertLessEqual(past.call_count, most)

    @gen_test(timeout=60)
    async def test_a_client_that_leaves_meanwhile(self) -> None:
        client = await self.connect_live()
        last = (await self.next(client))["event_id"]
        await self.memo("missed")
        await self.next(client)
        read, begun, left = replays.Replays._read, asyncio.Event(), asyncio.Event()

        async def read_late(self_: Any, clients: Any) -> None:
            begun.set()
            await left.wait()
            await read(self_, clients)

        with patch.object(replays.Replays, "_read", read_late):
            second = await self.connect_live(last_id=last)
            await begun.wait()
            second.close()
            await until(lambda: len(self._app.unending) == 1)
            left.set()
            self.assertEqual(len(await self.until_ready(last)), 1)

    @gen_test(timeout=60)
    async def test_a_large_replay_waits_for_its_client(self) -> None:
        client = await self.connect_live()
        last = (await self.next(client))["event_id"]
        client.close()
        with patch.object(subscription, "_REPLAYED_BYTES", 1):
            for n in range(5):
                await self.memo(f"{n}")
            texts = [self.told(message)[2] for message in await self.until_ready(last)]
        self.assertEqual(texts, [str(n) for n in range(5)])


class ResyncTest(LiveTest):
    async def resync(self, last_id: str) -> None:
        """Expect that a client with this last id is asked to read all again."""
        (message,) = await self.until_ready(last_id)
        self.assertEqual((message["resync"], message.keys()), (True, {"resync", "event_id"}))
        self.assertEqual(await self.until_ready(message["event_id"]), [])

    @gen_test(timeout=60)
    async def test_an_id_that_nobody_signed(self) -> None:
        await self.resync("82AB")

    @gen_test(timeout=60)
    async def test_longer_ago_than_the_oplog_goes(self) -> None:
        client = await self.connect_live()
        last = (await self.next(client))["event_id"]
        await self.memo("missed")
        await self.next(client)
        await self.log_ends("aggregate")
        await self.resync(last)

    async def log_ends(self, command: str) -> None:
        """Let MongoDB say once that its log no longer has a change."""
        data = {"failCommands": [command], "appName": f"{APPLICATION_NAME} {os.getpid()}"}
        fault = {"mode": {"times": 1}, "data": {**data, "errorCode": 286}}
        await mongodb.client.admin.command({"configureFailPoint": "failCommand", **fault})

    @gen_test(timeout=60)
    async def test_a_replay_that_takes_too_long(self) -> None:
        client = await self.connect_live()
        last = (await self.next(client))["event_id"]
        await self.memo("missed")
        await self.next(client)
        with patch.object(replays, "REPLAY_SECONDS", 0):
            await self.resync(last)

    @gen_test(timeout=60)
    async def test_a_deletion_whose_owner_is_not_known(self) -> None:
        client = await self.ready()
        memo_id = await self.memo("to be deleted")
        last = (await self.next(client))["event_id"]
        await self.keep_images(False)
        with patch.object(feed, "PAUSE_SECONDS", 0.01):
            await MEMOS.delete_by_id(memo_id)
            message = await self.next(client)
            self.assertEqual((message["resync"], message.keys()), (True, {"resync", "event_id"}))
            await self.resync(last)
        await self.keep_images(True)

    async def keep_images(self, enabled: bool) -> None:
        images = {"changeStreamPreAndPostImages": {"enabled": enabled}}
        await mongodb.command("collMod", MEMOS.name, **images)

    @gen_test(timeout=60)
    async def test_the_database_is_dropped(self) -> None:
        client = await self.connect_live()
        last = (await self.next(client))["event_id"]
        with patch.object(feed, "PAUSE_SECONDS", 0.01):
            await mongodb.client.drop_database(self.database)
            self.assertEqual(await self.ended(client), 1008)  # with the sessions
        self.token = (await self.sign_up("ada"))[1]
        await self.resync(last)

    @gen_test(timeout=60)
    async def test_the_stream_is_lost(self) -> None:
        """An outage may be longer than MongoDB's log."""
        client = await self.ready()
        with patch.object(feed, "PAUSE_SECONDS", 0.01), self.assertLogs(LOGGER, "ERROR"):
            await self.log_ends("getMore")
            await self.memo("before")
            while not (await self.next(client)).get("resync"):
                pass
        await self.memo("after")
        self.assertEqual(self.told(await self.next(client))[2], "after")
