"""`run.py test` and its suites: what each of them runs, and what a failure tells."""

from __future__ import annotations

import ast
import io
import re
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from unittest import SkipTest, TestCase
from unittest.mock import patch

from indico.engine.tests import runner, runner_process
from indico.engine.tests.environment import DRIVER, EXAMPLES, HTTP_SERVER, LANE, LOOP
from indico.tests.server_process import ROOT

PASSED = {"ran": 1, "skipped": 0, "seconds": 0, "processor": 0, "failures": []}


def run(*arguments: str) -> tuple[int, str, str]:
    """Return the exit code, the output and the errors of the runner."""
    with redirect_stdout(io.StringIO()) as printed, redirect_stderr(io.StringIO()) as said:
        code = runner.main(arguments)
    return code, printed.getvalue(), said.getvalue()


def found(suite: str) -> set[str]:
    return set(runner.find(runner.SUITES[suite].modules, unit=suite == "unit"))


class NamesTest(TestCase):
    def test_nosetests_takes_no_other_method_for_a_test(self) -> None:
        """`nosetests` runs each method of a test class that has `test` at the start of a word."""
        for path in (ROOT / runner.FOLDER).rglob("tests/**/*.py"):
            for kind in ast.walk(ast.parse(path.read_text())):
                for each in kind.body if isinstance(kind, ast.ClassDef) else ():
                    name = getattr(each, "name", "")
                    if re.search(r"(^|_)test", name):
                        self.assertRegex(name, "^test_", path)


class SuitesTest(TestCase):
    integration = True

    def test_what_they_run(self) -> None:
        everything, unit, engine, yours = map(found, ("all", "unit", "engine", "yours"))
        self.assertTrue(unit | engine | yours < everything)
        self.assertEqual(engine & yours, set())
        self.assertIn("indico.tests.routes.test_user:UpdateTest", yours - unit)
        self.assertIn("indico.tests.test_config:SettingsTest", yours & unit)
        self.assertIn("indico.engine.tests.test_settings:LoadTest", engine & unit)
        self.assertIn("indico.tests.test_readme:NewResourceTest", everything - yours - unit)
        self.assertIn("indico.tests.web.test_login:LoginTest", yours)

    def test_in_a_browser(self) -> None:
        name = "indico.tests.browser.test_journey:JourneyTest"
        try:
            self.assertIn(name, found("browser"))
        except SkipTest:  # without playwright
            self.assertIsNone(find_spec("playwright"))
        self.assertFalse([each for each in found("all") if ".browser." in each])

    def test_the_matrix(self) -> None:
        """A class runs again for values of the variables that make a difference to it."""
        added: dict[str, list[set[str]]] = {}
        for test, environment, _ in runner.matrix(runner.find([runner.ENGINE])):
            added.setdefault(test.removeprefix(f"{runner.ENGINE}.tests."), []).append(
                set(environment)
            )
        others, loop = {DRIVER, HTTP_SERVER, LOOP}, {LOOP}
        off, more = {"PRIMARY_KILLS", LANE}, {"PRIMARY_KILLS", EXAMPLES}
        for test, environments in (
            ("http.test_http_server:AnswerTest", [others, loop]),
            ("http.test_corpus:ServersTest", [others]),
            ("http.test_action_handler:DebugTest", [others]),
            ("http.test_splits:SplitTest", [{EXAMPLES}]),
            ("mongo.test_collection:CollectionTest", [others]),
            ("mongo.test_collection:WithoutLanesTest", [others]),
            ("mongo.test_batched:PropertyTest", [more, off, others]),
            ("mongo.test_replica_set:ReplicaSetTest", [more, off, others]),
        ):
            self.assertEqual(added[test], environments, test)
        for test in ("mongo.test_embedded:StartTest", "test_settings:LoadTest"):
            self.assertNotIn(test, added)

    def test_few_starts(self) -> None:
        """A process goes on with tests of its own environment, as long as there are any."""
        items = [
            runner_process.Item(f"{n}", {LOOP: loop}, False) for n in range(3) for loop in "ab"
        ]
        run = runner_process.Run([])
        run.items = items
        with patch.object(runner_process, "RunnerProcess") as process:
            process.return_value.run.return_value = PASSED
            run.run(1)
        asked = [call.args[0] for call in process.return_value.run.call_args_list]
        self.assertEqual(asked, ["0", "1", "2", "0", "1", "2"])
        self.assertEqual([call.args[0][LOOP] for call in process.call_args_list], ["a", "b"])
        self.assertEqual(process.return_value.end.call_count, 2)

    def test_those_that_are_named(self) -> None:
        code, printed, said = run("indico/tests/test_config.py:SettingsTest.test_names")
        self.assertEqual((code, said), (0, ""))
        self.assertIn("1 passed, 0 failed, 0 skipped", printed)

    def test_a_failure_tells_how_to_run_it_alone(self) -> None:
        code, printed, _ = run("indico/tests/test_config.py:SettingsTest.test_that_is_not_there")
        self.assertEqual(code, 1)
        self.assertIn("1 failed", printed)
        self.assertIn("Alone: python3 run.py test ", printed)

    def test_an_unknown_one(self) -> None:
        with redirect_stderr(io.StringIO()) as said, self.assertRaises(SystemExit) as left:
            runner.main(["--suite", "fast"])
        self.assertEqual(left.exception.code, 2)
        self.assertIn("'all', 'yours', 'engine', 'unit', 'browser'", said.getvalue())
