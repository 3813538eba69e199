"""What git mode tells in logs and metrics."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from router.core.model import Delivery, Plan, Saved, SavedPlan
from router.telemetry.logs import LogObserver, configure_logs
from router.telemetry.metrics import MetricsObserver
from router.telemetry.observers import Observers
from tests.builders import commit
from tests.fakes.clock import FakeClock

CLOCK = FakeClock()
HEALED = Saved(
    delivery=Delivery(id="d1", origin="sweep", received_at=CLOCK.now(), status="routed"),
    plans=(
        SavedPlan(
            plan=Plan(
                repository="fleet",
                knowledge="exact",
                reason="the trees were compared",
                matches=(),
                wants=(),
                commit=commit(2),
                unmapped_count=3,
            ),
            sequence=7,
        ),
    ),
)


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before[0], before[1]
    structlog.reset_defaults()


def read(observer: LogObserver, trouble: str | None) -> None:
    observer.repository_read(
        repository="fleet", trouble=trouble, duration_seconds=0.1, clone_bytes=5
    )


def test_a_host_s_trouble_and_its_end_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(log_format="json", level="info")
    observer = LogObserver()
    for trouble in (None, "down", "down", "wrong credentials", None, None):
        read(observer, trouble)
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line.get("reason")) for line in told] == [
        ("repository.unreadable", "down"),
        ("repository.unreadable", "wrong credentials"),
        ("repository.recovered", None),
    ]


def test_an_entry_that_was_dropped_is_told_of_anew(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(log_format="json", level="info")
    observer = LogObserver()
    read(observer, "down")
    observer.repository_dropped(repository="fleet")
    read(observer, None)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_plans_closings_and_moves_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(log_format="json", level="info")
    observer = LogObserver()
    observer.delivery_planned(HEALED, repository="fleet", duration_seconds=1.5)
    observer.update_closed(repository="fleet", delivery="d2", status="routed", reason="planned")
    observer.repository_swept(repository="fleet", is_moved=False)
    observer.repository_swept(repository="fleet", is_moved=True)
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in told] == [
        "delivery.planned",
        "delivery.closed",
        "repository.moved",
    ]
    assert (told[0]["origin"], told[0]["duration_ms"]) == ("sweep", 1500.0)
    assert (told[1]["delivery"], told[1]["status"]) == ("d2", "routed")


def test_git_mode_is_measured_until_its_entry_is_dropped() -> None:
    clock = FakeClock()
    metrics = MetricsObserver(clock)
    both = Observers(metrics)
    both.delivery_planned(HEALED, repository="fleet", duration_seconds=0.2)
    for status in ("routed", "not_visible"):
        both.update_closed(repository="fleet", delivery="d2", status=status, reason="")
    both.repository_read(repository="fleet", trouble="down", duration_seconds=0.1, clone_bytes=1234)
    both.repository_swept(repository="fleet", is_moved=True)
    clock.advance(42)
    lag = 'flux_router_sweep_lag_seconds{repository="fleet"} 42.0'
    text = metrics.render([]).decode()
    for line in (
        'flux_router_plans_total{knowledge="exact",repository="fleet"} 1.0',
        'flux_router_unmapped_paths_total{repository="fleet"} 3.0',
        "flux_router_plan_seconds_count 1.0",
        'flux_router_sweep_healed_total{repository="fleet"} 1.0',
        'flux_router_not_visible_total{repository="fleet"} 1.0',
        'flux_router_git_read_seconds_count{repository="fleet"} 1.0',
        'flux_router_git_is_readable{repository="fleet"} 0.0',
        'flux_router_clone_bytes{repository="fleet"} 1234.0',
        lag,
    ):
        assert line in text
    both.repository_dropped(repository="fleet")
    both.repository_dropped(repository="never read")
    assert lag not in metrics.render([]).decode()
