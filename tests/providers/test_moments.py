"""When a tag was pushed, where the registry tells: only the order of pushes is made of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from router.core.providers.registry import (
    checked_artifact,
    checked_artifacts,
    moment_of,
    read_moment,
)
from router.core.providers.table import REGISTRIES
from router.core.push import ArtifactPush
from tests.providers.signing import sample

SECOND = datetime(2026, 3, 14, 8, 26, 53, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "moment"),
    [
        (b'"2026-03-14T08:26:53Z"', SECOND),
        (b'"2026-03-14T10:26:53+02:00"', SECOND),
        (b'"2026-03-14T08:26:53.000000999Z"', SECOND),
        (b'"2026-03-14T08:26:53"', None),  # by whose clock is not told
        (b'"yesterday"', None),
        (b'"0001-01-01T00:00:00Z"', None),  # Go's zero
        (b'"' + b"2" * 100 + b'"', None),
        (b"1773476813", None),
        (b"null", None),
        (b"{}", None),
        (b'"\xff"', None),
    ],
)
def test_a_moment_that_cannot_be_read_is_not_told(told: bytes, moment: datetime | None) -> None:
    assert read_moment(msgspec.Raw(told)) == moment


@pytest.mark.parametrize(("seconds", "moment"), [(1773476813, SECOND), (2**63, None), (0, None)])
def test_a_moment_in_seconds(seconds: int, moment: datetime | None) -> None:
    assert moment_of(seconds) == moment


LATER = SECOND + timedelta(seconds=20)


@pytest.mark.parametrize(
    "moments", [(SECOND, LATER), (LATER, SECOND), (LATER, None), (None, LATER)]
)
def test_of_repetitions_the_newest_moment_stays(moments: tuple[datetime | None, ...]) -> None:
    tags = [
        checked_artifact(artifact="ghcr.io/acme/app", tag="main", digest=None, pushed_at=moment)
        for moment in moments
    ]
    push = checked_artifacts(tags, delivery_id=None)
    assert isinstance(push, ArtifactPush)
    assert [update.pushed_at for update in push.updates] == [LATER]


@pytest.mark.parametrize(
    ("registry", "case"),
    [
        ("acr", "push"),
        ("distribution", "push"),
        ("ecr", "push"),
        ("gar", "push"),
        ("harbor", "push"),
        ("harbor", "push_cloudevents"),
    ],
)
def test_registries_that_tell_when_a_tag_was_pushed(registry: str, case: str) -> None:
    told = REGISTRIES[registry].parse_artifact(*sample(registry, case))
    assert isinstance(told, ArtifactPush)
    assert [update.pushed_at is not None for update in told.updates] == [True]
