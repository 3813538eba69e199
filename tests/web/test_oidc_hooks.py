"""A hook that asks for an OIDC token: refused before the body, or accepted with the delivery."""

from __future__ import annotations

import pytest

from router.core.routing import OidcAuth
from tests.builders import make_artifact, make_artifact_routing
from tests.core.test_oidc import ISSUER, KEYS, make
from tests.flow.test_identities import FakeKeySource
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


async def test_without_the_issuer_s_keys_the_sender_is_asked_to_come_back(
    make_web: MakeWeb,
) -> None:
    routing = make_artifact_routing(make_artifact("app", "a.example/b", hook="gar"), auth=AUTH)
    web = await make_web(routing, key_source=FakeKeySource(None))
    status, text = await post(web, token(web))
    assert (status, "keys_unavailable" in text) == (503, True)
