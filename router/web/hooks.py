"""The public listener: what an Ingress exposes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from router.core.errors import (
    InvalidSignature,
    NotFound,
    RouterError,
    SenderError,
    TooManyRefused,
    Unavailable,
    UnsupportedMedia,
)
from router.core.oidc import bearer_token
from router.core.providers.table import SERVED
from router.core.routing import OidcAuth, PathAuth
from router.core.verify import verify_auth
from router.web.answers import (
    JsonAnswer,
    answer_error,
    handle_defect,
    handle_http_error,
    handle_router_error,
)
from router.web.body import BodyBudget, collect_body
from router.web.clients import client_address
from router.web.limits import (
    BODY_DEADLINE_SECONDS,
    MAX_ANSWER_LAYERS,
    MAX_ANSWER_UPDATES,
    MAX_BODIES_IN_FLIGHT_BYTES,
    MAX_BODY_BYTES,
    MAX_DOUBTED_BODIES_BYTES,
)
from router.web.refusals import RefusalLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from router.core.model import Saved, SavedPlan, UpdateRecord
    from router.core.routing import Hook
    from router.flow.accept import Acceptor
    from router.flow.routing import InForce
    from router.ports.observer import Observer
    from router.web.clients import Network

_TOO_MANY = "too many requests from this address were refused"


class HookEndpoint:
    """POST /hooks/{hook}[/{token}]: one delivery in, one answer out."""

    def __init__(
        self,
        *,
        acceptor: Acceptor,
        in_force: InForce,
        observer: Observer,
        refusals: RefusalLimit,
        trusted_proxies: Collection[Network],
        body_deadline_seconds: float,
    ) -> None:
        self._acceptor = acceptor
        self._in_force = in_force
        self._observer = observer
        self._refusals = refusals
        self._trusted_proxies = trusted_proxies
        self._body_deadline_seconds = body_deadline_seconds
        self._budget = BodyBudget(MAX_BODIES_IN_FLIGHT_BYTES)
        self._doubted_budget = BodyBudget(MAX_DOUBTED_BODIES_BYTES, within=self._budget)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI app: what Starlette puts around a function would cost as much as a signature."""
        answer = await self._answer(scope, receive)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        hook = self._in_force.current.hooks.get(scope["path_params"]["hook"])
        headers = join_headers(scope["headers"])
        client = self._client(scope, headers)
        try:
            token = scope["path_params"].get("token")
            return answer_saved(await self._accept(hook, token, receive, headers, client))
        except RouterError as error:
            if isinstance(error, InvalidSignature):
                self._refusals.charge(client)
            answer = answer_error(error)
            code = error.code if isinstance(error, SenderError | Unavailable) else "unavailable"
            self._observer.delivery_rejected(
                hook=hook.name if hook else "unknown",
                status=answer.status_code,
                code=code,
                client=client,
            )
            return answer

    def _client(self, scope: Scope, headers: Mapping[str, str]) -> str:
        peer = scope.get("client")
        forwarded_for = headers.get("x-forwarded-for", "")
        return client_address(peer[0] if peer else "", forwarded_for, trusted=self._trusted_proxies)

    async def _accept(
        self,
        hook: Hook | None,
        token: str | None,
        receive: Receive,
        headers: Mapping[str, str],
        client: str,
    ) -> Saved:
        if hook is None:
            raise NotFound("no such hook")
        wait_seconds = self._refusals.wait_seconds(client)
        try:
            check_before_body(hook, headers, token)
            await self._acceptor.verify_identity(hook, headers)
        except InvalidSignature:
            if wait_seconds:
                raise TooManyRefused(_TOO_MANY, wait_seconds=wait_seconds) from None
            raise
        budget = self._doubted_budget if wait_seconds else self._budget
        with budget.reserve() as reservation:
            body = await collect_body(
                receive,
                reservation,
                content_length=headers.get("content-length"),
                limit_bytes=MAX_BODY_BYTES,
                deadline_seconds=self._body_deadline_seconds,
            )
            return await self._acceptor.accept(hook, headers, body, path_token=token)


def join_headers(raw: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Headers by lower-case name; repeated ones joined, so that a doubled signature fails."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def check_before_body(hook: Hook, headers: Mapping[str, str], path_token: str | None) -> None:
    """Refuse what can be refused without reading the body: no credentials, or a packed body."""
    if path_token is not None and not isinstance(hook.auth, PathAuth):
        raise NotFound("no such hook")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("a Content-Encoding is not accepted")
    if isinstance(hook.auth, OidcAuth):
        bearer_token(headers)
    elif hook.auth is not None:
        verify_auth(hook.auth, headers, path_token)
    elif not SERVED[hook.provider].is_signed(headers):
        raise InvalidSignature("no header holds a signature as this provider writes it")


def answer_saved(saved: Saved) -> JsonAnswer:
    """202 with what each update leads to, or 200 when nothing in the delivery concerns us."""
    delivery = saved.delivery
    if delivery.status == "ignored":
        return JsonAnswer({"status": "ignored", "reason": delivery.reason})
    planned = {(item.plan.repository, item.plan.ref) for item in saved.plans}
    rest = [
        record
        for record in delivery.updates
        if not {(record.repository, record.ref), (record.repository, None)} & planned
    ]
    plans, layers_left = saved.plans[:MAX_ANSWER_UPDATES], MAX_ANSWER_LAYERS
    updates = [_unplanned(record) for record in rest[: MAX_ANSWER_UPDATES - len(plans)]]
    for item in plans:
        updates.append(_planned(item, layers_left))
        layers_left -= len(updates[-1]["layers"])
    content = {"delivery": delivery.id, "duplicate": saved.is_duplicate, "updates": updates}
    left_out = len(rest) + len(saved.plans) - len(updates)
    if left_out:
        content["updatesLeftOut"] = left_out
    return JsonAnswer(content, status_code=202)


def _planned(item: SavedPlan, most_layers: int) -> dict[str, Any]:
    plan = item.plan
    affected = [match for match in plan.matches if match.is_affected]
    update: dict[str, Any] = {
        "repository": plan.repository,
        "ref": plan.ref,
        "commit": plan.commit,
        "status": "routed",
        "reason": plan.reason,
        "layers": [
            {"name": match.layer, "reason": match.reason} for match in affected[:most_layers]
        ],
    }
    if len(affected) > most_layers:
        update["layersLeftOut"] = len(affected) - most_layers
    return update


def _unplanned(record: UpdateRecord) -> dict[str, Any]:
    """An update that concerns no layer, or that is planned later or with another one."""
    return {
        "repository": record.repository,
        "ref": record.ref,
        "commit": record.after or None,
        "status": record.status,
        "reason": record.reason,
        "layers": [],
    }


async def healthz(_request: Request) -> Response:
    """200 while the process runs."""
    return JsonAnswer({"status": "ok"})


def create_public_app(
    *,
    acceptor: Acceptor,
    in_force: InForce,
    observer: Observer,
    monotonic: Callable[[], float],
    trusted_proxies: Collection[Network] = (),
    body_deadline_seconds: float = BODY_DEADLINE_SECONDS,
) -> Starlette:
    """The ASGI app of the public listener."""
    endpoint = HookEndpoint(
        acceptor=acceptor,
        in_force=in_force,
        observer=observer,
        refusals=RefusalLimit(monotonic),
        trusted_proxies=trusted_proxies,
        body_deadline_seconds=body_deadline_seconds,
    )
    app = Starlette(
        routes=[
            Route("/hooks/{hook}", endpoint, methods=["POST"]),
            Route("/hooks/{hook}/{token}", endpoint, methods=["POST"]),
            Route("/healthz", healthz, methods=["GET"]),
        ],
        exception_handlers={
            RouterError: handle_router_error,
            HTTPException: handle_http_error,
            Exception: handle_defect,
        },
    )
    app.router.redirect_slashes = False  # a redirected webhook is a lost one
    return app
