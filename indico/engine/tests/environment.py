"""Environment of the tests: without the settings of the person who runs them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from .sample.app import Settings

# With this variable a Python that starts measures its coverage, and takes twice the time for that.
MEASURE = "COVERAGE_PROCESS_CONFIG"
_COVERAGE = os.environ.pop(MEASURE, None)

# The variables that `run.py test --matrix` sets; a test class `varies_with` some of them.
DRIVER, LANE = "TEST_MONGODB_DRIVER", "TEST_MONGODB_LANE"
HTTP_SERVER, LOOP = "TEST_HTTP_SERVER", "TEST_LOOP"
EXAMPLES = "PROPERTY_EXAMPLES"

# What the tests of a server are run on. With these values a busy machine causes no 503.
CHOSEN: dict[str, Any] = {
    "mongodb_driver": os.environ.get(DRIVER, "motor"),
    "mongodb_lane": os.environ.get(LANE, "on") == "on",
    "http_server": os.environ.get(HTTP_SERVER, "fast"),
    "max_delay_seconds": "3600",
    "mongodb_timeout_seconds": 30,
}
# Tests compare what `/metrics` answers before a request with what it answers right after.
FRESH_METRICS = {"metrics_interval_seconds": 0.000_001}
MONGODB_URI = "TEST_MONGODB_URI"  # names a MongoDB that runs, for tests that a test starts
NO_MONGODB = "TEST_NO_MONGODB"  # set while the suite runs that must need none
PREFIX = str(Settings.model_config["env_prefix"])
for _name in [name for name in os.environ if name.startswith(PREFIX)]:
    del os.environ[_name]

# Each module is compiled once, rather than in each of some 200 processes.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Tornado's five seconds for an answer are not enough where an answer waits for a process start.
os.environ.setdefault("ASYNC_TEST_TIMEOUT", "60")

os.environ[f"{PREFIX}ENV_FILE"] = os.devnull  # also of the servers that a test starts

# A server that a test starts as a process opens no database but a test's.
os.environ[f"{PREFIX}MONGODB_DATABASE"] = "test_process"

# Pydantic looks for plugins in all installed packages, at each start of a process.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


@contextmanager
def measured() -> Iterator[None]:
    """Measure the coverage of the processes that are started meanwhile, if the run measures any.

    It is for code that runs only in a process of its own.
    """
    with patch.dict(os.environ, {MEASURE: _COVERAGE} if _COVERAGE else {}):
        yield
