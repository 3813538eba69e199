"""What a start does not pay for."""

from __future__ import annotations

import subprocess
import sys

PROBE = "import sys, router.bootstrap, router.cli.app; sys.exit('asyncpg' in sys.modules)"


def test_a_service_on_sqlite_does_not_load_the_driver_of_another_database() -> None:
    assert subprocess.run([sys.executable, "-c", PROBE], check=False).returncode == 0
