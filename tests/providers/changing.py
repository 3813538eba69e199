"""Replaces what every push tells, wherever it stands in a provider's payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Change = dict[str, Any]


def changed(provider: str, payload: Any, change: Change) -> Any:
    """The payload of a `push` sample with ref, before, after or repository replaced."""
    place = _PLACES.get(provider)
    return place(payload, change) if place else payload | change


def _at_sourcehut(payload: Any, change: Change) -> Any:
    webhook = payload["data"]["webhook"]
    (update,) = webhook["updates"]
    for field, value in change.items():
        match field:
            case "ref":
                update["ref"]["name"] = value
            case "before":
                update["old"]["id"] = value
            case "after":
                update["new"]["id"] = value
            case _:
                webhook[field] = value
    return payload


def _at_azure(payload: Any, change: Change) -> Any:
    names = {"ref": "name", "before": "oldObjectId", "after": "newObjectId"}
    for field, value in change.items():
        if field in names:
            payload["resource"]["refUpdates"][0][names[field]] = value
        else:
            payload["resource"][field] = value
    return payload


def _at_codecommit(payload: Any, change: Change) -> Any:
    names = {"ref": "referenceFullName", "before": "oldCommitId", "after": "commitId"}
    names["repository"] = "repositoryName"
    payload["detail"] |= {names[field]: value for field, value in change.items()}
    return payload


def _at_gerrit(payload: Any, change: Change) -> Any:
    names = {"ref": "refName", "before": "oldRev", "after": "newRev", "repository": "project"}
    payload["refUpdate"] |= {names[field]: value for field, value in change.items()}
    return payload


def _at_bitbucket(payload: Any, change: Change) -> Any:
    """Where a ref is told by kind and name, and so cannot but begin with refs/heads/."""
    moved = payload["push"]["changes"][0]
    for side, field in (("old", "before"), ("new", "after")):
        if "ref" in change:
            is_branch = change["ref"].startswith("refs/heads/")
            moved[side]["name"] = change["ref"].removeprefix("refs/heads/") if is_branch else ""
        moved[side]["target"]["hash"] = change.get(field, moved[side]["target"]["hash"])
    return payload | {key: value for key, value in change.items() if key == "repository"}


def _at_bitbucket_server(payload: Any, change: Change) -> Any:
    (moved,) = payload["changes"]
    moved["ref"]["id"] = change.get("ref", moved["ref"]["id"])
    moved["fromHash"] = change.get("before", moved["fromHash"])
    moved["toHash"] = change.get("after", moved["toHash"])
    return payload | change


_PLACES: dict[str, Callable[[Any, Change], Any]] = {
    "sourcehut": _at_sourcehut,
    "azure-devops": _at_azure,
    "codecommit": _at_codecommit,
    "gerrit": _at_gerrit,
    "bitbucket": _at_bitbucket,
    "bitbucket-server": _at_bitbucket_server,
}
