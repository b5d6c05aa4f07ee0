"""What indico is measured beside: one module a framework, each as its documentation would have it.

Each is a server of its own, `python -m bench.peers.fastapi --help`. The queries, the same for all,
are in `notes.py`; the models of those that use pydantic in `models.py`.
"""
