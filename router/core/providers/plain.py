"""Our own JSON, as docs/providers.md describes it: read and written, whoever signs it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from router.core.changes import GIT_WOULD_KNOW
from router.core.errors import MalformedPayload
from router.core.lists import ABSENT, MAX_BRACES, decode, is_countable, read_paths
from router.core.providers.interface import (
    OutgoingCommit,
    OutgoingPush,
    checked_push,
    checked_update,
    json_body,
    json_payload,
)
from router.core.push import Ignored, Push, RefUpdate, is_zero

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from router.core.forms import Body


class _Update(msgspec.Struct, frozen=True, gc=False):
    ref: str
    before: str
    after: str
    forced: bool | None = None
    paths: msgspec.Raw = ABSENT


class _Delivery(msgspec.Struct, frozen=True, gc=False):
    """A ping, a list of updates, or the fields of one update."""

    ping: bool = False
    repository: str | None = None
    updates: msgspec.Raw = ABSENT
    ref: str | None = None
    before: str | None = None
    after: str | None = None
    forced: bool | None = None
    paths: msgspec.Raw = ABSENT


_DECODER = msgspec.json.Decoder(_Delivery)
_UPDATES_DECODER: msgspec.json.Decoder[list[_Update] | None] = msgspec.json.Decoder(
    list[_Update] | None
)


def parse_plain(
    headers: Mapping[str, str], body: Body, *, delivery_id: str | None
) -> Push | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    payload = json_payload(headers, body)
    delivery = decode(_DECODER, payload)
    if delivery.ping:
        return Ignored(reason="a ping: the webhook reaches us", delivery_id=delivery_id)
    updates = [_checked(update) for update in _updates(delivery, payload)]
    if not updates:
        return Ignored(reason="the list of updates is empty", delivery_id=delivery_id)
    return checked_push([delivery.repository], updates, delivery_id=delivery_id)


def _updates(delivery: _Delivery, payload: Body) -> Sequence[_Update]:
    if not is_countable(payload):
        raise MalformedPayload(f"the payload holds more than {MAX_BRACES} braces")
    updates = decode(_UPDATES_DECODER, delivery.updates, "updates")
    if updates is not None:
        if delivery.ref is not None:
            raise MalformedPayload("either ref or updates has to be there, not both")
        return updates
    if delivery.ref is None or delivery.before is None or delivery.after is None:
        raise MalformedPayload("ref, before and after have to be there, or updates")
    update = _Update(
        ref=delivery.ref,
        before=delivery.before,
        after=delivery.after,
        forced=delivery.forced,
        paths=delivery.paths,
    )
    return [update]


def _checked(update: _Update) -> RefUpdate:
    files, incomplete = read_paths(update.paths, "paths"), None
    if not files.has_all:
        incomplete = f"the payload has no paths; sending them would help, and {GIT_WOULD_KNOW}"
    return checked_update(
        ref=update.ref,
        before=update.before,
        after=update.after,
        forced=update.forced,
        files=files,
        incomplete=incomplete,
    )


def plain_body(push: OutgoingPush) -> bytes:
    """Return the body of *push*.

    `paths` is the union of the commits' files, so that one commit with the two-dot diff makes it
    exact. It is left out where no union can be all that differs: after a force push, for a created
    or deleted ref, and without commits.
    """
    payload: dict[str, object] = {
        "repository": push.repository_url,
        "ref": push.ref,
        "before": push.before,
        "after": push.after,
        "forced": push.forced,
    }
    is_moved = not push.forced and not is_zero(push.before) and not is_zero(push.after)
    if is_moved and push.commits:
        every = chain.from_iterable(_paths(commit) for commit in push.commits)
        payload["paths"] = list(dict.fromkeys(every))
    return json_body(payload)


def _paths(commit: OutgoingCommit) -> Iterable[str]:
    renamed = chain.from_iterable(commit.renamed)
    return chain(commit.added, commit.modified, commit.removed, renamed)
