"""A JSON-over-POST API server on Tornado and MongoDB."""

__version__ = "1.0.0"
