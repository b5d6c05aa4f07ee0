"""Linearizability: an order of concurrent calls that explains what each caller got.

Every call takes effect at one moment between its start and its end. `explain` looks for an order
of these moments. In that order the model gives each caller the same answer, and ends with the
documents that are stored. (Herlihy and Wing, "Linearizability: a correctness condition for
concurrent objects", 1990.)
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from .model import Call, State, effects, outcome, stored_id

NEVER = math.inf


@dataclass(eq=False)
class Record:
    """A call: when it began and ended, and with what `outcome`.

    A call that was cancelled, or that got no answer, has no end. Its effect may
    have happened, or come later.
    """

    call: Call
    start: float
    end: float = NEVER
    outcome: Hashable = None
    is_unnamed: bool = False  # inserts a document without an id


# The calls that have not ended, each with the id of the document that its update has written.
# The answer of an update by id is read later, and may show other writes in between.
Pending = frozenset[tuple[Record, Hashable]]
Moment = tuple[State, Pending]


def explain(before: State, records: Iterable[Record], after: State) -> set[frozenset[Record]]:
    """Return, for every explanation, the calls without an end that have had no effect yet.

    The set is empty if there is no explanation.
    """
    moments: list[Moment] = [(before, frozenset((record, None) for record in records))]
    seen = set(moments)
    explanations = set()
    while moments:
        state, pending = moments.pop()
        left = frozenset(record for record, _ in pending)
        if state == after and all(record.end == NEVER for record in left):
            explanations.add(left)
        new = set(_next(state, pending)) - seen
        moments += new
        seen |= new
    return explanations


def _next(state: State, pending: Pending) -> list[Moment]:
    """Return the moments that may come next; only one if its call fits and changes nothing."""
    moments = []
    first_end = min((record.end for record, _ in pending), default=NEVER)
    for record, written in pending:
        others = pending - {(record, written)}
        if written is not None and record.outcome == _document(written, state):
            return [(state, others)]
        if written is not None or record.start > first_end:
            continue
        reads_later = record.end < NEVER and _is_update_by_id(record.call)
        for answer, changed in effects(record.call, state):
            if answer == record.outcome and changed == state and not reads_later:
                return [(state, others)]
            if answer == record.outcome or (record.end == NEVER and changed != state):
                moments.append((changed, others))
            if reads_later and answer in changed:
                moments.append((changed, others | {(record, stored_id(answer))}))
    return moments


def _is_update_by_id(call: Call) -> bool:
    return call.method.startswith("update") and list(call.query) == ["_id"]


def _document(id: Hashable, state: State) -> Hashable:
    return next((raw for raw in state if stored_id(raw) == id), outcome(None))
