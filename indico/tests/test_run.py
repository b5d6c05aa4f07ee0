"""`run.py` itself."""

from __future__ import annotations

import shutil
import subprocess
import sys

from indico.tests.server_process import ROOT, ProcessTest


class RunTest(ProcessTest):
    """`run.py` itself, in a folder of its own with nothing to install."""

    def setUp(self) -> None:
        super().setUp()
        shutil.copy(ROOT / "run.py", self.folder)
        self.requirements = self.folder / "req.txt"
        self.requirements.write_text("# nothing\n")
        package = self.folder / "indico"
        package.mkdir()
        (package / "server.py").write_text(
            "import signal, sys\n"
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
            "print('flags', sys.argv[1:], sys.prefix, flush=True)\n"
            "if '--wait' in sys.argv: signal.pause()\n"
        )

    def run_task(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "run.py", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_usage(self) -> None:
        for arguments, code in (([], 0), (["--help"], 0), (["nosuch"], 2)):
            done = self.run_task(*arguments)
            self.assertEqual(done.returncode, code)
            for task in ("serve", "doctor", "test", "lint", "typecheck", "check", "bench"):
                self.assertIn(f"\n  {task} ", done.stdout)

    def test_serve(self) -> None:
        served = f"flags ['--port', '1'] {self.folder / '.venv'}\n"
        doctor = self.folder / "indico/doctor.py"
        doctor.write_text("import sys\nprint(sys.argv[1:], sys.prefix)\nsys.exit(1)\n")
        self.examine(sys.prefix)  # it installs nothing
        first = self.run_task("serve", "--port", "1")
        self.assertEqual(first.stdout.splitlines()[0][:29], "Installing req.txt into .venv")
        self.assertTrue(first.stdout.endswith(served), first.stdout + first.stderr)
        self.assertEqual(self.run_task("serve", "--port", "1").stdout, served)
        self.requirements.write_text("# nothing, changed\n")
        self.assertIn("Installing", self.run_task("serve", "--port", "1").stdout)
        self.examine(str(self.folder / ".venv"))
        self.pass_a_signal_on()

    def examine(self, prefix: str) -> None:
        done = self.run_task("doctor", "--json")
        self.assertEqual((done.stdout, done.returncode), (f"['--json'] {prefix}\n", 1))

    def pass_a_signal_on(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "run.py", "serve", "--wait"], cwd=self.folder, stdout=subprocess.PIPE
        )
        assert process.stdout
        with process.stdout:
            self.assertIn(b"--wait", process.stdout.readline())
        process.terminate()
        self.assertEqual(process.wait(10), 7)

    def test_what_can_not_be_installed(self) -> None:
        self.requirements.write_text("-r nowhere.txt\n")
        for _ in range(2):
            done = self.run_task("serve")
            self.assertEqual(done.returncode, 1)
            self.assertIn("pip could not install req.txt", done.stderr)
            self.assertNotIn("flags", done.stdout)
