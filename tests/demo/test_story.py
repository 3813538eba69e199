"""The demo really runs, and would notice a needless or a missing call."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from router.config.load import check_file
from router.demo.chapters import CHAPTERS, Chapter
from router.demo.fleet import LAYERS, Fleet
from router.demo.service import add_git, write_routing_file
from router.demo.story import Result, measure, name_layers

ROOT = Path(__file__).parents[2]


@pytest.mark.e2e
def test_the_demo_ends_by_itself_with_every_push_right(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "router", "demo"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if line.rstrip().endswith(" ok")]
    assert len(rows) == len(CHAPTERS) + 1
    assert not list(tmp_path.glob("flux-router-demo-*"))


@pytest.mark.parametrize(
    ("called", "is_right"),
    [
        (("app1",), True),
        ((), False),  # missed
        (("app1", "app2"), False),  # needless
        (("app1", "app1"), False),  # twice
        (("app2",), False),
    ],
)
def test_a_result_is_right_only_when_exactly_the_expected_was_called(
    called: tuple[str, ...], is_right: bool
) -> None:
    chapter = Chapter(title="one app", expected=("app1",), act=CHAPTERS[0].act)
    result = Result(chapter=chapter, called=called, milliseconds=1.0, knowledge="exact")
    assert result.is_right is is_right


def test_times_run_from_the_delivery_to_the_last_answer() -> None:
    delivery = {
        "receivedAt": "2026-01-01T00:00:00+00:00",
        "attempts": [
            {"startedAt": "2026-01-01T00:00:00.010000+00:00", "durationMs": 5},
            {"startedAt": "2026-01-01T00:00:00.002000+00:00", "durationMs": 1},
        ],
    }
    assert measure(delivery) == 15.0
    assert measure({**delivery, "attempts": []}) is None


def test_layers_are_named_in_the_order_of_the_chain() -> None:
    assert name_layers(["app1", "controllers"]) == "controllers, app1"
    assert name_layers(list(LAYERS)) == "all 7"
    assert name_layers([]) == "none"


def test_the_demo_s_layers_are_those_of_the_worked_example(tmp_path: Path) -> None:
    file = write_routing_file(tmp_path, repository_url="file:///x", flux_url="http://x.test")
    demo = check_file(file, secrets="optional").routing
    example = check_file(ROOT / "config" / "router.yaml", secrets="optional").routing
    assert demo is not None
    assert example is not None
    shapes = [
        [(layer.name, layer.patterns, layer.depends_on) for layer in routing.layers.values()]
        for routing in (demo, example)
    ]
    assert shapes[0] == shapes[1]


def test_git_mode_is_switched_on_in_a_file_that_still_loads(tmp_path: Path) -> None:
    file = write_routing_file(tmp_path, repository_url="file:///x", flux_url="http://x.test")
    add_git(file)
    routing = check_file(file, secrets="optional").routing
    assert routing is not None
    assert routing.repositories[0].git is not None


def test_the_host_s_hook_names_no_secret_in_its_command_line(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    fleet = Fleet(tmp_path, os.environ["PATH"])
    asyncio.run(fleet.create(hook_url="http://127.0.0.1:9/hooks/x", secret_file=secret))
    assert "canary" not in (fleet.host / "hooks" / "post-receive").read_text()


@pytest.mark.e2e
def test_a_demo_that_is_terminated_takes_its_service_and_folder_with_it(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    demo = subprocess.Popen(
        [sys.executable, "-m", "router", "demo"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("flux-router-demo-*/router.log")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    demo.terminate()
    output, _ = demo.communicate(timeout=60)  # ends only when no process holds the pipe
    assert demo.returncode == 1
    assert b"Traceback" not in output
    assert not list(tmp_path.glob("flux-router-demo-*"))
