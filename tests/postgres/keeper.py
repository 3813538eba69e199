"""Ends a PostgreSQL server once nobody holds the other end of a named pipe any more.

python keeper.py FOLDER PG_CTL [USER] < FOLDER/alive: waits until the last writer of that pipe has
gone, however it went; then stops the server of FOLDER/data and removes FOLDER.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


def main(folder: Path, pg_ctl: str, user: str | None = None) -> None:
    sys.stdin.buffer.read()
    words = [pg_ctl, "stop", "--silent", "--mode", "immediate", "--pgdata", f"{folder}/data"]
    subprocess.run(words, user=user, extra_groups=[] if user else None, check=False)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
