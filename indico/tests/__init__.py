"""The tests: real sockets, a real MongoDB, and a database that each test finds empty."""

import os

# The settings of whoever runs the tests are not those of the tests.
for name in [name for name in os.environ if name.startswith("INDICO_")]:
    del os.environ[name]
os.environ["INDICO_ENV_FILE"] = os.devnull

# A server that a test starts as a process opens no database but a test's.
os.environ["INDICO_MONGODB_DATABASE"] = "test_process"
