"""A hook that asks for an OIDC token: refused before the body, or accepted with the delivery."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from router.core.routing import OidcAuth
from router.web.limits import RETRY_AFTER_SECONDS
from tests.builders import make_artifact, make_artifact_routing
from tests.core.test_oidc import ISSUER, KEYS, make
from tests.fakes.keys import FakeKeySource
from tests.providers.signing import sample
from tests.web.conftest import MakeWeb, Web

AUTH = OidcAuth(issuer=ISSUER, audience="us", email="push@acme.example")


@pytest.fixture
async def web(make_web: MakeWeb) -> Web:
    name = "europe-west3-docker.pkg.dev/acme/layers/app1"
    routing = make_artifact_routing(make_artifact("app", name, hook="gar"), auth=AUTH)
    return await make_web(routing, key_source=FakeKeySource(KEYS))


async def post(web: Web, token: str | None) -> tuple[int, str]:
    headers, body = sample("gar", "push")
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    answer = await web.public.post("/hooks/gar", headers=headers, content=body)
    return answer.status_code, answer.text


def token(web: Web, **changes: object) -> str:
    now = int(web.clock.now().timestamp())
    return make(**{"iat": now, "exp": now + 60, **changes})  # type: ignore[arg-type]


async def test_a_token_of_the_service_account_lets_a_delivery_in(web: Web) -> None:
    status, text = await post(web, token(web))
    assert status == 202, text
    assert await web.receivers() == {"app": 1}


async def test_anything_else_is_refused_and_stored_nowhere(web: Web) -> None:
    for wrong in (None, "x", token(web, aud="others"), token(web, email="else@acme.example")):
        status, text = await post(web, wrong)
        assert status == 401
        assert wrong is None or wrong not in text
    assert not await web.store.deliveries(limit=10)


async def test_a_wrong_token_is_refused_before_the_body_is_read(web: Web) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"{}")
        yield b"{}"

    headers = {"authorization": f"Bearer {token(web, aud='others')}"}
    answer = await web.public.post("/hooks/gar", headers=headers, content=body())
    assert (answer.status_code, read) == (401, [])


@pytest.mark.parametrize("source", [FakeKeySource(None), None])
async def test_without_the_issuer_s_keys_the_sender_is_asked_to_come_back(
    make_web: MakeWeb, source: FakeKeySource | None
) -> None:
    routing = make_artifact_routing(make_artifact("app", "a.example/b", hook="gar"), auth=AUTH)
    web = await make_web(routing, key_source=source)
    headers, body = sample("gar", "push")
    headers["authorization"] = f"Bearer {token(web)}"
    answer = await web.public.post("/hooks/gar", headers=headers, content=body)
    assert (answer.status_code, answer.json()["error"]) == (503, "keys_unavailable")
    assert answer.headers["retry-after"] == str(RETRY_AFTER_SECONDS)
    assert web.observer.rejected == [("gar", 503, "keys_unavailable")]
