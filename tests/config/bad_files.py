"""Checks a routing file of tests/config/bad as the expected texts beside it were made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from router.config.load import Checked, check_text, read_text
from router.config.report import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

CANARY = "hunter2"
ENVIRON: Mapping[str, str] = {
    "HOOK_SECRET": f"{CANARY}-hook",
    "RECEIVER_TOKEN": f"{CANARY}-token",
    "OTHER_TOKEN": f"{CANARY}-other",
    "ODD_SECRET": f"{CANARY}/with?slash",
    "BARE_KEY": "uX7KWyyDNMaBma4aVbJ/cbUQpdjqczuCyK/HxzV/u+4=",
    "EMPTY": "",
    "NEWLINE": "\n",
    "MULTILINE": f"{CANARY}\n{CANARY}",
}


def check_bad(path: Path) -> Checked:
    """Check *path* as if it stood alone in the folder `conf`, where there are no secrets."""
    report = Report(path.name)
    text = read_text(path, report)
    if text is None:
        return Checked(problems=report.problems, warnings=(), routing=None)
    return check_text(text, file_name=path.name, directory=Path("conf"), environ=ENVIRON)
