"""Completion as bash does it, of commands, options, and what a service that runs knows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.live import Live

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.e2e

SCRIPT = """\
eval "$(_FLUX_ROUTER_COMPLETE=bash_source flux-router)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_flux_router_completion flux-router
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(folder: Path, live: Live, *words: str) -> list[str]:
    """What bash offers after *words*, of which the last is being typed."""
    command = folder / "flux-router"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m router "$@"\n')
    command.chmod(0o755)
    done = subprocess.run(
        ["bash", "--norc", "-c", SCRIPT, "bash", "flux-router", *words],
        env={
            "PATH": f"{folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "ROUTER_ADMIN_URL": live.url,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("not",), ["notify"]),
        (("notify", "app"), ["app1", "app2", "app3"]),
        (("layers", "--wa"), ["--watch"]),
        (("check", "-o", ""), ["text", "json", "github"]),
    ],
)
def test_bash_completes(
    tmp_path: Path, live: Live, words: tuple[str, ...], offered: list[str]
) -> None:
    assert complete(tmp_path, live, *words) == offered


def test_bash_completes_the_ids_of_deliveries(tmp_path: Path, live: Live) -> None:
    delivery = live.push(1)
    assert complete(tmp_path, live, "explain", "--delivery", delivery[:4]) == [delivery]
