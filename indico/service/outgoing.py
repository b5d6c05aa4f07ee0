"""HTTP requests to URLs that users chose: to public addresses only, with limits."""

from indico.engine.http.outgoing_post import Received, Unreachable, post
from indico.engine.http.public_addresses import is_public

__all__ = ["Received", "Unreachable", "is_public", "post"]
