from __future__ import annotations

from tests.thoroughness import load_profile

load_profile()
