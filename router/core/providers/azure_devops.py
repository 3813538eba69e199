"""Azure DevOps Services and Server: service hooks of the event "Code pushed".

Nothing is signed: the hook asks for credentials.

https://learn.microsoft.com/azure/devops/service-hooks/services/webhooks
https://learn.microsoft.com/azure/devops/service-hooks/events#git.push
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from router.core.lists import ABSENT, decode, is_countable
from router.core.naming import normalize_url
from router.core.providers.interface import (
    JSON,
    TOO_MANY_REFS,
    OutgoingCommit,
    OutgoingPush,
    cannot_sign,
    checked_push,
    json_body,
    json_payload,
    listless_update,
    never_signed,
    other_event,
    web_url,
)
from router.core.push import Ignored, Push, RefUpdate, is_zero

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.core.forms import Body

PUSH_EVENT = "git.push"
SEND_ALL = 'set "Resource details to send" of the service hook to All'
NO_REFS = f"the payload does not tell which refs moved; {SEND_ALL}"
NO_REPOSITORY = f"the payload does not name the URL of the repository; {SEND_ALL}"

verify = cannot_sign
is_signed = never_signed


class _RefUpdate(msgspec.Struct, frozen=True, gc=False):
    name: str
    oldObjectId: str
    newObjectId: str
    forced: bool | None = None
    """Only there when it is true; Microsoft's pages do not describe it."""


class _Repository(msgspec.Struct, frozen=True, gc=False):
    remoteUrl: str | None = None
    sshUrl: str | None = None


class _Resource(msgspec.Struct, frozen=True, gc=False):
    """The push; "Minimal" leaves out most of it, and "None" all."""

    refUpdates: msgspec.Raw = ABSENT
    repository: _Repository | None = None


class _Event(msgspec.Struct, frozen=True, gc=False):
    eventType: str
    id: str | None = None
    resource: msgspec.Raw = msgspec.Raw(b"null")


_DECODER = msgspec.json.Decoder(_Event)
_UPDATES_DECODER: msgspec.json.Decoder[list[_RefUpdate] | None] = msgspec.json.Decoder(
    list[_RefUpdate] | None
)
_RESOURCE_DECODER: msgspec.json.Decoder[_Resource | None] = msgspec.json.Decoder(_Resource | None)


def parse_push(headers: Mapping[str, str], body: Body) -> Push | Ignored:
    """Read a delivery. Raises MalformedPayload or UnsupportedMedia.

    One that was stripped of its refs or its repository means any ref, of that repository or of
    all that the hook has.
    """
    payload = json_payload(headers, body)
    event = decode(_DECODER, payload)
    delivery_id = event.id or None
    if event.eventType != PUSH_EVENT:
        return other_event(event.eventType, delivery_id=delivery_id)
    resource = decode(_RESOURCE_DECODER, event.resource, "resource") or _Resource()
    urls = tuple(dict.fromkeys(_urls(resource.repository or _Repository())))
    updates = _updates(resource.refUpdates)
    if not urls or not updates:
        why = NO_REPOSITORY if not urls else TOO_MANY_REFS if updates is None else NO_REFS
        return Push(repository_urls=urls, updates=(), delivery_id=delivery_id, refs_not_told=why)
    return checked_push(urls, updates, delivery_id=delivery_id)


def _updates(listed: msgspec.Raw) -> list[RefUpdate] | None:
    """The refs that moved; None for more than are read. The commits beside them never are."""
    if not is_countable(bytes(listed)):
        return None
    found = decode(_UPDATES_DECODER, listed, "resource.refUpdates") or ()
    return [_checked(update) for update in found]


def _checked(update: _RefUpdate) -> RefUpdate:
    return listless_update(
        ref=update.name,
        before=update.oldObjectId,
        after=update.newObjectId,
        forced=update.forced,
        host="Azure DevOps",
    )


def _urls(repository: _Repository) -> Iterator[str]:
    """Every URL by which an entry may name the repository."""
    for url in (repository.remoteUrl, repository.sshUrl):
        if url:
            yield url
            names = _names(url)
            if names is not None:
                yield from _forms(*names)


def _names(url: str) -> tuple[str, str, str] | None:
    """Organisation, project and repository of a URL of Azure DevOps Services, if it is one.

    A repository that has its project's name may come without the project.
    """
    host, *path = normalize_url(url).split("/")
    if host in ("ssh.dev.azure.com", "vs-ssh.visualstudio.com"):
        return (path[1], path[2], path[3]) if len(path) == 4 and path[0] == "v3" else None
    organization, _, domain = host.partition(".")
    if host == "dev.azure.com":
        organization, path = path[0], path[1:]
    elif domain != "visualstudio.com":
        return None
    if path and path[0].lower() == "defaultcollection":
        path = path[1:]
    match path:
        case [project, "_git", name]:
            return organization, project, name
        case ["_git", name]:
            return organization, name, name
    return None


def _forms(organization: str, project: str, name: str) -> Iterator[str]:
    """The same repository's URLs by https, old and new, and by ssh.

    https://learn.microsoft.com/azure/devops/extend/develop/work-with-urls
    https://learn.microsoft.com/azure/devops/repos/git/use-ssh-keys-to-authenticate
    """
    account, *path = (quote(part, safe="") for part in (organization, project, name))
    whole = "/".join(path)
    yield f"git@ssh.dev.azure.com:v3/{account}/{whole}"
    yield f"{account}@vs-ssh.visualstudio.com:v3/{account}/{whole}"
    tails = [f"{path[0]}/_git/{path[1]}"]
    if project == name:
        tails.append(f"_git/{path[1]}")
    for tail in tails:
        yield f"https://dev.azure.com/{account}/{tail}"
        yield f"https://{account}.visualstudio.com/{tail}"
        yield f"https://{account}.visualstudio.com/DefaultCollection/{tail}"


def encode_push(
    push: OutgoingPush, *, secret: bytes, delivery_id: str, now_seconds: float
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body by which Azure DevOps would send *push*, all of it.

    A deleted ref has no list of commits. Whether there is a cap for others is not verified.
    """
    update: dict[str, object] = {
        "name": push.ref,
        "oldObjectId": push.before,
        "newObjectId": push.after,
    }
    if push.forced:
        update["forced"] = True
    url = web_url(push.repository_url)
    resource: dict[str, object] = {
        "refUpdates": [update],
        "repository": {"name": url.rpartition("/")[2], "remoteUrl": push.repository_url},
    }
    if not is_zero(push.after):
        resource["commits"] = [_commit(commit) for commit in reversed(push.commits)]
    payload = {
        "id": delivery_id,
        "eventType": PUSH_EVENT,
        "publisherId": "tfs",
        "resource": resource,
        "resourceVersion": "1.0",
    }
    return {"Content-Type": f"{JSON}; charset=utf-8"}, json_body(payload)


def _commit(commit: OutgoingCommit) -> dict[str, object]:
    author = {"name": commit.author_name, "email": commit.author_email, "date": commit.timestamp}
    return {
        "commitId": commit.id,
        "author": author,
        "committer": author,
        "comment": commit.message,
    }
