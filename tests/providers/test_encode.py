"""What we send in a provider's name has that provider's caps and habits, and reads back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.errors import SettingsInvalid
from router.core.naming import normalize_url
from router.core.providers.interface import (
    OutgoingCommit,
    OutgoingPush,
    Provider,
    repository_path,
)
from router.core.providers.table import PROVIDERS
from router.core.push import Ignored, Push, RefUpdate, is_zero
from tests.providers.outgoing import CODECOMMIT_URL, MAIN, URL, ZERO, commit, push, send
from tests.providers.signing import (
    NOW_SECONDS,
    SECRET,
    SIGNING_TOKEN,
    hook_secret,
    lower_names,
    sender_secret,
)
from tests.thoroughness import examples

LISTLESS = {
    *("azure-devops", "bitbucket", "bitbucket-server", "codecommit", "gerrit", "sourcehut"),
}
"""Providers that list no files."""


def round_trip(provider: Provider, outgoing: OutgoingPush, secret: bytes) -> Push | Ignored:
    headers, body = provider.encode_push(
        outgoing,
        secret=sender_secret(provider.name, secret),
        delivery_id="d-1",
        now_seconds=NOW_SECONDS,
    )
    received = lower_names(headers)
    if provider.can_sign:
        secrets = [b"old", hook_secret(provider.name, secret)]
        assert provider.is_signed(received)
        provider.verify(received, body, secrets=secrets, now_seconds=NOW_SECONDS)
    return provider.parse_push(received, body)


names = st.text(st.characters(exclude_categories=()), min_size=1, max_size=6)
some_names = st.lists(names, max_size=3).map(tuple)
outgoing_commits = st.builds(
    OutgoingCommit,
    id=st.sampled_from(["1" * 40, "2" * 40]),
    message=names,
    timestamp=st.just("2026-03-14T09:26:53+01:00"),
    author_name=names,
    author_email=names,
    added=some_names,
    modified=some_names,
    removed=some_names,
    renamed=st.lists(st.tuples(names, names), max_size=2).map(tuple),
)
outgoing_pushes = st.builds(
    OutgoingPush,
    repository_url=st.sampled_from([URL, "git@git.acme.example:acme/fleet.git"]),
    ref=st.sampled_from([MAIN, "refs/heads/feature/größe", "refs/tags/v1"]),
    before=st.sampled_from([ZERO, "a" * 40, "a" * 64]),
    after=st.sampled_from([ZERO, "b" * 40, "b" * 64]),
    forced=st.booleans(),
    commits=st.lists(outgoing_commits, max_size=7).map(tuple),
)


def every_path(outgoing: OutgoingPush) -> set[str]:
    paths: set[str] = set()
    for each in outgoing.commits:
        paths.update(each.added, each.modified, each.removed, *each.renamed)
    return paths


@pytest.mark.parametrize("secret", [SECRET, SIGNING_TOKEN], ids=["secret", "signing token"])
@pytest.mark.parametrize("provider", list(PROVIDERS.values()), ids=list(PROVIDERS))
@settings(max_examples=examples(10), deadline=None)
@given(outgoing=outgoing_pushes)
def test_a_push_we_send_reads_back_and_hides_no_path_without_saying_so(
    provider: Provider, secret: bytes, outgoing: OutgoingPush
) -> None:
    if provider.name == "codecommit":
        outgoing = of_codecommit(outgoing)
    result = round_trip(provider, outgoing, secret)
    assert result.delivery_id == (None if provider.name == "gerrit" else "d-1")
    if outgoing.before == outgoing.after or is_untold(provider.name, outgoing):
        assert isinstance(result, Ignored)
        return
    assert isinstance(result, Push)
    if result.repository_urls:
        assert normalize_url(outgoing.repository_url) in map(normalize_url, result.repository_urls)
    else:
        assert result.repository_path == repository_path(outgoing.repository_url)
    if provider.name == "sourcehut" and is_zero(outgoing.before):
        assert result.refs_not_told
        return
    (update,) = result.updates
    before = outgoing.before
    if provider.name == "gogs" and outgoing.ref.startswith("refs/tags/"):
        before = "0" * len(outgoing.after)  # where a tag was is not told
    assert (update.ref, update.before, update.after) == (outgoing.ref, before, outgoing.after)
    check_paths(update, outgoing)


def of_codecommit(outgoing: OutgoingPush) -> OutgoingPush:
    """A push of a repository it can have; its events leave out the side that has no commit."""
    before, after = outgoing.before, outgoing.after
    return replace(
        outgoing,
        repository_url=CODECOMMIT_URL,
        before="0" * len(after) if is_zero(before) else before,
        after="0" * len(before) if is_zero(after) else after,
    )


def is_untold(provider: str, outgoing: OutgoingPush) -> bool:
    """Whether the provider tells that a ref was deleted by what is no push, or without its name."""
    return provider in ("gogs", "sourcehut") and is_zero(outgoing.after)


def check_paths(update: RefUpdate, outgoing: OutgoingPush) -> None:
    if update.forced is not None:
        assert update.forced is outgoing.forced
    assert len(set(update.paths)) == len(update.paths)
    if update.incomplete is None:
        assert set(update.paths) == every_path(outgoing)


@pytest.mark.parametrize("provider", ["github", "gitea", "forgejo", "generic", "standard-webhooks"])
def test_a_rename_is_told_by_both_names(provider: str) -> None:
    outgoing = push(commit(renamed=(("apps/old", "apps/new"),)))
    result = round_trip(PROVIDERS[provider], outgoing, SECRET)
    assert isinstance(result, Push)
    assert set(result.updates[0].paths) == {"apps/old", "apps/new"}
    assert result.updates[0].incomplete is None


def test_gitlab_tells_a_rename_by_its_new_name_only_and_we_notice() -> None:
    outgoing = push(commit(renamed=(("apps/old", "apps/new"),)))
    result = round_trip(PROVIDERS["gitlab"], outgoing, SECRET)
    assert isinstance(result, Push)
    assert result.updates[0].paths == ("apps/new",)
    assert "renamed" in (result.updates[0].incomplete or "")


def test_github_lists_commits_oldest_first_and_the_newest_2048() -> None:
    many = [commit(number, modified=("a",)) for number in range(1, 2051)]
    headers, payload = send("github", push(*many))
    assert len(payload["commits"]) == 2048
    assert payload["commits"][-1]["id"] == payload["head_commit"]["id"] == many[-1].id
    assert headers["X-GitHub-Event"] == "push"
    assert headers["X-GitHub-Delivery"] == "d-1"


def test_github_lists_3000_files_of_a_commit() -> None:
    def files(kind: str, count: int) -> tuple[str, ...]:
        return tuple(f"{kind}/{number}" for number in range(count))

    busy = commit(added=files("a", 2000), removed=files("r", 900), modified=files("m", 500))
    busier = commit(added=files("a", 4000), removed=files("r", 1), modified=files("m", 1))
    _, payload = send("github", push(busy, busier))
    first, second = payload["commits"]
    assert [len(first[kind]) for kind in ("added", "removed", "modified")] == [2000, 900, 100]
    assert [len(second[kind]) for kind in ("added", "removed", "modified")] == [3000, 0, 0]


@pytest.mark.parametrize(
    ("changes", "created", "deleted", "forced", "has_head"),
    [
        ({}, False, False, False, True),
        ({"forced": True}, False, False, True, True),
        ({"before": ZERO}, True, False, False, True),
        ({"after": ZERO}, False, True, False, False),
    ],
)
def test_github_flags_say_what_became_of_the_ref(
    changes: dict[str, Any], created: bool, deleted: bool, forced: bool, has_head: bool
) -> None:
    _, payload = send("github", push(commit(modified=("a",)), **changes))
    assert (payload["created"], payload["deleted"], payload["forced"]) == (created, deleted, forced)
    assert (payload["head_commit"] is not None) is has_head
    assert bool(payload["commits"]) is not deleted


def test_github_lists_no_commits_of_a_tag_or_a_reset() -> None:
    _, tag = send("github", push(commit(modified=("a",)), ref="refs/tags/v1"))
    assert tag["commits"] == []
    assert tag["head_commit"]["id"] == commit().id
    _, reset = send("github", push(forced=True))
    assert (reset["commits"], reset["head_commit"]) == ([], None)


def test_gitlab_lists_the_newest_20_commits_and_counts_all() -> None:
    many = [commit(number, modified=("a",)) for number in range(1, 26)]
    headers, payload = send("gitlab", push(*many))
    assert [each["id"] for each in payload["commits"]] == [each.id for each in many[5:]]
    assert payload["total_commits_count"] == 25
    assert payload["checkout_sha"] == "b" * 40
    assert "forced" not in payload
    assert headers["X-Gitlab-Event"] == "Push Hook"
    assert headers["X-Gitlab-Token"] == SECRET.decode()
    assert "webhook-signature" not in headers


def test_gitlab_tells_tags_by_an_event_of_their_own_and_a_deleted_ref_by_no_commits() -> None:
    headers, payload = send("gitlab", push(commit(modified=("a",)), ref="refs/tags/v1"))
    assert headers["X-Gitlab-Event"] == "Tag Push Hook"
    assert payload["object_kind"] == "tag_push"
    assert len(payload["commits"]) == 1
    _, deleted = send("gitlab", push(commit(modified=("a",)), after=ZERO))
    assert (deleted["commits"], deleted["total_commits_count"]) == ([], 0)
    assert deleted["checkout_sha"] is None


def test_gitlab_signs_with_a_signing_token_and_does_not_send_it() -> None:
    headers, _ = send("gitlab", push(commit()), SIGNING_TOKEN)
    assert headers["webhook-signature"].startswith("v1,")
    assert headers["webhook-id"] == headers["Idempotency-Key"] == "d-1"
    assert headers["webhook-timestamp"] == str(int(NOW_SECONDS))
    assert "X-Gitlab-Token" not in headers


def test_a_signing_token_without_a_key_cannot_sign() -> None:
    with pytest.raises(SettingsInvalid, match="not base64"):
        send("gitlab", push(), b"whsec_***")


@pytest.mark.parametrize(
    ("provider", "kinds"),
    [("gitea", ["Gitea", "Gogs"]), ("forgejo", ["Forgejo", "Gitea", "Gogs"])],
)
def test_gitea_lists_the_newest_5_commits_newest_first(provider: str, kinds: list[str]) -> None:
    many = [commit(number, modified=("a",)) for number in range(1, 8)]
    headers, payload = send(provider, push(*many))
    assert [each["id"] for each in payload["commits"]] == [each.id for each in many[:1:-1]]
    assert payload["total_commits"] == 7
    assert payload["head_commit"]["id"] == many[-1].id
    signature = headers["X-Hub-Signature-256"].removeprefix("sha256=")
    assert [name for name in headers if name.endswith("-Signature")] == [
        f"X-{kind}-Signature" for kind in kinds
    ]
    for kind in kinds:
        assert headers[f"X-{kind}-Signature"] == signature
        assert headers[f"X-{kind}-Delivery"] == headers["X-GitHub-Delivery"] == "d-1"
        assert headers[f"X-{kind}-Event"] == headers["X-GitHub-Event"] == "push"


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name not in LISTLESS])
def test_a_name_that_is_not_utf8_is_sent_damaged_and_makes_the_push_unknown(provider: str) -> None:
    outgoing = push(commit(modified=("apps/\udcff.yaml",), message="\udcfe"))
    result = round_trip(PROVIDERS[provider], outgoing, SECRET)
    assert isinstance(result, Push)
    assert result.updates[0].paths == ("apps/\ufffd.yaml",)
    assert "is not UTF-8" in (result.updates[0].incomplete or "")


def test_zero_is_zero_in_both_lengths() -> None:
    """The pushes above rely on it."""
    assert is_zero("0" * 40)
    assert is_zero("0" * 64)
