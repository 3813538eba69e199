"""Logs: one wide line for each outcome, with the glossary's words as keys."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

import pytest
import structlog

from router.core.model import (
    Asked,
    Attempt,
    Claim,
    Delivery,
    Match,
    Plan,
    Problem,
    Saved,
    SavedPlan,
)
from router.telemetry.logs import LogObserver, configure_logs
from router.telemetry.metrics import MetricsObserver
from router.telemetry.observers import Observers
from tests.builders import commit
from tests.fakes.clock import FakeClock

CLOCK = FakeClock()
CLAIM = Claim(
    receiver="prod/flux-system/app1",
    wanted=4,
    failures=2,
    asked=(
        Asked(layer="app1", delivery="d1", repository="fleet", ref="r", commit=commit(1)),
        Asked(layer="app1", delivery="d2", repository="fleet", ref="r", commit=commit(2)),
    ),
    wanted_since=CLOCK.now(),
)
ATTEMPT = Attempt(
    receiver=CLAIM.receiver,
    wanted=4,
    started_at=CLOCK.now(),
    duration_seconds=0.0123,
    outcome="rejected",
    status=503,
    detail="suspended or not ready",
)


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before[0], before[1]
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def make_saved(*, is_duplicate: bool = False) -> Saved:
    plan = Plan(
        repository="fleet",
        knowledge="exact",
        reason="the file lists are complete",
        matches=(
            Match(layer="app1", is_affected=True, reason="a changed path matches"),
            Match(layer="app2", is_affected=False, reason="excluded"),
        ),
        wants=(),
        ref="refs/heads/main",
        commit=commit(2),
    )
    delivery = Delivery(
        id="d1",
        origin="webhook",
        received_at=CLOCK.now(),
        status="routed",
        hook="github",
        provider_delivery_id="guid",
    )
    return Saved(
        delivery=delivery, plans=(SavedPlan(plan=plan, sequence=7),), is_duplicate=is_duplicate
    )


def test_a_delivery_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(log_format="json", level="info")
    LogObserver().delivery_saved(make_saved(), duration_seconds=0.0015)
    (line,) = lines(capsys)
    assert line.pop("timestamp")
    assert line == {
        "event": "delivery.routed",
        "level": "info",
        "delivery": "d1",
        "hook": "github",
        "origin": "webhook",
        "duplicate": False,
        "reason": "the file lists are complete",
        "refs": ["refs/heads/main"],
        "commits": [commit(2)],
        "sequences": [7],
        "knowledge": ["exact"],
        "plan_count": 1,
        "layers": ["app1"],
        "layer_count": 1,
        "provider_delivery_id": "guid",
        "duration_ms": 1.5,
    }


def test_an_attempt_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(log_format="json", level="info")
    LogObserver().attempt_recorded(ATTEMPT, claim=CLAIM, cluster="prod", retry_seconds=2.345)
    (line,) = lines(capsys)
    assert line.pop("timestamp")
    assert line == {
        "event": "dispatch.attempted",
        "level": "warning",
        "receiver": "prod/flux-system/app1",
        "cluster": "prod",
        "outcome": "rejected",
        "status": 503,
        "detail": "suspended or not ready",
        "wanted": 4,
        "failures": 3,
        "layers": ["app1"],
        "deliveries": ["d1", "d2"],
        "commit": commit(2),
        "duration_ms": 12.3,
        "retry_seconds": 2.35,
    }


def test_every_problem_of_a_routing_file_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(log_format="json", level="info")
    problem = Problem(file="router.yaml", line=3, column=5, message="no such hook")
    LogObserver().routing_rejected([problem, problem])
    LogObserver().routing_loaded(number=2, adopted=["a"], warnings=[problem])
    told = [(line["event"], line.get("problem")) for line in lines(capsys)]
    assert told == [
        ("routing.rejected", "router.yaml:3:5: no such hook"),
        ("routing.rejected", "router.yaml:3:5: no such hook"),
        ("routing.warned", "router.yaml:3:5: no such hook"),
        ("routing.loaded", None),
    ]


def test_a_library_s_log_has_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(log_format="json", level="warning")
    logging.getLogger("library").info("not wanted at this level")
    logging.getLogger("library").warning("said %s", "this")
    (line,) = lines(capsys)
    assert (line["event"], line["level"]) == ("said this", "warning")


def test_a_failure_is_told_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(log_format="json", level="info")
    LogObserver().failed(task="dispatch", error=ValueError("why"))
    (line,) = lines(capsys)
    assert (line["task"], line["error"]) == ("dispatch", "ValueError")
    assert "why" in str(line["exception"])


def test_the_console_form_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(log_format="console", level="info")
    LogObserver().delivery_rejected(hook="github", status=401, code="unauthorized")
    LogObserver().delivery_saved(make_saved(), duration_seconds=0.001)
    text = capsys.readouterr().err
    assert "delivery.rejected" in text
    assert "None" not in text


@contextmanager
def unread_stderr() -> Iterator[None]:
    """Standard error is a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            yield
    finally:
        with suppress(BrokenPipeError):
            stream.close()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_line_that_cannot_be_written_fails_nobody(log_format: Literal["json", "console"]) -> None:
    with unread_stderr():
        configure_logs(log_format=log_format, level="info")
        for _ in range(2):
            LogObserver().delivery_saved(make_saved(), duration_seconds=0.001)


def test_several_observers_are_all_told() -> None:
    clock = FakeClock()
    one, two = MetricsObserver(clock), MetricsObserver(clock)
    both = Observers(one, two)
    both.delivery_saved(make_saved(), duration_seconds=0.001)
    both.delivery_saved(make_saved(is_duplicate=True), duration_seconds=0.001)
    both.delivery_rejected(hook="github", status=401, code="unauthorized")
    both.attempt_recorded(ATTEMPT, claim=CLAIM, cluster="prod", retry_seconds=1)
    both.routing_loaded(number=3, adopted=[], warnings=[])
    both.routing_rejected([])
    both.failed(task="dispatch", error=ValueError())
    assert one.render([]) == two.render([])
    text = one.render([]).decode()
    for line in (
        'flux_router_deliveries_total{hook="github",outcome="duplicate"} 1.0',
        'flux_router_plans_total{knowledge="exact",repository="fleet"} 1.0',
        'flux_router_attempts_total{cluster="prod",outcome="rejected",'
        'receiver="prod/flux-system/app1"} 1.0',
        "flux_router_routing_generation 3.0",
        "flux_router_routing_is_current 0.0",
        'flux_router_task_failures_total{task="dispatch"} 1.0',
    ):
        assert line in text


def test_a_replica_that_follows_another_one_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(log_format="json", level="info")
    metrics = MetricsObserver(FakeClock())
    both = Observers(LogObserver(), metrics)
    both.routing_loaded(number=1, adopted=[], warnings=[])
    both.routing_followed(number=2, reason="another replica's")
    told = lines(capsys)[-1]
    assert (told["event"], told["generation"], told["level"]) == ("routing.followed", 2, "warning")
    text = metrics.render([]).decode()
    assert "flux_router_routing_generation 2.0" in text
    assert "flux_router_routing_is_current 0.0" in text
    both.routing_loaded(number=2, adopted=[], warnings=[])
    assert "flux_router_routing_is_current 1.0" in metrics.render([]).decode()


def test_an_issuer_s_trouble_and_its_end_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(log_format="json", level="info")
    observer = Observers(LogObserver(), MetricsObserver(FakeClock()))
    for trouble in (None, "away", "away", None, None):
        observer.issuer_read(issuer="https://a.example", trouble=trouble)
    observer.issuer_read(issuer="https://b.example", trouble="away")
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["issuer"], line.get("reason")) for line in told] == [
        ("issuer.unreadable", "https://a.example", "away"),
        ("issuer.recovered", "https://a.example", None),
        ("issuer.unreadable", "https://b.example", "away"),
    ]
