"""Hooks of schemathesis: accounts for its calls, and rules that a JSON schema can't say."""

from __future__ import annotations

import itertools
import json
import os
import urllib.request
from collections.abc import Iterable
from typing import Any

import schemathesis
from hypothesis import strategies as st

from indico.engine.openapi.failures import OPEN_ENUM

SIGNED_IN = "FUZZ_SIGNED_IN"  # not empty to call as an account; else no call has a token
# Calls after which the token, the password or the account is another one.
ENDING = {"auth_logout", "auth_logout_all", "user_change_password", "user_delete", "user_update"}
PASSWORD = "correct horse battery"
_numbers = itertools.count()


def register(base_url: str) -> str:
    """Return the token of a new account."""
    email = f"fuzz{os.getpid()}.{next(_numbers)}@example.com"
    body = json.dumps({"email": email, "password": PASSWORD}).encode()
    with urllib.request.urlopen(f"{base_url}/auth/register", body) as response:
        token: str = json.load(response)["data"]["token"]
    return token


class Account:
    """The token of an account; a call that ends its account gets one of its own."""

    def get(self, case: Any, _: Any) -> str:
        return register(case.operation.base_url.rstrip("/"))

    def set(self, case: Any, token: str, _: Any) -> None:
        if case.operation.definition.raw["operationId"] in ENDING:
            token = register(case.operation.base_url.rstrip("/"))
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}


def before_load_schema(context: Any, raw_schema: Any) -> None:
    """Close each open enum, because this server answers no other `reason` than its document has."""
    if isinstance(raw_schema, dict) and OPEN_ENUM in raw_schema:
        raw_schema["enum"] = raw_schema[OPEN_ENUM]
    for part in inside(raw_schema):
        before_load_schema(context, part)


def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Drop the failure of a call that is refused for a reason of no keyword of JSON Schema.

    The document names such a reason under `x-reasons`, beside the type that has the rule. The 504
    of a call that gave itself a few milliseconds is no failure either.
    """
    if response.status_code == 504 and "Connect-Timeout-Ms" in (case.headers or {}):
        return False
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    error = response.json()["error"]
    if error["code"] == "idempotency_key_reused":  # the generated keys are not all new
        return False
    details = error["details"]
    raw = [case.operation.definition.raw, case.operation.schema.raw_schema["components"]]
    # HTTP strips the spaces around a value, so that a key may be empty.
    beyond = {"int_too_long", "idempotency_key", *reasons(raw)}
    if has_whole_float(case.body):  # an integer, says JSON Schema
        beyond.add("int_type")
    return not details or any(detail["reason"] not in beyond for detail in details)


def reasons(document: Any) -> set[str]:
    """Return each reason in an `x-reasons` of the document."""
    found = document.get("x-reasons", ()) if isinstance(document, dict) else ()
    return set(found).union(*map(reasons, inside(document)))


def has_whole_float(value: Any) -> bool:
    whole = isinstance(value, float) and value.is_integer()
    return whole or any(map(has_whole_float, inside(value)))


def inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


schemathesis.hook(before_load_schema)
schemathesis.hook(filter_failure)
# Texts of these formats that are mostly accepted, so that calls get past the first check.
schemathesis.openapi.format("email", st.emails().filter(lambda text: len(text) < 100))
schemathesis.openapi.format("name", st.text(st.characters(categories=["L"]), min_size=1))
schemathesis.openapi.format("password", st.text(st.characters(categories=["L"]), min_size=12))
if os.environ.get(SIGNED_IN):
    schemathesis.auth(refresh_interval=3600)(Account)
