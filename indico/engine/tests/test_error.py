"""Errors as data."""

from __future__ import annotations

import inspect
import pickle
from unittest import TestCase

from .. import error
from ..error import APIError

DETAIL = {"path": "a", "reason": "b", "message": "c"}
EXAMPLES = [
    error.APIError("a", details=[DETAIL], headers={"A": "b"}),
    error.ServerError("a"),
    error.InvalidJSON(),
    error.InvalidArgument("a", details=[DETAIL]),
    error.MissingField("a.b"),
    error.UnknownField("limt", "limit"),
    error.WrongFieldType("a.b", "it is no b", "no_b"),
    error.WrongCursor(),
    error.AuthError("a"),
    error.PermissionDenied(),
    error.NotFound("a"),
    error.RouteNotFound(),
    error.MethodNotAllowed(["GET", "HEAD"]),
    error.Conflict("a", details=[DETAIL]),
    error.Contended("a", retry_after=7),
    error.CallInProgress(),
    error.Duplicate("email_1", ["email"]),
    error.Gone(),
    error.PreconditionFailed(),
    error.TooLarge(5),
    error.UnsupportedMediaType(),
    error.IdempotencyKeyReused(),
    error.RateLimited(retry_after=7),
    error.Unavailable("a", retry_after=7),
    error.Overloaded(),
    error.DeadlineExceeded(),
]


class PickleTest(TestCase):
    def test_examples_are_all_there_are(self) -> None:
        kinds = {
            kind
            for kind in vars(error).values()
            if inspect.isclass(kind) and issubclass(kind, APIError) and kind.__name__[0] != "_"
        }
        self.assertEqual(kinds, {type(example) for example in EXAMPLES})

    def test_nothing_changes(self) -> None:
        for example in EXAMPLES:
            example.add_note("a note")
            same = pickle.loads(pickle.dumps(example))
            self.assertIs(type(same), type(example))
            self.assertEqual((str(same), same.args), (str(example), example.args))
            self.assertEqual(vars(same), vars(example))
            self.assertEqual(same.headers, example.headers)
