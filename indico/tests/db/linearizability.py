"""Whether what concurrent callers of a `Collection` got can be explained by some order.

Every operation takes effect at one moment between its start and its end. `explain` looks for
an order of these moments in which the model gives each caller what it got, and in the end holds
what is stored. (Herlihy and Wing, "Linearizability: a correctness condition for concurrent
objects", 1990.)
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from indico.tests.db.model import Call, State, effects, outcome, stored_id

NEVER = math.inf


@dataclass(eq=False)
class Record:
    """A call that was made: when it began and ended, and with what `outcome`.

    One that was cancelled, or that failed for want of an answer, has no end: it may have taken
    effect, or may yet.
    """

    call: Call
    start: float
    end: float = NEVER
    outcome: Hashable = None
    is_unnamed: bool = False  # inserts a document without an id; it got one since


# Each call that has not ended; with it the id of the document if it was an update by id that has
# written, but not read its answer: that may tell of writes in between.
Pending = frozenset[tuple[Record, Hashable]]
Moment = tuple[State, Pending]


def explain(before: State, records: Iterable[Record], after: State) -> set[frozenset[Record]]:
    """For every explanation those of the calls without an end that have had no effect yet.

    Empty if there is no explanation.
    """
    moments: list[Moment] = [(before, frozenset((record, None) for record in records))]
    seen = set(moments)
    explanations = set()
    while moments:
        state, pending = moments.pop()
        left = frozenset(record for record, _ in pending)
        if state == after and all(record.end == NEVER for record in left):
            explanations.add(left)
        steps = set(_steps(state, pending))
        # One that changes nothing may as well come first: it is in nobody's way.
        idle = next(
            ({step} for step in steps if step[0] == state and len(step[1]) < len(pending)), steps
        )
        new = idle - seen
        moments += new
        seen |= new
    return explanations


def _steps(state: State, pending: Pending) -> Iterator[Moment]:
    first_end = min((record.end for record, _ in pending), default=NEVER)
    for record, written in pending:
        others = pending - {(record, written)}
        if written is not None:
            if record.outcome == _document(written, state):
                yield state, others
        elif record.start < first_end:
            for answer, changed in effects(record.call, state):
                if answer == record.outcome or (record.end == NEVER and changed != state):
                    yield changed, others
                by_id = record.call.method.startswith("update") and list(record.call.query) == [
                    "_id"
                ]
                if by_id and record.end < NEVER and answer in changed:
                    yield changed, others | {(record, stored_id(answer))}


def _document(id: Hashable, state: State) -> Hashable:
    return next((raw for raw in state if stored_id(raw) == id), outcome(None))
