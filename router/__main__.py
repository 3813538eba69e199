"""The command `flux-router`; `python -m router` does the same."""

from __future__ import annotations

from router.cli.app import main

if __name__ == "__main__":
    main()
