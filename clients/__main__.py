"""`python3 run.py clients`: writes the clients into `.clients`, from the document of the code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from indico.api import document
from indico.engine.http.json_answer import dumps

MADE = Path(__file__).resolve().parents[1] / ".clients"
DOCUMENT = MADE / "openapi.json"
PYTHON = MADE / "python"
TYPESCRIPT = MADE / "typescript"
PACKAGE = "indico_client"

# typescript 5.9.3 is the newest that openapi-typescript takes.
NODE_PROJECT = {
    "private": True,
    "type": "module",
    "scripts": {
        "schema": f"openapi-typescript ../{DOCUMENT.name}"
        " --default-non-nullable=false --output schema.d.ts"
    },
    "dependencies": {"openapi-fetch": "0.17.0"},
    "devDependencies": {"openapi-typescript": "7.13.0", "typescript": "5.9.3"},
}
COMPILER = {
    "compilerOptions": {
        "strict": True,
        "noUncheckedIndexedAccess": True,
        "module": "nodenext",
        "target": "es2022",
        "lib": ["es2022", "dom", "dom.iterable"],
    }
}
NO_NODE = (
    "There is no TypeScript client, because Node.js or its npm is missing: install Node.js 20 or "
    "newer, or on Debian `apt install nodejs npm`, and run this again."
)
USE_PYTHON = f"""
The Python client is in {PYTHON}: pip install that folder, and write
    from {PACKAGE} import AuthenticatedClient
    from {PACKAGE}.api.user import user_get
    print(user_get.sync(client=AuthenticatedClient("http://localhost:8888", token=TOKEN)))"""
USE_TYPESCRIPT = f"""
The TypeScript client is in {TYPESCRIPT}: write beside its schema.d.ts
    import createClient from "openapi-fetch";
    import type {{ paths }} from "./schema.d.ts";
    const client = createClient<paths>({{ baseUrl: "http://localhost:8888" }});"""


def main() -> None:
    MADE.mkdir(exist_ok=True)
    DOCUMENT.write_bytes(dumps(document()))
    said = [make_python(), make_typescript()]
    print("\n".join([*said, "\ndocs/clients.md shows more."]))


def make_python() -> str:
    """Return how to use the Python client; a warning of the generator is a failure."""
    programs = MADE / "venv" / ("Scripts" if os.name == "nt" else "bin")
    config = MADE / "python.json"
    write(config, {"package_name_override": PACKAGE})
    how = ["--meta", "setup", "--config", str(config), "--overwrite", "--fail-on-warning"]
    where = ["--path", str(DOCUMENT), "--output-path", str(PYTHON)]
    # The generator formats its code with the ruff on PATH.
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    run([str(programs / "openapi-python-client"), "generate", *where, *how], MADE, path)
    return USE_PYTHON


def make_typescript() -> str:
    """Return how to use the TypeScript client, or why there is none."""
    npm = shutil.which("npm") if shutil.which("node") else None
    if npm is None:
        return f"\n{NO_NODE}"
    TYPESCRIPT.mkdir(exist_ok=True)
    write(TYPESCRIPT / "package.json", NODE_PROJECT)
    write(TYPESCRIPT / "tsconfig.json", COMPILER)
    run([npm, "install", "--no-package-lock", "--no-audit", "--no-fund"], TYPESCRIPT)
    run([npm, "run", "--silent", "schema"], TYPESCRIPT)
    return USE_TYPESCRIPT


def write(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def run(command: Sequence[str], folder: Path, path: str | None = None) -> None:
    """Run a program, which says itself what it could not do."""
    environment = os.environ if path is None else {**os.environ, "PATH": path}
    if subprocess.run(command, cwd=folder, env=environment, check=False).returncode:
        sys.exit(f"run.py clients: {Path(command[0]).name} failed; what it says is above.")


if __name__ == "__main__":
    main()
