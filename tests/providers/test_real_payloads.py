"""Bodies that providers really sent, where they lie beside the repository."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from router.core.errors import MalformedPayload
from router.core.providers.table import PROVIDERS, REGISTRIES
from router.core.push import ArtifactPush, ArtifactUpdate, Ignored, Push

ROOT = Path(__file__).parents[2]
PAYLOADS = ROOT.parent / "shared" / "payloads"
MANIFEST = PAYLOADS / "MANIFEST.tsv"

MALFORMED = {"github/packit__push.json": "at `$.commits[0]`"}
"""A body that was shortened by hand: its commits are plain strings."""

NOT_TOLD = {"gogs/jenkins-x__tag_create.json": "Gogs did not tell the commit of a tag"}
"""An event that is a push here, though not by its name, and does not tell which refs moved."""
REFUSED = {"codecommit": "make an EventBridge rule"}
"""Providers of which the collection holds only what is refused: triggers, as SNS sends them."""


def manifest() -> list[dict[str, str]]:
    if not MANIFEST.is_file():
        return []
    with MANIFEST.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


ROWS = [row for row in manifest() if row["provider"] in PROVIDERS]
OTHER = [row for row in ROWS if row["provider"] in (*REFUSED, "azure-devops")]
LISTED = [row for row in ROWS if row not in OTHER]
"""Of providers that list files, whose row tells the kind of event."""
needs_payloads = pytest.mark.skipif(
    not ROWS, reason=f"the collection of real bodies is not there: {PAYLOADS}"
)


def name(row: dict[str, str]) -> str:
    return f"{row['provider']}/{row['file']}"


def event_headers(row: dict[str, str]) -> dict[str, str]:
    """The header that names the event; the collection holds bodies only."""
    is_tag = row["detail"].startswith("tag ")
    kind = row["kind"]
    if kind == "create/delete":
        kind = "delete" if "delete" in row["file"] else "create"
    if kind == "-":
        kind = next(key for key in row["detail"].split(",") if key not in ("action", "number"))
    match row["provider"]:
        case "github":
            return {"x-github-event": kind}
        case "gitlab":
            return {"x-gitlab-event": "Tag Push Hook" if is_tag else "Push Hook"}
    return {f"x-{row['provider']}-event": kind}


def parse(row: dict[str, str]) -> Push | Ignored:
    headers = {"content-type": "application/json", **event_headers(row)}
    body = (PAYLOADS / row["provider"] / row["file"]).read_bytes()
    return PROVIDERS[row["provider"]].parse_push(headers, body)


@needs_payloads
@pytest.mark.parametrize("row", [row for row in LISTED if row["kind"] != "push"], ids=name)
def test_a_real_body_that_is_no_push_is_ignored(row: dict[str, str]) -> None:
    result = parse(row)
    if name(row) in NOT_TOLD:
        assert isinstance(result, Push)
        assert NOT_TOLD[name(row)] in (result.refs_not_told or "")
        return
    assert isinstance(result, Ignored)
    expected = {
        "ping": "a ping",
        "create/delete": "the push event tells the same|a deleted ref",
        "-": "event is not a push",
    }
    assert re.search(expected[row["kind"]], result.reason)


@needs_payloads
@pytest.mark.parametrize("row", [row for row in LISTED if row["kind"] == "push"], ids=name)
def test_a_real_push_is_read(row: dict[str, str]) -> None:
    if name(row) in MALFORMED:
        with pytest.raises(MalformedPayload, match=re.escape(MALFORMED[name(row)])):
            parse(row)
        return
    payload = json.loads((PAYLOADS / row["provider"] / row["file"]).read_bytes())
    result = parse(row)
    assert isinstance(result, Push)
    (update,) = result.updates
    kind, change = row["detail"].split(" ")[:2]
    assert update.ref.startswith("refs/tags/" if kind == "tag" else "refs/heads/")
    assert (update.is_created, update.is_deleted) == (change == "create", change == "delete")
    assert update.forced is (payload["forced"] if row["provider"] == "github" else None)
    listed = [commit[kind] for commit in payload["commits"] for kind in FILES]
    assert set(update.paths) == {path for paths in listed for path in paths}
    path = payload.get("project", {}).get("path_with_namespace")
    path = path or payload["repository"]["full_name"]
    assert any(url.removesuffix(".git").endswith(path) for url in result.repository_urls)
    assert (update.incomplete is None) is is_complete(row, payload)


BITBUCKET = {"bitbucket-cloud": "bitbucket", "bitbucket-dc": "bitbucket-server"}
"""The provider of each of the collection's folders."""

SIDES = {"create": (True, False), "delete": (False, True), "update": (False, False)}
SIDES |= {"ADD": SIDES["create"], "DELETE": SIDES["delete"], "UPDATE": SIDES["update"]}
"""Whether a change that is described so creates its ref, and whether it deletes it."""

PLUGIN = {
    "bitbucket-dc/jenkins-evt__legacyPayload.json",
    "bitbucket-dc/jenkins-evt__updatePayload.json",
}
"""What a plugin for old Bitbucket Servers sent, by the event key of Cloud."""


def bitbucket_rows() -> list[dict[str, str]]:
    return [row for row in manifest() if row["provider"] in BITBUCKET]


def parse_bitbucket(row: dict[str, str]) -> Push | Ignored:
    body = (PAYLOADS / row["provider"] / row["file"]).read_bytes()
    payload = json.loads(body)
    event = "repo:push" if name(row) in PLUGIN or "push" in payload else "diagnostics:ping"
    headers = {
        "content-type": "application/json",
        "x-event-key": payload.get("eventKey", event),
    }
    return PROVIDERS[BITBUCKET[row["provider"]]].parse_push(headers, body)


def described_changes(row: dict[str, str]) -> list[tuple[bool, bool, str]]:
    """What the collection says of each ref: is it created, is it deleted, what does it start with.

    As "update:branch,forced,commits=5 + create:tag,commits=0" or "ADD:TAG commits=4".
    """
    if row["file"].startswith("zulip"):
        return [(False, False, "refs/heads/")] * 2
    changes = []
    for described in row["detail"].split(" + "):
        change, _, kind = described.replace(" ", ",").split(",")[0].partition(":")
        if change:
            prefix = "refs/tags/" if kind.lower() == "tag" else "refs/heads/"
            changes.append((*SIDES[change], prefix))
    return changes


@needs_payloads
@pytest.mark.parametrize("row", bitbucket_rows(), ids=name)
def test_a_real_body_of_bitbucket_is_read_or_refused(row: dict[str, str]) -> None:
    if name(row) in PLUGIN:
        with pytest.raises(MalformedPayload, match="or of a plugin"):
            parse_bitbucket(row)
        return
    result = parse_bitbucket(row)
    if row["file"] == "jenkins__ping.json":
        assert isinstance(result, Ignored)
        assert result.reason.startswith("a ping")
        return
    assert isinstance(result, Push)
    told = [(each.is_created, each.is_deleted, each.ref) for each in result.updates]
    described = [] if row["detail"] == "empty changes" else described_changes(row)
    assert len(told) == len(described)
    for (*sides, ref), (*expected, prefix) in zip(told, described, strict=True):
        assert sides == expected
        assert ref.startswith(prefix)
    assert (result.refs_not_told is not None) is (not described)


FILES = ("added", "modified", "removed")


def is_complete(row: dict[str, str], payload: dict[str, Any]) -> bool:
    """What the rules say of these bodies, none of which is near a cap of GitHub's."""
    commits = payload["commits"]
    match row["provider"]:
        case "github":
            return bool(commits)
        case "gitlab":
            has_all = payload["total_commits_count"] == len(commits)
            return bool(commits) and has_all and not any(commit["added"] for commit in commits)
        case "gogs":
            return False
    return bool(commits) and payload.get("total_commits") == len(commits)


HARBOR = ArtifactUpdate(
    artifact="harbor.example.com/example/test",
    tag="latest",
    digest="sha256:d72f37f783ed6a8d58ac70b4db052707d1ec9d4ea010ef5ccd84652faf9ed844",
)
OF_REGISTRIES: list[tuple[str, str, dict[str, str], ArtifactUpdate | str]] = [
    (
        "registry/argo-cd__util__ghcr-package-event.json",
        "ghcr",
        {"x-github-event": "package"},
        "the payload names no package_url",  # it was shortened by hand
    ),
    (
        "registry/aws-lambda-go__ecr-image-push-event.json",
        "ecr",
        {},
        "the digest is no SHA-256 or SHA-512 in lower-case hex",  # it has 60 digits
    ),
    (
        "github/octokit__api.github.com__registry_package__published.docker.payload.json",
        "ghcr",
        {"x-github-event": "registry_package"},
        "no tag was pushed",
    ),
    ("registry/zulip__harbor_push_image.json", "harbor", {}, HARBOR),
]
"""Bodies of registries: what each is read as, or why it is ignored or refused."""


@needs_payloads
@pytest.mark.parametrize(
    ("file", "registry", "headers", "expected"),
    OF_REGISTRIES,
    ids=[row[0] for row in OF_REGISTRIES],
)
def test_a_real_body_of_a_registry_is_read_or_answered_with_the_reason(
    file: str, registry: str, headers: dict[str, str], expected: ArtifactUpdate | str
) -> None:
    body = (PAYLOADS / file).read_bytes()
    headers = {"content-type": "application/json", **headers}
    try:
        result = REGISTRIES[registry].parse_artifact(headers, body)
    except MalformedPayload as error:
        assert str(error) == expected
        return
    if isinstance(result, ArtifactPush):
        assert result.updates == (expected,)
    else:
        assert isinstance(expected, str)
        assert result.reason.startswith(expected)


@needs_payloads
@pytest.mark.parametrize("row", [row for row in OTHER if row["provider"] in REFUSED], ids=name)
def test_a_real_body_of_another_way_to_be_told_is_refused(row: dict[str, str]) -> None:
    with pytest.raises(MalformedPayload, match=REFUSED[row["provider"]]):
        parse(row)


@needs_payloads
@pytest.mark.parametrize("row", [row for row in OTHER if row["provider"] not in REFUSED], ids=name)
def test_a_real_push_without_lists_is_read(row: dict[str, str]) -> None:
    resource = json.loads((PAYLOADS / row["provider"] / row["file"]).read_bytes())["resource"]
    (moved,) = resource["refUpdates"]
    result = parse(row)
    assert isinstance(result, Push)
    (update,) = result.updates
    assert (update.ref, update.before, update.after, update.forced) == (
        moved["name"],
        moved["oldObjectId"],
        moved["newObjectId"],
        moved.get("forced"),
    )
    assert update.is_deleted is ("remove_branch" in row["file"])
    assert (update.paths, bool(update.incomplete)) == ((), True)
    assert resource["repository"]["remoteUrl"] in result.repository_urls
