"""ID tokens that are wrong in one thing each."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from joserfc import jws

from .client_test import ClientTest
from .provider_server import CLIENT_ID, KEY, OTHER_KEY, public, signed_by_secret, unsigned


class ClaimsTest(ClientTest):
    def refused(self, **claims: Any) -> None:
        self.provider.claims = claims
        with self.subTest(claims):
            self.fails("answer")

    def accepted(self, **claims: Any) -> None:
        self.provider.claims = claims
        with self.subTest(claims):
            self.log_in()

    def test_audience(self) -> None:
        for audience in ("another client", ["another client"], [], None, 5, {CLIENT_ID: 1}):
            self.refused(aud=audience)
        several = [CLIENT_ID, "another client"]
        self.refused(aud=several)
        self.refused(aud=several, azp="another client")
        self.refused(azp="another client")
        self.accepted(aud=several, azp=CLIENT_ID)
        self.accepted(aud=[CLIENT_ID])

    def test_issuer(self) -> None:
        for issuer in ("https://evil.example", f"{self.provider.issuer}/", None, 5):
            self.refused(iss=issuer)

    def test_expired(self) -> None:
        now = int(time.time())
        for end in (now - 61, 0, None, "soon", True, math.nan):
            self.refused(exp=end)

    def test_issued(self) -> None:
        now = int(time.time())
        for begin in (now + 3600, now - 3600, None, "now", False):
            self.refused(iat=begin)
        self.accepted(iat=now - 300)

    def test_nonce(self) -> None:
        for nonce in ("another login", "", None, 5):
            self.refused(nonce=nonce)

    def test_subject(self) -> None:
        for subject in ("", None, 5, "s" * 256):
            self.refused(sub=subject)

    def test_not_yet_valid(self) -> None:
        self.refused(nbf=int(time.time()) + 3600)


class SignatureTest(ClientTest):
    def test_of_another_key(self) -> None:
        self.provider.key = OTHER_KEY
        self.fails("answer")

    def test_none(self) -> None:
        for header in ({"alg": "none"}, {"alg": "NONE"}, {"alg": "none", "kid": "first"}, {}):
            self.provider.sign = partial(with_header, header, unsigned)
            with self.subTest(header):
                self.fails("answer")

    def test_without_signature(self) -> None:
        self.provider.sign = unsigned
        self.fails("answer")

    def test_the_public_key_as_a_secret(self) -> None:
        for form in ("PEM", "DER"):
            sign = partial(signed_by_secret, secret=KEY.as_bytes(form, private=False))
            for kid in ("first", "other"):
                header = {"alg": "HS256", "kid": kid}
                self.provider.sign = partial(with_header, header, sign)
                with self.subTest(form, kid=kid):
                    self.fails("answer")

    def test_malformed(self) -> None:
        tokens: list[Any] = ["", ".", "..", "a.b", "a.b.c", "\u00e4.b.c", "W10.W10.W10"]
        for token in (*tokens, unsigned([], {}), "[" * 100_000, 5, [], None):
            self.provider.tokens = {"id_token": token}
            with self.subTest(str(token)[:20]):
                self.fails("answer")

    def test_claims_that_are_no_object(self) -> None:
        self.provider.sign = lambda header, _: _signed(header, "[1]")
        self.fails("answer")
        self.provider.sign = lambda header, _: _signed(header, "[" * 50_000)
        self.fails("answer")

    def test_half_a_character(self) -> None:
        """JSON can have half of a surrogate pair, but a cookie and a document can't."""
        self.provider.sign = partial(_signed_with, {"sub": "\ud83d"})
        self.fails("answer")
        self.provider.sign = partial(_signed_with, {"email": "\ud83d@a.example", "name": "\ud83d"})
        identity = self.log_in()
        self.assertEqual((identity.email, identity.name), (None, None))

    def test_unknown_field_of_the_header(self) -> None:
        self.provider.header = {"pi.atm": "x"}
        self.log_in()


class KeysTest(ClientTest):
    """Renewals of the keys, without the pause between two of them."""

    def setUp(self) -> None:
        super().setUp()
        self.client.keys.pause = 0

    def rotate(self) -> None:
        self.provider.key, self.provider.header = OTHER_KEY, {"kid": "second"}
        self.provider.keys = [public(KEY), public(OTHER_KEY, "second")]

    def fetched(self) -> int:
        return self.provider.asked.count("/keys")

    def test_rotated(self) -> None:
        self.log_in()
        self.rotate()
        self.log_in()
        self.log_in()
        self.assertEqual(self.fetched(), 2)

    def test_unknown_key(self) -> None:
        self.provider.header = {"kid": "nobody's"}
        self.fails("answer")
        self.assertEqual(self.fetched(), 2)

    def test_not_more_often_than_the_pause(self) -> None:
        self.log_in()
        self.rotate()
        self.client.keys.pause = 3600
        for _ in range(3):
            self.fails("answer")
        self.assertEqual(self.fetched(), 1)

    def test_without_kid(self) -> None:
        """A single key needs no name, and several do."""
        self.provider.header = {"kid": None}
        self.log_in()
        self.provider.keys = [public(KEY), public(OTHER_KEY, "second")]
        self.client.keys.max_age = 0
        self.fails("answer")

    def test_keys_that_cannot_be_read(self) -> None:
        unreadable = [{"kty": "new"}, {"kty": "RSA", "n": "!", "e": "AQAB"}, {}, 5, "x"]
        self.provider.keys = [*unreadable, public(KEY)]
        self.log_in()

    def test_for_encryption(self) -> None:
        self.provider.keys = [{**public(KEY), "use": "enc"}, public(OTHER_KEY, "second")]
        self.fails("answer")

    def test_no_keys(self) -> None:
        for body in (b"{}", b'{"keys": 5}', b'{"keys": []}'):
            self.provider.answers["/keys"] = 200, body
            self.unavailable()


def with_header(
    header: dict[str, Any], sign: Callable[[Any, Any], str], _: Any, claims: dict[str, Any]
) -> str:
    """Return a token with this header in place of the provider's."""
    return sign(header, claims)


def _signed(header: dict[str, Any], payload: str) -> str:
    return jws.serialize_compact(header, payload, KEY)


def _signed_with(more: dict[str, Any], header: dict[str, Any], claims: dict[str, Any]) -> str:
    return _signed(header, json.dumps({**claims, **more}))
