"""Commands to the embedded `mongod`, by PyMongo's blocking client."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient

from .driver import APPLICATION_NAME

REPLICA_SET = "embedded"
OTHERS_SECONDS = 1

Client = MongoClient[dict[str, Any]]


def data_folder(client: Client) -> Path:
    options = client.admin.command("getCmdLineOpts")["parsed"]
    return Path(options["storage"]["dbPath"]).resolve()


def process(client: Client) -> psutil.Process:
    return psutil.Process(client.admin.command("serverStatus")["pid"])


def make_primary(client: Client, port: int, deadline: float) -> bool:
    """Make the replica set if there is none, and return whether it takes writes by `deadline`."""
    member = {"_id": 0, "host": f"127.0.0.1:{port}"}
    if client.local["system.replset"].find_one() is None:
        client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
    while time.monotonic() < deadline:
        if client.admin.command("hello")["isWritablePrimary"]:
            return True
        time.sleep(0.02)
    return False


def rename_and_move(client: Client, port: int) -> None:
    """Give the replica set of a standalone `mongod` the name `REPLICA_SET` and this port.

    A crash between the two writes leaves both configurations, and the next call repairs that.
    """
    configurations = client.local["system.replset"]
    if found := configurations.find_one():
        found["members"][0]["host"] = f"127.0.0.1:{port}"
        name = {"_id": REPLICA_SET}
        configurations.replace_one(name, {**found, **name}, upsert=True)
        configurations.delete_many({"_id": {"$ne": REPLICA_SET}})


def is_used(client: Client) -> bool:
    """Return whether another server is connected; each has its process id in its name.

    A connection that was closed just now may still be listed. So this function looks again
    for `OTHERS_SECONDS`.
    """
    own = f"{APPLICATION_NAME} {os.getpid()}"
    query: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True, "idleConnections": True}},
        {"$match": {"appName": {"$regex": f"^{APPLICATION_NAME} ", "$ne": own}}},
    ]
    deadline = time.monotonic() + OTHERS_SECONDS
    while list(client.admin.aggregate(query)):
        if time.monotonic() > deadline:
            return True
        time.sleep(0.05)
    return False
