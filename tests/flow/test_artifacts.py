"""Pushes of artifacts, from the registry's request to the numbers of the receivers."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass

import pytest

from router.core.errors import InvalidSignature
from router.core.model import Saved
from router.core.providers.registry import OutgoingArtifact
from router.core.providers.table import REGISTRIES
from router.core.routing import Routing
from router.flow.accept import Acceptor
from router.flow.parts import Parts
from router.flow.request import Requests
from tests.builders import SECRET, make_artifact, make_artifact_routing
from tests.flow.making import parts_of

APP = "ghcr.io/acme/app"
ONE = "sha256:" + "1" * 64
TWO = "sha256:" + "2" * 64
FILE = make_artifact_routing(
    make_artifact("app", APP),
    make_artifact("twin", APP, hook="ghcr-org"),
    make_artifact("release", APP, tag="v*"),
    make_artifact("hub", "oci://index.docker.io/Acme/App", hook="dockerhub"),
    make_artifact("stored", "oci://harbor.acme.example/acme/app", hook="harbor"),
)


@dataclass
class Journey:
    """A service over fakes, to which registries post."""

    parts: Parts
    posted: int = 0

    async def push(
        self,
        digest: str = ONE,
        *,
        artifact: str = APP,
        tag: str = "main",
        hook: str = "ghcr",
        delivery_id: str | None = None,
        path_token: bytes | None = SECRET,
    ) -> Saved:
        """The registry of *hook* tells of a push; each delivery has another id by default."""
        self.posted += 1
        provider = self.parts.in_force.current.hooks[hook].provider
        headers, body = REGISTRIES[provider].encode_artifact(
            OutgoingArtifact(artifact=artifact, tag=tag, digest=digest),
            secret=SECRET,
            delivery_id=delivery_id or f"id-{self.posted}",
            now_seconds=self.posted,
        )
        received = {name.lower(): value for name, value in headers.items()}
        token = None if path_token is None else path_token.decode()
        return await self.post(hook, received, body, token)

    async def post(
        self, hook: str, headers: dict[str, str], body: bytes, path_token: str | None = None
    ) -> Saved:
        target = self.parts.in_force.current.hooks[hook]
        return await Acceptor(self.parts).accept(target, headers, body, path_token=path_token)

    async def wanted(self) -> dict[str, int]:
        """Layer → how often it was asked for, of those that were."""
        return {
            status.receiver.rpartition("/")[2]: status.wanted
            for status in await self.parts.store.receivers()
            if status.wanted
        }


@pytest.fixture
async def journey() -> Journey:
    return await make_journey(FILE)


async def make_journey(routing: Routing) -> Journey:
    return Journey(await parts_of(routing))


async def test_a_push_wants_the_layers_that_follow_the_tag(journey: Journey) -> None:
    saved = await journey.push()
    assert await journey.wanted() == {"app": 1}
    (saved_plan,) = saved.plans
    assert (saved_plan.plan.ref, saved_plan.plan.commit) == ("main", ONE)
    assert saved.delivery.status == "routed"


async def test_the_same_digest_twice_notifies_once(journey: Journey) -> None:
    await journey.push()
    again = await journey.push()
    assert not again.is_duplicate
    assert again.delivery.status == "routed"
    assert [each.plan.reason for each in again.plans] == [
        "the tag has the digest that was planned last: nothing changed"
    ]
    assert await journey.wanted() == {"app": 1}


async def test_another_digest_notifies_again_and_so_does_the_way_back(journey: Journey) -> None:
    for digest in (ONE, TWO, ONE):
        await journey.push(digest)
    assert await journey.wanted() == {"app": 3}


async def test_a_digest_that_comes_late_hides_no_way_back_to_it(journey: Journey) -> None:
    for digest in (ONE, TWO, ONE):  # the third is the first one, sent again under another id
        await journey.push(digest)
    back = await journey.push(ONE)
    assert back.plans[0].plan.reason == "it is not certain which digest the tag had before"
    assert await journey.wanted() == {"app": 4}
    for _ in range(2):  # a new digest makes it certain
        await journey.push("sha256:" + "3" * 64)
    assert await journey.wanted() == {"app": 5}


async def test_a_redelivery_is_a_duplicate(journey: Journey) -> None:
    await journey.push(delivery_id="one")
    headers, body = REGISTRIES["ghcr"].encode_artifact(
        OutgoingArtifact(artifact=APP, tag="main", digest=ONE),
        secret=SECRET,
        delivery_id="one",
        now_seconds=99,
    )
    received = {name.lower(): value for name, value in headers.items()}
    assert (await journey.post("ghcr", received, body)).is_duplicate
    assert await journey.wanted() == {"app": 1}


async def test_without_a_digest_every_push_counts(journey: Journey) -> None:
    for number in (1, 2):
        saved = await journey.push(artifact="docker.io/acme/app", hook="dockerhub")
        assert saved.plans[0].plan.knowledge == "unknown"
        assert await journey.wanted() == {"hub": number}


async def test_each_tag_of_a_wildcard_is_compared_with_itself(journey: Journey) -> None:
    for tag in ("v1", "v2", "v1", "v2"):
        await journey.push(tag=tag)
    assert await journey.wanted() == {"release": 2}


async def test_what_one_hook_planned_is_news_to_the_layers_of_another(journey: Journey) -> None:
    await journey.push(hook="ghcr")
    await journey.push(hook="ghcr-org")
    assert await journey.wanted() == {"app": 1, "twin": 1}


@pytest.mark.parametrize(
    ("artifact", "tag", "reason"),
    [
        (APP, "dev", f"oci://{APP}: no layer follows this tag of the artifact"),
        (
            "ghcr.io/acme/other",
            "main",
            "oci://ghcr.io/acme/other: no layer of this hook follows this artifact",
        ),
    ],
)
async def test_what_nobody_follows_is_ignored_and_may_be_sent_again(
    journey: Journey, artifact: str, tag: str, reason: str
) -> None:
    for _ in range(2):
        saved = await journey.push(artifact=artifact, tag=tag, delivery_id="one")
        assert (saved.delivery.status, saved.delivery.reason) == ("ignored", reason)
        assert not saved.is_duplicate
    assert await journey.wanted() == {}


async def test_a_push_by_digest_is_ignored(journey: Journey) -> None:
    payload = {
        "type": "PUSH_ARTIFACT",
        "occur_at": 1,
        "event_data": {"resources": [{"resource_url": f"{APP}@{ONE}", "tag": ONE, "digest": ONE}]},
    }
    body = json.dumps(payload).encode()
    headers = {"content-type": "application/json"}
    saved = await journey.post("harbor", headers, body, SECRET.decode())
    assert saved.delivery.status == "ignored"
    assert await journey.wanted() == {}


async def test_a_replay_wants_the_layer_once_more_and_moves_no_cursor(journey: Journey) -> None:
    saved = await journey.push(artifact="harbor.acme.example/acme/app", hook="harbor")
    replayed = await Requests(journey.parts).replay(saved.delivery.id)
    assert replayed.gone == ()
    assert await journey.wanted() == {"stored": 2}
    assert [each.plan.commit for each in replayed.saved.plans] == [ONE]
    await journey.push(artifact="harbor.acme.example/acme/app", hook="harbor")
    assert await journey.wanted() == {"stored": 2}


async def test_a_replay_reports_a_layer_that_is_gone(journey: Journey) -> None:
    saved = await journey.push()
    left = make_artifact_routing(make_artifact("other", APP))
    journey.parts.in_force.replace(left)
    replayed = await Requests(journey.parts).replay(saved.delivery.id)
    assert replayed.gone == ("app",)
    assert replayed.saved.delivery.status == "ignored"


@pytest.mark.parametrize("token", [None, b"", b"wrong"])
@pytest.mark.parametrize("hook", ["dockerhub", "harbor"])
async def test_a_registry_that_cannot_sign_has_to_know_the_token(
    journey: Journey, hook: str, token: bytes | None
) -> None:
    with pytest.raises(InvalidSignature):
        await journey.push(artifact="docker.io/acme/app", hook=hook, path_token=token)
    assert await journey.parts.store.deliveries(limit=1) == []


async def test_a_body_signed_for_another_secret_stores_nothing(journey: Journey) -> None:
    body = b"{}"
    proof = "sha256=" + hmac.new(b"other", body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-hub-signature-256": proof}
    with pytest.raises(InvalidSignature):
        await journey.post("ghcr", headers, body)
    assert await journey.parts.store.deliveries(limit=1) == []
