"""What is wrong with a delivery: its signature, and everything a payload may hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.builders import commit, github_push
from tests.edge.canaries import HOOK_SECRET
from tests.edge.wire import FORM, Row, delivery, sign

URL = "https://github.com/acme/fleet"
PUSH = json.dumps(github_push()).encode()
GOOD = sign(PUSH)
MOVED: dict[str, Any] = {"ref": "refs/heads/main", "before": commit(1), "after": commit(2)}
GITLAB = {
    **MOVED,
    "project": {"git_http_url": URL},
    "commits": [{"added": [], "modified": ["a"], "removed": []}],
    "total_commits_count": 1,
}
GITEA = {**GITLAB, "repository": {"clone_url": URL}, "total_commits": 1}
HUGE = "9" * 5000
GENERIC = {**MOVED, "repository": URL, "paths": ["a"]}
PAYLOADS: dict[str, dict[str, Any]] = {
    "github": github_push(),
    "gitlab": GITLAB,
    "gitea": GITEA,
    "generic": GENERIC,
}


def refused(name: str, **changed: str | bytes | None) -> Row:
    """A delivery of GitHub whose headers are not what proves it."""
    names = {key.replace("_", "-"): value for key, value in changed.items()}
    return Row(name=name, sent=delivery(PUSH, changed=names), status=401, error="unauthorized")


def flip(digit: str) -> str:
    return f"{int(digit, 16) ^ 1:x}"


SIGNATURES = [
    refused("no signature", x_hub_signature_256=None),
    refused("an empty signature", x_hub_signature_256=""),
    refused("only the prefix", x_hub_signature_256="sha256="),
    refused("no prefix", x_hub_signature_256=GOOD),
    refused("another prefix", x_hub_signature_256=f"sha512={GOOD}"),
    refused("upper case", x_hub_signature_256=f"sha256={GOOD.upper()}"),
    refused(
        "one bit changed at the start", x_hub_signature_256=f"sha256={flip(GOOD[0])}{GOOD[1:]}"
    ),
    refused(
        "one bit changed at the end", x_hub_signature_256=f"sha256={GOOD[:-1]}{flip(GOOD[-1])}"
    ),
    refused("one digit less", x_hub_signature_256=f"sha256={GOOD[:-1]}"),
    refused("one digit more", x_hub_signature_256=f"sha256={GOOD}0"),
    refused("of another body", x_hub_signature_256=f"sha256={sign(PUSH + b' ')}"),
    refused("by another secret", x_hub_signature_256=f"sha256={sign(PUSH, secret=b'x')}"),
    refused("by an empty secret", x_hub_signature_256=f"sha256={sign(PUSH, secret=b'')}"),
    refused("not ASCII", x_hub_signature_256="sha256=" + "\xff" * 64),
    refused("digits of another script", x_hub_signature_256=b"sha256=" + b"\xd9\xa1" * 64),
    refused("the secret itself", x_hub_signature_256=HOOK_SECRET),
    refused("a good one and a bad one", x_hub_signature_256=f"sha256={GOOD}, sha256={'0' * 64}"),
    refused("the same one twice", x_hub_signature_256=f"sha256={GOOD}, sha256={GOOD}"),
    refused("a very long one", x_hub_signature_256="sha256=" + "0" * 50_000),
    refused(
        "SHA-1 only",
        x_hub_signature_256=None,
        x_hub_signature=f"sha1={sign(PUSH, algorithm='sha1')}",
    ),
    refused("in another provider's header", x_hub_signature_256=None, x_gitea_signature=GOOD),
    refused("a bearer instead", x_hub_signature_256=None, authorization=b"Bearer " + HOOK_SECRET),
    Row(
        name="two signature headers",
        sent=delivery(PUSH, more=(("X-Hub-Signature-256", f"sha256={GOOD}"),)),
        status=401,
        error="unauthorized",
    ),
    Row(
        name="one bit of the body changed",
        sent=delivery(PUSH)[:-1] + bytes([PUSH[-1] ^ 1]),
        status=401,
        error="unauthorized",
    ),
    *(
        Row(
            name=f"GitLab with {name}",
            sent=delivery(GITLAB, hook="gitlab", changed=changed),
            status=401,
            error="unauthorized",
        )
        for name, changed in (
            ("no token", {"x-gitlab-token": None}),
            ("an empty token", {"x-gitlab-token": ""}),
            ("a wrong token", {"x-gitlab-token": "canary"}),
            ("a token that is not ASCII", {"x-gitlab-token": b"\xc3\xbc"}),
            ("a right token and a bad signature", {"webhook-signature": "v1,x"}),
            ("a right token and no id", {"webhook-signature": f"v1,{'A' * 43}="}),
        )
    ),
    Row(
        name="Gitea's form whose field is not signed",
        sent=delivery(
            b"payload=%7B%7D",
            hook="gitea",
            changed={"content-type": FORM, "x-gitea-signature": sign(b"payload=%7B%7D")},
        ),
        status=401,
        error="unauthorized",
    ),
    Row(
        name="Gitea's form without a field",
        sent=delivery(b"a=b", hook="gitea", changed={"content-type": FORM}),
        status=401,
        error="unauthorized",
    ),
    Row(
        name="a wrong key in a header",
        sent=delivery(PUSH, hook="by-header", changed={"x-key": "canary"}),
        status=401,
        error="unauthorized",
    ),
]


def malformed(name: str, body: bytes | Mapping[str, Any], hook: str = "github") -> Row:
    return Row(
        name=f"{hook}: {name}", sent=delivery(body, hook=hook), status=400, error="malformed"
    )


def with_count(digits: str) -> bytes:
    """GitLab's payload with a count that json.dumps would not write."""
    return (
        json.dumps(GITLAB)
        .replace('"total_commits_count": 1', f'"total_commits_count": {digits}')
        .encode()
    )


BODIES = [
    malformed("nothing", b""),
    malformed("null", b"null"),
    malformed("true", b"true"),
    malformed("a number", b"1e999"),
    malformed("a list", b"[]"),
    malformed("text", b'"push"'),
    malformed("cut off", PUSH[:-1]),
    malformed("cut off within an escape", b'{"ref": "\\u12'),
    malformed("two documents", PUSH + PUSH),
    malformed("a comma at the end", b'{"ref": "refs/heads/main",}'),
    malformed("single quotes", b"{'ref': 'x'}"),
    malformed("a comment", b"/* */" + PUSH),
    malformed("NaN", PUSH.replace(b"false", b"NaN", 1)),
    malformed("a byte order mark", b"\xef\xbb\xbf" + PUSH),
    malformed("UTF-16", PUSH.decode().encode("utf-16")),
    malformed("Latin-1", PUSH.replace(b"apps", b"\xe4pps")),
    malformed("overlong UTF-8", PUSH.replace(b"apps", b"\xc0\xafpps")),
    malformed("half a surrogate", PUSH.replace(b"apps/", rb"\ud800")),
    malformed("lists 100,000 deep", b"[" * 100_000),
    malformed("objects 100,000 deep", b'{"a":' * 100_000),
    malformed("a deep field nobody reads", b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    malformed("a million objects as commits", b'{"commits":[' + b"{}," * 1_000_000 + b"{}]}"),
    malformed("control characters", PUSH.replace(b"apps", b"a\nps")),
    malformed("a field twice, the second one wrong", PUSH[:-1] + b', "ref": 5}'),
    malformed("XML", b"<push/>"),
    malformed("a count of 5000 digits", with_count(HUGE), "gitlab"),
    malformed("a form as JSON", b"payload=%7B%7D"),
    Row(
        name="a form with a JSON list in it",
        sent=delivery(b"payload=%5B%5D", changed={"content-type": FORM}),
        status=400,
        error="malformed",
    ),
    Row(
        name="a form with half an escape",
        sent=delivery(b"payload=%7", changed={"content-type": FORM}),
        status=400,
        error="malformed",
    ),
    Row(
        name="no event",
        sent=delivery(PUSH, changed={"x-github-event": None}),
        status=400,
        error="malformed",
    ),
]

OTHERS = [
    malformed("GitLab's body", GITLAB | {"repository": None}),
    malformed("the generic body", GENERIC),
    malformed("GitHub's body", github_push(), "generic"),
    malformed("the generic body", GENERIC, "gitea"),
    malformed("the generic body", {**GENERIC, "repository": URL}, "gitlab"),
]


def mistyped() -> Iterator[Row]:
    """Every field that is read, however deep, with every kind of value that it must not have."""
    wrong: dict[str, Any] = {
        "null": None, "true": True, "huge": 10**400, "float": 1e308, "text": "x",
        "list": [[]], "object": {"a": {}},
    }  # fmt: skip
    for hook, payload in PAYLOADS.items():
        for place in places(payload):
            for kind, value in wrong.items():
                if is_allowed(hook, place, kind):
                    continue
                body = replaced(payload, place, value)
                yield malformed(f"{'.'.join(map(str, place))} is {kind}", body, hook)


def places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if place:
        yield place
    keys = (
        range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
    )
    for key in keys:
        yield from places(value[key], (*place, key))


def replaced(payload: Any, place: tuple[str | int, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(payload))
    inner = copy
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return copy


OPTIONAL = {"forced", "created", "deleted", "commits", "added", "modified", "removed", "paths"}
OPTIONAL |= {"total_commits", "total_commits_count", "html_url", "clone_url"}
COUNTS = {"total_commits", "total_commits_count"}
URLS = {"html_url", "clone_url", "git_http_url"}
NOT_READ = {("gitea", "project"), ("gitea", "total_commits_count"), ("github", "id")}


def is_allowed(hook: str, place: tuple[str | int, ...], kind: str) -> bool:
    """Whether that kind of value is one the provider may send there, or nobody reads the field."""
    name = place[-1]
    if any((hook, key) in NOT_READ for key in place):
        return True
    match kind:
        case "null":
            return name in OPTIONAL
        case "true":
            return name in {"forced", "created", "deleted"}
        case "huge":
            return name in COUNTS
        case "object":
            return place[:1] == ("commits",) and len(place) == 2
        case "text":
            is_path = isinstance(name, int) and len(place) > 1 and place[-2] != "commits"
            return is_path or name in URLS or (hook, name) == ("generic", "repository")
    return False


DELIVERIES = [*SIGNATURES, *BODIES, *OTHERS, *mistyped()]
