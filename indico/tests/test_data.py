"""The examples of docs/data.md, run as they stand there."""

from __future__ import annotations

import re

from indico.tests.server_process import ROOT

PAGE = (ROOT / "docs" / "data.md").read_text()


def examples(section: str, language: str = "python") -> list[str]:
    """Return the blocks of a section that are written in `language`."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)
