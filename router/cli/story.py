"""One delivery's whole story, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from router.cli.cells import (
    NOTHING,
    call,
    instant,
    last_call,
    numbers,
    shorten_commit,
    stands,
)
from router.cli.tables import counted, print_facts, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

_ORIGINS = {
    "sweep": "a sweep, which found that the Git host had moved",
    "adoption": "an adoption: a ref, or a layer's definition, that is new",
    "replay": "an operator's replay",
    "notify": "an operator's request",
}


def print_story(story: dict[str, Any]) -> None:
    """Print what came, what was decided, what was called, and where the receivers stand now."""
    print_facts(_facts(story))
    click.echo()
    if story["updates"]:
        _print_updates(story)
    for plan in story["plans"]:
        _print_plan(plan)
    if story["attempts"]:
        _print_calls(story)
    if story.get("receivers"):
        print_receivers(story["receivers"], title="its receivers now")


def _facts(story: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "delivery", story["id"]
    yield "received", f"{instant(story['receivedAt'])} UTC"
    yield "from", _came_from(story)
    yield "provider's id", story["providerDeliveryId"] or ""
    yield "body", f"sha256:{story['bodyDigest']}" if story["bodyDigest"] else ""
    yield "replay of", story["replayOf"] or ""
    yield "status", story["status"]
    yield "reason", story["reason"]


def _came_from(story: dict[str, Any]) -> str:
    """A delivery is stored only after its hook has verified it."""
    if story["origin"] == "webhook":
        return f"hook {story['hook']}, which verified its signature or credentials"
    return _ORIGINS.get(str(story["origin"]), str(story["origin"]))


def _print_updates(story: dict[str, Any]) -> None:
    rows = [
        (
            update["ref"],
            f"{shorten_commit(update['before'])} → {shorten_commit(update['after'])}",
            {True: "yes", False: "no", None: "not told"}[update["forced"]],
            update["repository"] or NOTHING,
            f"{len(update['paths'])}{' and more' if update['truncated'] else ''}",
            update["status"],
            update["reason"],
        )
        for update in story["updates"]
    ]
    print_table(
        ("ref", "commits", "forced", "entry", "paths told", "status", "why"),
        rows,
        title="what the push told",
    )


def _print_plan(plan: dict[str, Any]) -> None:
    named = " ".join(filter(None, (plan["repository"], plan["ref"])))
    unmapped = plan["unmappedCount"]
    print_facts(
        (
            ("plan", named),
            ("sequence", str(plan["sequence"] or "")),
            ("commit", plan["commit"] or ""),
            ("compared with", plan["before"] or ""),
            ("known", f"{plan['knowledge']}: {plan['reason']}"),
            ("unmapped", f"{counted(unmapped, 'path')} of no layer" if unmapped else ""),
        )
    )
    rows = [
        (
            match["layer"],
            "yes" if match["affected"] else "no",
            match["reason"],
            match["path"] or "",
            match["pattern"] or "",
        )
        for match in plan["matches"]
    ]
    rest = _why_unmatched(plan)
    rows += [(name, "no", rest, "", "") for name in plan.get("unmatched", ())]
    print_table(("layer", "affected", "why", "path", "pattern"), rows)


def _why_unmatched(plan: dict[str, Any]) -> str:
    """Why a layer that the entry has now has no match in the plan."""
    if plan["knowledge"] == "requested":
        return "it was not asked for"
    if plan["knowledge"] == "unknown":
        return "it was not in the routing file then"
    return f"it owns none of the {counted(plan['pathCount'], 'changed path')}"


def _print_calls(story: dict[str, Any]) -> None:
    rows = [
        (each["receiver"], instant(each["startedAt"]), call(each), each["detail"])
        for each in story["attempts"]
    ]
    print_table(
        ("receiver", "called (UTC)", "outcome", "detail"), rows, title="calls that served it"
    )


def print_receivers(receivers: list[dict[str, Any]], *, title: str) -> None:
    """Print where receivers stand."""
    rows = [
        (
            receiver["receiver"],
            stands(receiver),
            numbers(receiver),
            str(receiver["failures"]),
            instant(receiver.get("dueAt")),
            last_call(receiver),
            (receiver.get("lastAttempt") or {}).get("detail", ""),
        )
        for receiver in receivers
    ]
    columns = (
        "receiver", "state", "notified/wanted", "failures", "due (UTC)", "last call (UTC)", "detail"
    )  # fmt: skip
    print_table(columns, rows, title=title)
