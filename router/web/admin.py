"""The admin listener: metrics, readiness, and the API of the operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Mount, Route

from router.core.errors import MalformedPayload, NotFound, RouterError, RoutingUnusable
from router.flow.explain import explain_delivery, explain_paths
from router.web.answers import JsonAnswer, handle_defect, handle_http_error, handle_router_error
from router.web.body import BodyBudget, collect_body
from router.web.guard import AdminGuard
from router.web.hooks import healthz
from router.web.limits import BODY_DEADLINE_SECONDS, MAX_API_BODY_BYTES, MAX_PAGE
from router.web.openapi import OPENAPI
from router.web.question import parse_question
from router.web.views import (
    view_explanations,
    view_layer,
    view_page,
    view_story,
    view_summary,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request

    from router.core.model import ReceiverStatus, Secret
    from router.flow.request import Requests
    from router.flow.routing import InForce
    from router.ports.store import Store

MAX_API_BODIES_IN_FLIGHT_BYTES = 16 * MAX_API_BODY_BYTES
"""Bytes of all bodies that the admin API holds at once; over it the answer is 503."""


class AdminApi:
    """The endpoints under /api/v1, /metrics and /readyz."""

    def __init__(
        self,
        *,
        store: Store,
        in_force: InForce,
        requests: Requests,
        render_metrics: Callable[[Sequence[ReceiverStatus]], bytes],
        troubles: Mapping[str, str],
        database: str,
    ) -> None:
        """*database* tells where the state is kept, without a password."""
        self._store = store
        self._in_force = in_force
        self._requests = requests
        self._render_metrics = render_metrics
        self._troubles = troubles
        """Entries whose Git host cannot be read, and why; kept up to date by others."""
        self._database = database
        self._budget = BodyBudget(MAX_API_BODIES_IN_FLIGHT_BYTES)

    async def metrics(self, _request: Request) -> Response:
        """Prometheus' text format."""
        text = self._render_metrics(await self._store.receivers())
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def readyz(self, _request: Request) -> Response:
        """200 when pushes can be accepted: a routing file is in force and the store answers.

        A file on disk that does not load is told in the detail; the last good one serves on. So are
        the Git hosts that cannot be read: pushes are accepted, and planned by what they tell. 503
        also when the routing file of another replica is in force and cannot be used here.
        """
        await self._store.check()
        problems = [str(problem) for problem in self._in_force.problems]
        if self._in_force.is_behind:
            raise RoutingUnusable("; ".join(problems))
        return JsonAnswer(
            {
                "status": "ok",
                "generation": self._in_force.current.generation,
                "routingIsCurrent": not problems,
                "problems": problems,
                "unreadableRepositories": dict(self._troubles),
                "database": self._database,
            }
        )

    async def deliveries(self, request: Request) -> Response:
        """Deliveries, newest first; `limit` and `before` page through them."""
        limit = min(_number(request, "limit", default=50), MAX_PAGE)
        before = _number(request, "before", default=0) or None
        stories = await self._store.deliveries(limit=limit, before=before)
        return JsonAnswer(view_page(stories, limit=limit))

    async def delivery(self, request: Request) -> Response:
        """One delivery's whole story."""
        story = await self._store.delivery(request.path_params["id"])
        if story is None:
            raise NotFound("no such delivery")
        return JsonAnswer(view_story(self._in_force.current, story, await self._statuses()))

    async def layers(self, _request: Request) -> Response:
        """Every layer of the routing file in force."""
        routing, statuses = self._in_force.current, await self._statuses()
        return JsonAnswer(
            {"layers": [view_layer(routing, layer, statuses) for layer in routing.layers.values()]}
        )

    async def layer(self, request: Request) -> Response:
        """One layer, with the newest deliveries that affected it."""
        routing, name = self._in_force.current, request.path_params["name"]
        if name not in routing.layers:
            raise NotFound(f"no layer {name!r} in the routing file")
        recent = await self._store.layer_deliveries(name, limit=20)
        return JsonAnswer(
            {
                **view_layer(routing, routing.layers[name], await self._statuses()),
                "deliveries": [view_summary(story) for story in recent],
            }
        )

    async def replay(self, request: Request) -> Response:
        """Want every layer that a delivery affected once more."""
        replayed = await self._requests.replay(request.path_params["id"])
        layers = [match.layer for item in replayed.saved.plans for match in item.plan.matches]
        return JsonAnswer(
            {
                "delivery": replayed.saved.delivery.id,
                "layers": list(dict.fromkeys(layers)),
                "gone": list(replayed.gone),
            },
            status_code=202,
        )

    async def notify(self, request: Request) -> Response:
        """Have one layer's receivers called once more."""
        saved = await self._requests.notify(request.path_params["name"])
        receivers = [want.receiver for item in saved.plans for want in item.plan.wants]
        return JsonAnswer({"delivery": saved.delivery.id, "receivers": receivers}, status_code=202)

    async def explain(self, request: Request) -> Response:
        """What a delivery's changed paths, or given ones, affect by the routing file in force."""
        asked = parse_question(await self._read(request))
        routing = self._in_force.current
        if isinstance(asked, str):
            story = await self._store.delivery(asked)
            if story is None:
                raise NotFound("no such delivery")
            explanations = await explain_delivery(routing, story)
            return JsonAnswer(view_explanations(routing, explanations, delivery=asked))
        entry = routing.entry(asked.repository)
        if entry is None:
            raise NotFound("no such repository in the routing file")
        told = await explain_paths(entry, asked.paths)
        return JsonAnswer(view_explanations(routing, [told], delivery=None))

    async def openapi(self, _request: Request) -> Response:
        """What this listener answers, as an OpenAPI document."""
        return JsonAnswer(OPENAPI)

    async def _read(self, request: Request) -> bytes:
        with self._budget.reserve() as reservation:
            body = await collect_body(
                request.receive,
                reservation,
                content_length=request.headers.get("content-length"),
                limit_bytes=MAX_API_BODY_BYTES,
                deadline_seconds=BODY_DEADLINE_SECONDS,
            )
            return bytes(body)

    async def _statuses(self) -> dict[str, ReceiverStatus]:
        return {status.receiver: status for status in await self._store.receivers()}


def _number(request: Request, name: str, *, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and int(text[:19]) > 0 and len(text) < 19):
        raise MalformedPayload(f"{name} must be a whole number from 1")
    return int(text)


def create_admin_app(api: AdminApi, *, token: Secret | None) -> Starlette:
    """The ASGI app of the admin listener; *token* guards everything under /api."""
    routes = [
        Route("/openapi.json", api.openapi, methods=["GET"]),
        Route("/explain", api.explain, methods=["POST"]),
        Route("/deliveries", api.deliveries, methods=["GET"]),
        Route("/deliveries/{id}", api.delivery, methods=["GET"]),
        Route("/deliveries/{id}/replay", api.replay, methods=["POST"]),
        Route("/layers", api.layers, methods=["GET"]),
        Route("/layers/{name}", api.layer, methods=["GET"]),
        Route("/layers/{name}/notify", api.notify, methods=["POST"]),
    ]
    app = Starlette(
        routes=[
            Route("/healthz", healthz, methods=["GET"]),
            Route("/readyz", api.readyz, methods=["GET"]),
            Route("/metrics", api.metrics, methods=["GET"]),
            Mount("/api/v1", routes=routes, middleware=[Middleware(AdminGuard, token=token)]),
        ],
        exception_handlers={
            RouterError: handle_router_error,
            HTTPException: handle_http_error,
            Exception: handle_defect,
        },
    )
    app.router.redirect_slashes = False
    return app
