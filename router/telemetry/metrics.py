"""Prometheus metrics. Labels come from the configuration only, never from a payload."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.model import Attempt, Claim, Problem, ReceiverStatus, Saved
    from router.ports import Clock

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
LONG_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200)
STATES = ("idle", "held", "due", "calling", "retrying", "stuck")


class MetricsObserver:
    """Counts every outcome; `render` gives the text that Prometheus scrapes."""

    def __init__(self, clock: Clock) -> None:
        disable_created_metrics()  # a second series beside every counter that nobody asked for
        self._clock = clock
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self._deliveries = counter(
            "flux_router_deliveries", "Deliveries by hook and outcome.", ["hook", "outcome"]
        )
        self._accept_seconds = histogram(
            "flux_router_accept_seconds",
            "From a whole body to a delivery on disk.",
            buckets=SECONDS,
        )
        self._plans = counter(
            "flux_router_plans", "Plans by what was known.", ["repository", "knowledge"]
        )
        self._unmapped = counter(
            "flux_router_unmapped_paths", "Changed paths that no layer owns.", ["repository"]
        )
        self._attempts = counter(
            "flux_router_attempts", "Calls of receivers.", ["receiver", "cluster", "outcome"]
        )
        self._attempt_seconds = histogram(
            "flux_router_attempt_seconds", "Duration of calls.", ["cluster"], buckets=SECONDS
        )
        self._push_to_notified = histogram(
            "flux_router_push_to_notified_seconds",
            "From the oldest delivery a call serves to the receiver's 200.",
            ["cluster"],
            buckets=LONG_SECONDS,
        )
        self._receivers = gauge(
            "flux_router_receivers", "Receivers by state.", ["cluster", "state"]
        )
        self._generation = gauge(
            "flux_router_routing_generation", "Generation of the routing file in force."
        )
        self._is_current = gauge(
            "flux_router_routing_is_current", "0 while the routing file on disk does not load."
        )
        self._failures = counter(
            "flux_router_task_failures", "Background tasks that were started again.", ["task"]
        )

    def delivery_saved(self, saved: Saved, *, duration_seconds: float) -> None:
        delivery = saved.delivery
        outcome = "duplicate" if saved.is_duplicate else delivery.status
        self._deliveries.labels(delivery.hook or delivery.origin, outcome).inc()
        self._accept_seconds.observe(duration_seconds)
        if saved.is_duplicate:
            return
        for item in saved.plans:
            self._plans.labels(item.plan.repository, item.plan.knowledge).inc()
            self._unmapped.labels(item.plan.repository).inc(item.plan.unmapped_count)

    def delivery_rejected(self, *, hook: str, status: int, code: str) -> None:
        self._deliveries.labels(hook, code).inc()

    def attempt_recorded(
        self, attempt: Attempt, *, claim: Claim, cluster: str, retry_seconds: float | None
    ) -> None:
        self._attempts.labels(attempt.receiver, cluster, attempt.outcome).inc()
        self._attempt_seconds.labels(cluster).observe(attempt.duration_seconds)
        if attempt.outcome == "notified":
            waited = (self._clock.now() - claim.wanted_since).total_seconds()
            self._push_to_notified.labels(cluster).observe(max(0.0, waited))

    def routing_loaded(
        self, *, number: int, adopted: Sequence[str], warnings: Sequence[Problem]
    ) -> None:
        self._generation.set(number)
        self._is_current.set(1)

    def routing_rejected(self, problems: Sequence[Problem]) -> None:
        self._is_current.set(0)

    def failed(self, *, task: str, error: BaseException) -> None:
        self._failures.labels(task).inc()

    def render(self, receivers: Sequence[ReceiverStatus]) -> bytes:
        """The text exposition, with the receivers' states of now."""
        self._receivers.clear()
        counts: dict[tuple[str, str], int] = {}
        for status in receivers:
            cluster = status.receiver.partition("/")[0]
            for state in STATES:
                counts.setdefault((cluster, state), 0)
            counts[cluster, status.state] += 1
        for (cluster, state), count in counts.items():
            self._receivers.labels(cluster, state).set(count)
        return generate_latest(self.registry)
