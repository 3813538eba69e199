"""Gerrit: the events that its webhooks plugin posts.

Nothing is signed, and the plugin can send no header of its own: the hook asks for a token in the
path. The payload names a project and no URL.

https://gerrit.googlesource.com/plugins/webhooks/+/refs/heads/master/src/main/resources/Documentation/config.md
https://gerrit-review.googlesource.com/Documentation/cmd-stream-events.html#_ref_updated
https://gerrit-review.googlesource.com/Documentation/json.html#refUpdate
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core.errors import MalformedPayload
from router.core.lists import MAX_BRACES, decode, is_countable
from router.core.providers.interface import (
    JSON,
    OutgoingPush,
    cannot_sign,
    checked_push,
    json_body,
    json_payload,
    listless_update,
    never_signed,
    other_event,
    repository_path,
)
from router.core.push import Ignored, Push

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.core.forms import Body

REVIEWS = "refs/changes/"
"""Where Gerrit keeps what is under review; every upload and comment moves refs there."""

ONLY_REVIEWS = f"only refs below {REVIEWS} moved: reviews, and no branch or tag"
MERGED = "change-merged does not tell the commit before: the ref-updated event tells of the same"

verify = cannot_sign
is_signed = never_signed


class _RefUpdate(msgspec.Struct, frozen=True, gc=False):
    project: str
    refName: str
    """The full name: short ones ended in 2014, and the plugin began in 2017."""
    oldRev: str
    newRev: str


class _Event(msgspec.Struct, frozen=True, gc=False):
    type: str


class _RefUpdated(msgspec.Struct, frozen=True, gc=False):
    refUpdate: _RefUpdate


class _BatchRefUpdated(msgspec.Struct, frozen=True, gc=False):
    """Several refs that moved together: an event of its own, which Gerrit sends if told to."""

    refUpdates: list[_RefUpdate]


_DECODER = msgspec.json.Decoder(_Event)
_ONE_DECODER = msgspec.json.Decoder(_RefUpdated)
_BATCH_DECODER = msgspec.json.Decoder(_BatchRefUpdated)


def parse_push(headers: Mapping[str, str], body: Body) -> Push | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia."""
    payload = json_payload(headers, body)
    event = decode(_DECODER, payload).type
    if event == "ref-updated":
        return _pushed([decode(_ONE_DECODER, payload).refUpdate])
    if event == "batch-ref-updated":
        if not is_countable(payload):
            raise MalformedPayload(f"the payload holds more than {MAX_BRACES} braces")
        return _pushed(decode(_BATCH_DECODER, payload).refUpdates)
    if event == "change-merged":
        return Ignored(reason=MERGED)
    return other_event(event, delivery_id=None)


def _pushed(updates: Sequence[_RefUpdate]) -> Push | Ignored:
    if not updates:
        return Ignored(reason="the list of updates is empty")
    projects = {update.project for update in updates}
    if len(projects) > 1:
        raise MalformedPayload("the updates are of more than one project")
    if "" in projects:
        raise MalformedPayload("the payload names no project")
    checked = [
        listless_update(
            ref=update.refName,
            before=update.oldRev,
            after=update.newRev,
            forced=None,
            host="Gerrit",
        )
        for update in updates
    ]
    kept = [update for update in checked if not update.ref.startswith(REVIEWS)]
    if not kept:
        return Ignored(reason=ONLY_REVIEWS)
    return checked_push([], kept, delivery_id=None, path=projects.pop())


def url_forms(path: str) -> Sequence[str]:
    """Over HTTP, a clone that logs in has an `a/` before the project, and any may have a `p/`.

    https://gerrit-review.googlesource.com/Documentation/rest-api.html#authentication
    https://gerrit.googlesource.com/gerrit/+/refs/heads/master/java/com/google/gerrit/httpd/GitOverHttpServlet.java
    """
    return (f"a/{path}", f"p/{path}", f"a/p/{path}")


def encode_push(
    push: OutgoingPush, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which the plugin would post *push*; it sends no id."""
    payload = {
        "submitter": {"name": "flux-router"},
        "refUpdate": {
            "oldRev": push.before,
            "newRev": push.after,
            "refName": push.ref,
            "project": repository_path(push.repository_url),
        },
        "type": "ref-updated",
        "eventCreatedOn": int(now_seconds),
    }
    return {"Content-Type": f"{JSON}; charset=utf-8"}, json_body(payload)
