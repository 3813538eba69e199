"""Who may use the admin API: the bearer of the token, or, without one, this machine only."""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from router.core.errors import InvalidSignature
from router.web.answers import answer_error

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from router.core.model import Secret


class AdminGuard:
    """Lets a request through only with the token, or, where there is none, from a local page.

    Without a token the listener is bound to loopback. A browser on this machine could still be led
    here by a foreign page (DNS rebinding, cross-site requests): Host and Origin tell it.
    """

    def __init__(self, app: ASGIApp, *, token: Secret | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self._check(Headers(scope=scope))
            except InvalidSignature as error:
                await answer_error(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, headers: Headers) -> None:
        if self._token is not None:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            is_right = hmac.compare_digest(given.strip().encode("latin-1"), self._token.value)
            if scheme.lower() != "bearer" or not is_right:
                raise InvalidSignature("the admin API needs the bearer token")
            return
        host, origin = headers.get("host", ""), headers.get("origin")
        if not is_local_host(f"//{host}"):
            raise InvalidSignature("without a token only this machine may ask, by a loopback name")
        if origin is not None and origin.partition("://")[2] != host:
            raise InvalidSignature("a page of another site may not ask")


def is_local_host(url: str) -> bool:
    """Whether a URL names this machine: localhost or a loopback address."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
