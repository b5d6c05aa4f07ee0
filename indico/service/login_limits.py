"""The limits of passwords, registrations and service logins: see docs/limits-and-jobs.md.

A try takes a token of its account and of its address before the password is checked. So tries at
the same time are counted too. A right password gives the tokens back. The more tries were wrong,
the longer the next one waits, but never for more than a day's share. A login with another service
takes a token of its address when it begins, and gives it back on success.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from indico.db import Bucket, Rate, give_back, network_of, take
from indico.db.user_db import Credentials
from indico.service.passwords import verify_password

# A multiple of the tries, and of the time: 10 a minute are also 30 an hour, and 100 a day.
_GROWING = ((1, 1), (3, 60), (10, 24 * 60))
# Offices share an address.
_ROOM_OF_AN_ADDRESS = 10
_KNOWN_NETWORKS = 10  # of the latest logins of an account


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

    def networks(self, credentials: Credentials) -> list[str]:
        """Return the networks of the account's latest logins, after one of this caller."""
        if self.network is None:
            return credentials["networks"]
        others = [each for each in credentials["networks"] if each != self.network]
        return [self.network, *others][:_KNOWN_NETWORKS]

    async def is_right(self, account: str, credentials: Credentials | None, password: str) -> bool:
        """Return whether `password` is the account's; False if it has no `credentials`.

        Raise `RateLimited` after too many wrong passwords, and `Unavailable` without MongoDB.
        """
        buckets = self._buckets(account, credentials["networks"] if credentials else [])
        if buckets:
            await take(*buckets)
        valid = await verify_password(credentials and credentials["password_hash"], password)
        if valid:
            await give_back(*buckets)
        return valid

    async def count_service_login(self) -> None:
        """Count a login with another service that begins. Raise the errors of `is_right`."""
        if buckets := self._of_address("service login"):
            await take(*buckets)

    async def uncount_service_login(self) -> None:
        """Give back what `count_service_login` took, once the service knows the person."""
        await give_back(*self._of_address("service login"))

    async def count_registration(self) -> None:
        """Raise `RateLimited` after too many registrations, and `Unavailable` without MongoDB."""
        if self.network and self.registration_limit:
            await take(Bucket("registration", "address", self.network, self.registration_limit))

    def _buckets(self, account: str, known: list[str]) -> list[Bucket]:
        """Return the buckets of a try.

        A network from which the account has logged in before has tokens of its own for it. So
        nobody elsewhere can use them up. All other networks share those of the account.
        """
        own = f"{account} {self.network}" if self.network in known else account
        digest = hashlib.blake2b(own.encode(), digest_size=16).hexdigest()
        of_account = [Bucket("login", "account", digest, rate) for rate in self._rates()]
        return of_account + self._of_address("login")

    def _of_address(self, scope: str) -> list[Bucket]:
        rates = [rate.times(_ROOM_OF_AN_ADDRESS) for rate in self._rates()]
        return [Bucket(scope, "address", str(self.network), rate) for rate in rates]

    def _rates(self) -> list[Rate]:
        """Return the limits of an account; none without a limit or an address."""
        limit = self.login_limit if self.network else None
        return [limit.times(tries, time) for tries, time in _GROWING] if limit else []


UNLIMITED = Caller()
