"""`run.py fuzz`: schemathesis calls all operations of a server with generated data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from indico.tests.server_process import ROOT, ServerProcess

CONFIG = Path(__file__).with_name("schemathesis.toml")


def main(arguments: list[str]) -> int:
    """Call without a token and then as an account, each for half of the seconds."""
    seconds = int(arguments[0]) if arguments else 120
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        # With `--debug` the server checks its answers too, against the return annotations.
        flags = ("--data-dir", folder, "--debug", "--max-delay-seconds", "3600")
        unlimited = ("--login-limit", "off", "--registration-limit", "off")
        with ServerProcess(*flags, *unlimited) as server:
            port = server.wait_until_it_listens().port
            return max(call(port, seconds // 2, signed_in) for signed_in in ("", "yes"))


def call(port: int, seconds: int, signed_in: str) -> int:
    """Return the exit code of schemathesis; its report goes to the terminal."""
    print("\nSigned in:" if signed_in else "\nWithout a token:", flush=True)
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG)]
    what = ["run", f"http://127.0.0.1:{port}/openapi.json", "--checks", "all"]
    # One worker, because generating data in threads crashes the `ast` of Python 3.11.
    # The first call of another process starts that process, which takes seconds on a busy machine.
    how = ["--workers", "1", "--request-timeout", "60", "--max-response-time", "60"]
    how += ["--max-time", str(seconds)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FUZZ_SIGNED_IN": signed_in}
    return subprocess.run(
        [*command, *what, *how], cwd=ROOT, env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
