"""The limits of passwords and registrations: see docs/limits-and-jobs.md.

A try takes a token of its account and of its address before the password is checked, so that tries
at the same time are counted too. A right password gives them back. The more tries were wrong, the
longer the next one has to wait, but never for more than a day's share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from indico.db import Bucket, Rate, give_back, network_of, take
from indico.db.user_db import Credentials
from indico.service.passwords import verify_password

# A multiple of the tries, and of the time: 10 a minute are also 30 an hour, and 100 a day.
_GROWING = ((1, 1), (3, 60), (10, 24 * 60))
# Offices share an address.
_ROOM_OF_AN_ADDRESS = 10


@dataclass(frozen=True)
class Caller:
    """A client at `address`, and its limits. None is for no limit, also as the address."""

    address: str | None = None
    login_limit: Rate | None = None
    registration_limit: Rate | None = None

    @property
    def network(self) -> str | None:
        """The address, or of an IPv6 address its /64."""
        return network_of(self.address) if self.address else None

    async def is_right(self, account: str, credentials: Credentials | None, password: str) -> bool:
        """Return whether `password` is the account's; False if it has no `credentials`.

        Raise `RateLimited` after too many wrong passwords, and `Unavailable` without MongoDB.
        """
        buckets = list(self._buckets(account, credentials["networks"] if credentials else []))
        if buckets:
            await take(*buckets)
        valid = await verify_password(credentials and credentials["password_hash"], password)
        if valid:
            await give_back(*buckets)
        return valid

    async def count_registration(self) -> None:
        """Raise `RateLimited` after too many registrations, and `Unavailable` without MongoDB."""
        if self.network and self.registration_limit:
            await take(Bucket("registration", "address", self.network, self.registration_limit))

    def _buckets(self, account: str, known: list[str]) -> Iterator[Bucket]:
        """Yield the buckets of a try.

        A network from which the account has logged in before has tokens of its own for it. So
        nobody elsewhere can use them up. All other networks share those of the account.
        """
        if self.network is None or self.login_limit is None:
            return
        own = f"{account} {self.network}" if self.network in known else account
        digest = hashlib.blake2b(own.encode(), digest_size=16).hexdigest()
        for tries, time in _GROWING:
            yield Bucket("login", "account", digest, self.login_limit.times(tries, time))
            room = self.login_limit.times(tries * _ROOM_OF_AN_ADDRESS, time)
            yield Bucket("login", "address", self.network, room)


UNLIMITED = Caller()
