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

    def test_three_share_one_mongod_and_are_killed(self) -> None:
        servers = [self.start() for _ in range(3)]
        for server in servers:
            server.wait_until_it_listens()
        first, second, third = servers
        mongods = self.mongods()
        self.assertEqual(len(mongods), 1)
        _, self.registered = first.call("/auth/register", REGISTER)
        self.assertTrue(self.is_there(second))
        first.signal(signal.SIGINT)
        self.assertEqual(first.wait(), 0)
        self.assertEqual(self.mongods(), mongods)
        second.kill()
        self.assertTrue(self.is_there(third))
        third.kill()
        self.assertEqual(self.mongods(), mongods)
        self.stop_by_ctrl_c_during_a_call(self.outlive_mongod())

    def is_there(self, server: ServerProcess) -> bool:
        status, user = server.call("/user/get", token=self.registered["token"])
        return (status, user) == (200, self.registered["user"])

    def outlive_mongod(self) -> ServerProcess:
        """Kill `mongod` under a server, then both; return the server that is started then."""
        server = self.serve()
        self.assertNotIn("Starting MongoDB", server.printed())
        self.assertTrue(self.is_there(server))
        self.end_all()
        until(lambda: self.is_there(server))
        self.assertIn("the embedded MongoDB has ended; starting it again", server.printed())
        server.kill()
        self.end_all()
        server = self.serve()
        self.assertTrue(self.is_there(server))
        return server

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
