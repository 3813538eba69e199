"""Prometheus metrics. Labels come from the configuration only, never from a payload."""

from __future__ import annotations

from functools import cache, partial
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
    from router.ports.clock import Clock

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
LONG_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200)
STATES = ("idle", "held", "due", "calling", "retrying", "stuck")


class MetricsObserver:
    """Counts every outcome; `render` gives the text that Prometheus scrapes."""

    def __init__(self, clock: Clock) -> None:
        disable_created_metrics()  # a second series beside every counter that nobody asked for
        self._clock = clock
        self.registry = CollectorRegistry()
        self._create_plan_metrics()
        self._create_git_metrics()
        self._create_call_metrics()
        gauge = partial(Gauge, registry=self.registry)
        self._generation = gauge(
            "flux_router_routing_generation", "Generation of the routing file in force."
        )
        self._is_current = gauge(
            "flux_router_routing_is_current",
            "0 while the routing file on this disk is not the one in force.",
        )
        self._failures = Counter(
            "flux_router_task_failures",
            "Background tasks that were started again.",
            ["task"],
            registry=self.registry,
        )

    def _create_plan_metrics(self) -> None:
        counter = partial(Counter, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        deliveries = counter(
            "flux_router_deliveries", "Deliveries by hook and outcome.", ["hook", "outcome"]
        )
        # Finding a label's child takes longer than counting; the configuration bounds how many.
        self._deliveries = cache(deliveries.labels)
        self._accept_seconds = histogram(
            "flux_router_accept_seconds",
            "From a whole body to a delivery on disk.",
            buckets=SECONDS,
        )
        plans = counter(
            "flux_router_plans", "Plans by what was known.", ["repository", "knowledge"]
        )
        self._plans = cache(plans.labels)
        unmapped = counter(
            "flux_router_unmapped_paths", "Changed paths that no layer owns.", ["repository"]
        )
        self._unmapped = cache(unmapped.labels)
        self._plan_seconds = histogram(
            "flux_router_plan_seconds",
            "Git mode: from a delivery to its plan on disk.",
            buckets=LONG_SECONDS,
        )

    def _create_git_metrics(self) -> None:
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        self._healed = counter(
            "flux_router_sweep_healed",
            "Git mode: tips planned that no delivery had told of.",
            ["repository"],
        )
        self._not_visible = counter(
            "flux_router_not_visible",
            "Git mode: pushes whose commit the Git host did not show in time.",
            ["repository"],
        )
        self._git_seconds = Histogram(
            "flux_router_git_read_seconds",
            "Git mode: one look at a Git host, with the comparison.",
            ["repository"],
            buckets=LONG_SECONDS,
            registry=self.registry,
        )
        self._git_is_readable = gauge(
            "flux_router_git_is_readable",
            "Git mode: 0 while a Git host cannot be read.",
            ["repository"],
        )
        self._clone_bytes = gauge(
            "flux_router_clone_bytes", "Git mode: what a clone takes on disk.", ["repository"]
        )
        self._sweep_lag = gauge(
            "flux_router_sweep_lag_seconds",
            "Git mode: time since a Git host last told where its refs are.",
            ["repository"],
        )

    def _create_call_metrics(self) -> None:
        histogram = partial(Histogram, registry=self.registry)
        attempts = Counter(
            "flux_router_attempts",
            "Calls of receivers.",
            ["receiver", "cluster", "outcome"],
            registry=self.registry,
        )
        self._attempts = cache(attempts.labels)
        attempt_seconds = histogram(
            "flux_router_attempt_seconds", "Duration of calls.", ["cluster"], buckets=SECONDS
        )
        self._attempt_seconds = cache(attempt_seconds.labels)
        push_to_notified = histogram(
            "flux_router_push_to_notified_seconds",
            "From the oldest delivery a call serves to the receiver's 200.",
            ["cluster"],
            buckets=LONG_SECONDS,
        )
        self._push_to_notified = cache(push_to_notified.labels)
        self._receivers = Gauge(
            "flux_router_receivers",
            "Receivers by state.",
            ["cluster", "state"],
            registry=self.registry,
        )

    def delivery_saved(self, saved: Saved, *, duration_seconds: float) -> None:
        delivery = saved.delivery
        outcome = "duplicate" if saved.is_duplicate else delivery.status
        self._deliveries(delivery.hook or delivery.origin, outcome).inc()
        self._accept_seconds.observe(duration_seconds)
        if not saved.is_duplicate:
            self._count_plans(saved)

    def _count_plans(self, saved: Saved) -> None:
        for item in saved.plans:
            self._plans(item.plan.repository, item.plan.knowledge).inc()
            self._unmapped(item.plan.repository).inc(item.plan.unmapped_count)

    def delivery_planned(self, saved: Saved, *, repository: str, duration_seconds: float) -> None:
        self._count_plans(saved)
        self._plan_seconds.observe(duration_seconds)
        if saved.delivery.origin == "sweep":
            self._healed.labels(repository).inc()

    def update_closed(self, *, repository: str, delivery: str, status: str, reason: str) -> None:
        if status == "not_visible":
            self._not_visible.labels(repository).inc()

    def repository_read(
        self, *, repository: str, trouble: str | None, duration_seconds: float, clone_bytes: int
    ) -> None:
        self._git_seconds.labels(repository).observe(duration_seconds)
        self._git_is_readable.labels(repository).set(trouble is None)
        self._clone_bytes.labels(repository).set(clone_bytes)

    def repository_swept(self, *, repository: str, is_moved: bool) -> None:
        swept_at = self._clock.monotonic()
        lag = self._sweep_lag.labels(repository)
        lag.set_function(lambda: self._clock.monotonic() - swept_at)

    def delivery_rejected(self, *, hook: str, status: int, code: str, client: str = "") -> None:
        self._deliveries(hook, code).inc()

    def repository_dropped(self, *, repository: str) -> None:
        for gauge in (self._git_is_readable, self._clone_bytes, self._sweep_lag):
            gauge.remove_by_labels({"repository": repository})

    def issuer_read(self, *, issuer: str, trouble: str | None) -> None:
        """Deliveries that cannot be checked are counted as `keys_unavailable`."""

    def attempt_recorded(
        self, attempt: Attempt, *, claim: Claim, cluster: str, retry_seconds: float | None
    ) -> None:
        self._attempts(attempt.receiver, cluster, attempt.outcome).inc()
        self._attempt_seconds(cluster).observe(attempt.duration_seconds)
        if attempt.outcome == "notified":
            waited = (self._clock.now() - claim.wanted_since).total_seconds()
            self._push_to_notified(cluster).observe(max(0.0, waited))

    def routing_loaded(
        self, *, number: int, adopted: Sequence[str], warnings: Sequence[Problem]
    ) -> None:
        self._generation.set(number)
        self._is_current.set(1)

    def routing_rejected(self, problems: Sequence[Problem]) -> None:
        self._is_current.set(0)

    def routing_followed(self, *, number: int, reason: str) -> None:
        self._generation.set(number)
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
