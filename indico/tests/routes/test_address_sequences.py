"""Address books by REST and by actions: any sequence of requests."""

from __future__ import annotations

from hypothesis import settings, stateful

from indico.engine.tests.environment import EXAMPLES
from indico.engine.tests.mongo.round_trip_test import property_settings
from indico.tests.routes.address_books import BooksTest
from indico.tests.routes.address_machine import QUERIES, RIGHT_ENTRIES, BooksMachine


class AnySequenceTest(BooksTest):
    """Any sequence of requests by REST and actions: the books behave like dicts."""

    varies_with = (EXAMPLES,)
    covers = False
    seconds = 5

    def machine(self) -> type[BooksMachine]:
        class Machine(BooksMachine):
            test = self

        return Machine

    def test_any_sequence(self) -> None:
        chosen = settings(property_settings(4), stateful_step_count=20)
        stateful.run_state_machine_as_test(self.machine(), settings=chosen)

    def test_each_name(self) -> None:
        machine = self.machine()()
        ids = [machine.create("ada", entry) for entry in RIGHT_ENTRIES]
        self.check_names(machine)
        for address_id, entry in zip(ids, reversed(RIGHT_ENTRIES), strict=True):
            machine.put("ada", address_id, entry, None)
        self.check_names(machine)

    def check_names(self, machine: BooksMachine) -> None:
        for query in QUERIES:
            for limit in (2, 50):
                machine.page_by_page("ada", query, limit, stop=0)
