"""Alerts and the dashboard ask for what exists, and the docs tell what each alert means."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from router.core import errors
from router.telemetry.metrics import STATES, MetricsObserver
from tests.deploy.rendered import ROOT, only, render
from tests.fakes.clock import FakeClock

MONITORING = render(ROOT / "deploy" / "overlays" / "monitoring")
RULES = [
    rule
    for group in only(MONITORING, "PrometheusRule")["spec"]["groups"]
    for rule in group["rules"]
]
BOARD = json.loads(
    only(MONITORING, "ConfigMap", "flux-router-dashboard")["data"]["flux-router.json"]
)
TARGETS = [target for panel in BOARD["panels"] for target in panel["targets"]]
ADDED = {"namespace", "pod", "le"}
"""Labels that the scrape adds, and that histograms have."""


def known_metrics() -> dict[str, set[str]]:
    """Each series that can be asked for, and its labels."""
    registry = MetricsObserver(FakeClock()).registry
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
    return {
        family.name + suffix: set(registry._names_to_collectors[family.name]._labelnames)  # type: ignore[attr-defined]
        for family in registry.collect()
        for suffix in suffixes.get(family.type, [""])
    }


KNOWN = known_metrics()


def series(expression: str) -> Iterator[tuple[str, str]]:
    """Each metric of an expression, with what stands between its braces."""
    yield from re.findall(r"\b(flux_router_\w+)(?:\{([^}]*)\})?", expression)


@pytest.mark.parametrize(
    "expression",
    [rule["expr"] for rule in RULES] + [target["expr"] for target in TARGETS],
)
def test_an_expression_asks_for_metrics_and_labels_that_exist(expression: str) -> None:
    found = list(series(expression))
    assert found
    labels = set(ADDED)
    for name, matchers in found:
        assert name in KNOWN, name
        labels |= KNOWN[name]
        assert set(re.findall(r"(\w+)(?:=|!=)", matchers)) <= KNOWN[name] | ADDED
    for group in re.findall(r"\bby \(([^)]*)\)", expression):
        assert set(re.split(r",\s*", group)) <= labels
    assert expression.count("(") == expression.count(")")


def test_outcomes_and_states_that_alerts_name_exist() -> None:
    codes = {getattr(kind, "code", "") for kind in vars(errors).values()}
    for rule in RULES:
        for name, values in re.findall(r'(outcome|state)=~?"([^"]*)"', rule["expr"]):
            assert set(values.split("|")) <= (codes if name == "outcome" else set(STATES))


def test_each_alert_says_what_it_saw_and_names_only_labels_it_has() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        text = " ".join(rule["annotations"].values())
        kept = {
            label
            for group in re.findall(r"by \(([^)]*)\)", rule["expr"])
            for label in re.split(r",\s*", group)
        }
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= kept
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_docs_tell_what_each_alert_asks_for() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    section = page.partition("\n## Alerts")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert told == [rule["alert"] for rule in RULES]


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    cells: list[set[tuple[int, int]]] = [cells_of(panel["gridPos"]) for panel in BOARD["panels"]]
    assert all(not one & other for one, other in combinations(cells, 2))
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(cells)
    assert all(panel["description"] and panel["title"] for panel in BOARD["panels"])


def cells_of(place: dict[str, Any]) -> set[tuple[int, int]]:
    assert place["x"] + place["w"] <= 24
    return {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}


def test_the_dashboard_and_the_monitor_are_found() -> None:
    board = only(MONITORING, "ConfigMap", "flux-router-dashboard")
    assert board["metadata"]["labels"] == {"grafana_dashboard": "1"}
    (endpoint,) = only(MONITORING, "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("admin", "/metrics")
    policy = only(MONITORING, "NetworkPolicy", "flux-router-metrics")["spec"]["ingress"]
    assert [port["port"] for rule in policy for port in rule["ports"]] == ["admin"]
