"""The names and the functions of migrations."""

from __future__ import annotations

from ...broken_code import BrokenCode
from ...error import StartError
from ...migrations.folder import find_migrations, load_functions
from .migrations_test import UP, FolderTest


class FindTest(FolderTest):
    def names(self, *written: str) -> list[str]:
        for name in written:
            self.write(name)
        return [migration.name for migration in find_migrations(self.package)]

    def refusal(self, *written: str) -> str:
        with self.assertRaises(StartError) as raised:
            self.names(*written)
        return str(raised.exception)

    def test_order(self) -> None:
        names = ["0002_second", "0001_first", "0003_third"]
        self.assertEqual(self.names(*names), sorted(names))

    def test_none(self) -> None:
        self.assertEqual(self.names(), [])
        self.assertEqual(find_migrations(""), [])

    def test_old_ones_are_deleted(self) -> None:
        self.assertEqual(self.names("0041_b", "0040_a"), ["0040_a", "0041_b"])

    def test_gap(self) -> None:
        text = self.refusal("0001_a", "0003_c")
        self.assertIn("There is no migration 0002", text)
        self.assertIn("between 0001_a and 0003_c", text)

    def test_one_number_twice(self) -> None:
        text = self.refusal("0001_a", "0002_b", "0002_c", "0003_d")
        self.assertIn("have the number 0002: 0002_b and 0002_c", text)

    def test_wrong_names(self) -> None:
        for name in ("1_a", "0001-a", "0001_A", "0001", "notes"):
            file = self.write(name, UP)
            self.assertIn(f"{name}.py in {self.package} is named unlike", self.refusal())
            file.unlink()

    def test_other_files(self) -> None:
        (self.folder / "README.md").touch()
        self.assertEqual(self.names("_rename", "0001_a"), ["0001_a"])

    def test_no_such_package(self) -> None:
        with self.assertRaisesRegex(StartError, "There is no package"):
            find_migrations(f"{self.package}.nowhere")

    def test_checksum(self) -> None:
        """Git writes other line ends on Windows."""
        checksums = []
        for text in ("a = 1\nb = 2\n", "a = 1\r\nb = 2\r\n", "a = 1\nb = 3\n"):
            (self.folder / "0001_a.py").write_bytes(text.encode())
            checksums.append(find_migrations(self.package)[0].checksum)
        self.assertEqual(checksums[0], checksums[1])
        self.assertNotEqual(checksums[0], checksums[2])


class LoadTest(FolderTest):
    def load(self, text: str) -> tuple[bool, bool]:
        """Return whether the migration has each of its functions."""
        self.write("0001_a", text)
        functions = load_functions(self.package, find_migrations(self.package)[0])
        return bool(functions.up), bool(functions.down)

    def test_functions(self) -> None:
        self.assertEqual(self.load("async def up(db): ..."), (True, False))
        self.assertEqual(self.load("async def up(db): ...\nasync def down(db): ..."), (True, True))

    def test_refused(self) -> None:
        up = "async def up(db): ..."
        for text, name in (
            ("", "up"),
            ("def up(db): ...", "up"),
            ("up = 1", "up"),
            (f"{up}\ndef down(db): ...", "down"),
        ):
            with self.assertRaises(StartError) as raised:
                self.load(text)
            self.assertEqual(str(raised.exception), f"0001_a needs `async def {name}(db)`.")

    def test_broken(self) -> None:
        with self.assertRaisesRegex(BrokenCode, r"0001_a\.py, line 2: SyntaxError"):
            self.load("\n(")
        with self.assertRaisesRegex(BrokenCode, r"0001_a\.py, line 1: ZeroDivisionError"):
            self.load("1 / 0")
