"""One delivery's whole story, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from router.cli.cells import (
    NOTHING,
    call,
    instant,
    last_call,
    moved,
    numbers,
    outcome,
    reason_beside,
    short_instant,
    stands,
)
from router.cli.fitting import Column
from router.cli.tables import counted, print_facts, print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ORIGINS = {
    "sweep": "a sweep, which found that the Git host had moved",
    "adoption": "an adoption: a ref, or a layer's definition, that is new",
    "replay": "an operator's replay",
    "notify": "an operator's request",
}

_UPDATE_COLUMNS = (
    Column("ref", wraps=True),
    Column("commits", wraps=True),
    Column("forced", spare=2),
    Column("entry"),
    Column("paths told", spare=1),
    Column("status"),
    Column("why", wraps=True),
)

_MATCH_COLUMNS = (
    Column("layer"),
    Column("affected"),
    Column("why", wraps=True),
    Column("path", wraps=True),
    Column("pattern", wraps=True),
)

_CALL_COLUMNS = (
    Column("receiver"),
    Column("calls"),
    Column("called (UTC)"),
    Column("until (UTC)", spare=1),
    Column("outcome"),
)

_RECEIVER_COLUMNS = (
    Column("receiver"),
    Column("state"),
    Column("notified"),
    Column("failures", spare=1),
    Column("due (UTC)"),
    Column("last call (UTC)", spare=2),
    Column("outcome", wraps=True),
)


def print_story(story: dict[str, Any]) -> None:
    """Print what came, what was decided, what was called, and where the receivers stand now."""
    print_facts(_facts(story))
    if story["updates"]:
        click.echo()
        _print_updates(story)
    for plan in story["plans"]:
        click.echo()
        _print_plan(plan)
    if story["attempts"]:
        click.echo()
        _print_calls(story)
    if story.get("receivers"):
        click.echo()
        print_receivers(story["receivers"], title="its receivers now")


def _facts(story: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "delivery", story["id"]
    yield "received", f"{instant(story['receivedAt'])} UTC"
    yield "from", _came_from(story)
    if story["origin"] == "webhook":
        yield "signature", "ok (or its token or login): the hook keeps only what it verified"
    yield "provider's id", story["providerDeliveryId"] or ""
    yield "body", f"sha256:{story['bodyDigest']}" if story["bodyDigest"] else ""
    yield "replay of", story["replayOf"] or ""
    yield "status", story["status"]
    yield "reason", story["reason"]


def _came_from(story: dict[str, Any]) -> str:
    if story["origin"] == "webhook":
        return f"hook {story['hook']}"
    return _ORIGINS.get(str(story["origin"]), str(story["origin"]))


def _print_updates(story: dict[str, Any]) -> None:
    rows = [
        (
            update["ref"],
            moved(update["before"], update["after"]),
            {True: "yes", False: "no", None: "not told"}[update["forced"]],
            update["repository"] or NOTHING,
            f"{len(update['paths'])}{' and more' if update['truncated'] else ''}",
            update["status"],
            "" if update["reason"] == story["reason"] else update["reason"],
        )
        for update in story["updates"]
    ]
    print_table(_UPDATE_COLUMNS, rows, title="what the push told")


def _print_plan(plan: dict[str, Any]) -> None:
    named = " ".join(filter(None, (plan["repository"], plan["ref"])))
    unmapped = plan["unmappedCount"]
    print_facts(
        (
            ("plan", named),
            ("sequence", str(plan["sequence"] or "")),
            ("commit", plan["commit"] or ""),
            ("cursor then", _cursor(plan)),
            ("known", f"{plan['knowledge']}: {plan['reason']}"),
            ("unmapped", f"{counted(unmapped, 'path')} of no layer" if unmapped else ""),
        )
    )
    rows = [
        (
            match["layer"],
            "yes" if match["affected"] else "no",
            reason_beside(match["reason"], told=plan["reason"], where="above"),
            match["path"] or "",
            match["pattern"] or "",
        )
        for match in plan["matches"]
    ]
    rest = _why_unmatched(plan)
    rows += [(name, "no", rest, "", "") for name in plan.get("unmatched", ())]
    click.echo()
    print_table(_MATCH_COLUMNS, rows)


def _cursor(plan: dict[str, Any]) -> str:
    """The commit that was compared with; a plan that no ref asked for has none."""
    return (plan["before"] or "none") if plan["ref"] else ""


def _why_unmatched(plan: dict[str, Any]) -> str:
    """Why a layer that the entry has now has no match in the plan."""
    if plan["knowledge"] == "requested":
        return "it was not asked for"
    if plan["knowledge"] == "unknown":
        return "it was not in the routing file then"
    if plan["pathCount"] == 0:
        return "no path changed"
    if plan["pathCount"] == 1:
        return "it does not own the changed path"
    return f"it owns none of the {counted(plan['pathCount'], 'changed path')}"


def _print_calls(story: dict[str, Any]) -> None:
    """A receiver's calls with one outcome are one row: there may be hundreds."""
    alike: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in story["attempts"]:
        alike.setdefault((each["receiver"], outcome(each)), []).append(each)
    rows = [
        (
            receiver,
            str(len(calls)),
            instant(calls[0]["startedAt"]),
            instant(calls[-1]["startedAt"]) if len(calls) > 1 else "",
            call(calls[-1]),
        )
        for (receiver, _), calls in alike.items()
    ]
    print_table(_CALL_COLUMNS, rows, title="calls that served it")
    print_details(story["attempts"])


def print_details(attempts: Iterable[dict[str, Any]]) -> None:
    """Print what is to be said of failed calls, each thing once."""
    told = dict.fromkeys((outcome(each), str(each["detail"])) for each in attempts)
    details = [(name, detail) for name, detail in told if detail]
    if details:
        click.echo()
        print_facts(details)


def print_receivers(receivers: list[dict[str, Any]], *, title: str) -> None:
    """Print where receivers stand."""
    rows = [
        (
            receiver["receiver"],
            stands(receiver),
            numbers(receiver),
            str(receiver["failures"] or ""),
            short_instant(receiver["dueAt"]) if receiver["dueAt"] else "",
            *last_call(receiver),
        )
        for receiver in receivers
    ]
    print_table(_RECEIVER_COLUMNS, rows, title=title)
