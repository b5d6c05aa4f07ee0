"""The tests of the engine: real sockets, a real MongoDB, each test with a database of its own."""

import os

from .sample.app import Settings

# The settings of whoever runs the tests are not those of the tests.
_PREFIX = str(Settings.model_config["env_prefix"])
for name in [name for name in os.environ if name.startswith(_PREFIX)]:
    del os.environ[name]

# A server that a test starts as a process opens no database but a test's.
os.environ[f"{_PREFIX}MONGODB_DATABASE"] = "test_process"
