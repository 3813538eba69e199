"""The OpenAPI document tells the truth: every endpoint, every answer, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from starlette.routing import BaseRoute, Mount, Route

from router.core.model import Problem
from router.flow.parts import Parts
from router.flow.request import Requests
from router.flow.routing import InForce
from router.web.admin import AdminApi, create_admin_app
from router.web.limits import MAX_API_BODY_BYTES
from router.web.openapi import OPENAPI
from tests.builders import make_repository, make_routing
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.store import FakeStore
from tests.web.conftest import MakeWeb, Web
from tests.web.test_admin import call_due, push

API = "/api/v1"

UNSHOWN = {("post", f"{API}/explain", "408")}
"""A body that does not arrive: tests of the public listener wait for one, with the same code."""


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): operation
        for path, methods in OPENAPI["paths"].items()
        for method, operation in methods.items()
    }


def served(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Mount):
            yield from served(list(route.routes), prefix + route.path)
        else:
            assert isinstance(route, Route)
            for method in (route.methods or set()) - {"HEAD"}:
                yield method.lower(), prefix + route.path


def tighten(schema: Any) -> Any:
    """The schema, with no key allowed that it does not name."""
    if isinstance(schema, list):
        return [tighten(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    tight = {key: tighten(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        tight["additionalProperties"] = False
    return tight


TIGHT = tighten(OPENAPI["components"])


def check(schema: dict[str, Any], value: Any) -> None:
    whole = {**tighten(schema), "components": TIGHT}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)


def check_answer(method: str, path: str, answer: httpx.Response) -> None:
    operation = operations()[(method, path)]
    assert str(answer.status_code) in operation["responses"], answer.text
    told = operation["responses"][str(answer.status_code)]
    kind = answer.headers["content-type"].partition(";")[0]
    schema = told["content"][kind]["schema"]
    check(schema, answer.json() if kind == "application/json" else answer.text)
    for name in told.get("headers", {}):
        assert name in answer.headers


class Session:
    """Asks, and holds each answer against the document."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self.seen: set[tuple[str, str, str]] = set()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        names: Mapping[str, str] | None = None,
        **given: Any,
    ) -> Any:
        """*path* is a template, to be filled with *names*."""
        url = (API + path if path not in {"/healthz", "/readyz", "/metrics"} else path) + query
        template = url.partition("?")[0]
        for name, value in (names or {}).items():
            url = url.replace(f"{{{name}}}", value)
        answer = await self._web.admin.request(method, url, **given)
        check_answer(method, template, answer)
        self.seen.add((method, template, str(answer.status_code)))
        return answer.json() if template != "/metrics" else None


def test_the_document_has_every_route_and_no_other() -> None:
    clock, routing = FakeClock(), make_routing()
    parts = Parts(
        replica="us",
        store=FakeStore(clock),
        in_force=InForce(routing),
        clock=clock,
        observer=RecordingObserver(),
        wake=lambda: None,
    )
    api = AdminApi(
        store=parts.store,
        in_force=parts.in_force,
        requests=Requests(parts),
        render_metrics=lambda _receivers: b"",
        troubles={},
        database="router.db",
    )
    app = create_admin_app(api, token=None)
    assert sorted(served(app.routes)) == sorted(operations())


def test_the_document_holds_together() -> None:
    schemas = OPENAPI["components"]["schemas"]
    references = set(json.dumps(OPENAPI).split('"#/components/schemas/')[1:])
    assert {text.partition('"')[0] for text in references} == set(schemas)
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    names = [operation["operationId"] for operation in operations().values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("place", sorted(operations()))
def test_the_parameters_of_a_path_are_those_it_has(place: tuple[str, str]) -> None:
    parameters = operations()[place].get("parameters", ())
    named = {each["name"] for each in parameters if each["in"] == "path"}
    assert {f"{{{name}}}" for name in named} == {
        part for part in place[1].split("/") if part.startswith("{")
    }


async def test_the_document_is_served(web: Web) -> None:
    assert (await web.admin.get(f"{API}/openapi.json")).json() == OPENAPI


async def test_every_answer_is_as_the_document_tells(make_web: MakeWeb) -> None:
    session = Session(web := await make_web())
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/deliveries", "/layers"):
        await session.ask("get", path)
    first = await push(web, 1)
    await call_due(web, outcome="rejected", status=500)
    second = await push(web, 2, paths=["apps/app1/a.yaml", "controllers/x.md", "docs/x"])
    web.in_force.problems = (Problem(file="router.yaml", line=1, column=1, message="oh no"),)
    await session.ask("get", "/readyz")
    await session.ask("get", "/deliveries", query="?limit=1")
    await session.ask("get", "/deliveries", query="?limit=0")
    await session.ask("get", "/layers")
    for layer in ("app1", "nope"):
        await session.ask("get", "/layers/{name}", names={"name": layer})
        await session.ask("post", "/layers/{name}/notify", names={"name": layer})
    for delivery in (first, second, "nope"):
        await session.ask("get", "/deliveries/{id}", names={"id": delivery})
        await session.ask("post", "/explain", json={"delivery": delivery})
        await session.ask("post", "/deliveries/{id}/replay", names={"id": delivery})
    await session.ask("post", "/explain", json={"repository": "fleet", "paths": ["apps/app1/x"]})
    await session.ask("post", "/explain", content=b"[")
    await session.ask("post", "/explain", content=b" " * (MAX_API_BODY_BYTES + 1))
    newest = await session.ask("get", "/deliveries", query="?limit=1")
    await session.ask("get", "/deliveries/{id}", names={"id": newest["deliveries"][0]["id"]})
    web.in_force.replace(make_routing(make_repository({"new": ["new/"]}), generation=1))
    await session.ask("get", "/deliveries/{id}", names={"id": second})
    await session.ask("post", "/explain", json={"delivery": second})
    web.in_force.replace(make_routing(generation=1))
    seen = session.seen | await refusals(await make_web(token=b"token"), "401")
    web.store.is_down = True
    seen |= await refusals(web, "503")
    documented = {
        (*place, status) for place, told in operations().items() for status in told["responses"]
    }
    assert seen | UNSHOWN == documented


async def refusals(web: Web, status: str) -> set[tuple[str, str, str]]:
    """Ask for everything that is documented to be refused so."""
    session = Session(web)
    for (method, template), operation in operations().items():
        if status in operation["responses"]:
            names = {"id": "x", "name": "app1"}
            body = {"delivery": "x"} if template.endswith("/explain") else None
            await session.ask(method, template.removeprefix(API), names=names, json=body)
    return session.seen


@pytest.mark.parametrize(
    ("question", "is_taken"),
    [
        ({"delivery": "id-1"}, True),
        ({"repository": "fleet", "paths": ["a"]}, True),
        ({"repository": "fleet", "paths": []}, False),
        ({"repository": "fleet", "paths": ["a"], "delivery": "id-1"}, False),
        ({}, False),
    ],
)
async def test_the_document_takes_the_questions_that_the_service_takes(
    web: Web, question: dict[str, Any], is_taken: bool
) -> None:
    schema = {"$ref": "#/components/schemas/Question", "components": TIGHT}
    assert Draft202012Validator(schema).is_valid(question) == is_taken
    answer = await web.admin.post(f"{API}/explain", json=question)
    assert (answer.status_code != 400) == is_taken
