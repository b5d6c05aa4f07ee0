"""Servers that share an embedded MongoDB, and that end in every way there is."""

from __future__ import annotations

import json
import os
import signal
import socket

from ..environment import DRIVER
from ..server_process import ProcessTest, ServerProcess, until
from ..server_test import PASSWORD

REGISTER = {"email": "ada@example.com", "password": PASSWORD}


class ServersTest(ProcessTest):
    varies_with = (DRIVER,)
    seconds = 15

    flags = ("--mongodb-timeout-seconds", "3")

    def test_three_servers_share_one_mongod(self) -> None:
        servers = [self.start() for _ in range(3)]
        for server in servers:
            server.wait_until_it_listens()
        first, second, third = servers
        mongods = self.mongods()
        self.assertEqual(len(mongods), 1)
        _, registered = first.call("/auth/register", REGISTER)
        answer = (200, registered["user"])
        self.assertEqual(second.call("/user/get", token=registered["token"]), answer)
        first.signal(signal.SIGINT)
        self.assertEqual(first.wait(), 0)
        self.assertEqual(self.mongods(), mongods)
        second.kill()
        self.assertEqual(third.call("/user/get", token=registered["token"]), answer)
        self.assertEqual(third.stop(), 0)
        self.assertEqual(self.mongods(), [])

    def test_killed(self) -> None:
        """The server is killed, then `mongod` under another server, then both."""
        server = self.serve()
        _, registered = server.call("/auth/register", REGISTER)

        def is_there() -> bool:
            status, user = server.call("/user/get", token=registered["token"])
            return (status, user) == (200, registered["user"])

        server.kill()
        self.assertEqual(len(self.mongods()), 1)
        server = self.serve()
        self.assertNotIn("Starting MongoDB", server.printed())
        self.assertTrue(is_there())
        self.end_all()
        until(is_there)
        self.assertIn("the embedded MongoDB has ended; starting it again", server.printed())
        server.kill()
        self.end_all()
        server = self.serve()
        self.assertTrue(is_there())
        self.stop_by_ctrl_c_during_a_call(server)

    def stop_by_ctrl_c_during_a_call(self, server: ServerProcess) -> None:
        """Signal the whole process group, as a terminal does; the call still has its database."""
        body = json.dumps({**REGISTER, "password": "wrong password"}).encode()
        head = f"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(head.encode())
            until(lambda: server.call("/healthz")[0] == 200)
            mongods = self.mongods()
            self.assertEqual([os.getpgid(mongod.pid) for mongod in mongods], [mongods[0].pid])
            os.killpg(server.process.pid, signal.SIGINT)
            until(lambda: "stopping" in server.printed())
            self.assertEqual(self.mongods(), mongods)
            client.sendall(body)
            self.assertEqual(client.recv(12), b"HTTP/1.1 401")
        self.assertEqual(server.wait(), 0)
        self.assertEqual(self.mongods(), [])
