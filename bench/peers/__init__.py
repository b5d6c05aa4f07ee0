"""The other frameworks: one module each, written as the framework's documentation recommends.

Each module is a server: `python -m bench.peers.fastapi --help`. `notes.py` has the queries, which
are the same for all. `models.py` has the models of the frameworks that use pydantic.
"""
