"""JSON answers, and how errors become statuses."""

from __future__ import annotations

import json
from math import ceil
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from router.core.errors import RouterError, SenderError, TooManyRefused, Unavailable
from router.web.limits import RETRY_AFTER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request


_ENCODE = msgspec.json.Encoder().encode


class JsonAnswer(Response):
    """JSON in UTF-8; undecodable bytes of a file name stay visible as escapes."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        try:
            return _ENCODE(content)
        except UnicodeEncodeError:
            return json.dumps(content, separators=(",", ":")).encode("ascii")


def answer_error(error: RouterError) -> JsonAnswer:
    """The status, code and sentence for an error; the errors' texts hold no secrets."""
    if isinstance(error, SenderError):
        return _error(error.status, error.code, str(error), _headers(error))
    code = error.code if isinstance(error, Unavailable) else "unavailable"
    return _error(503, code, str(error), {"Retry-After": str(RETRY_AFTER_SECONDS)})


def _headers(error: SenderError) -> dict[str, str]:
    if isinstance(error, TooManyRefused):
        return {"Retry-After": str(ceil(error.wait_seconds))}
    return {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}


async def handle_router_error(_request: Request, error: Exception) -> Response:
    """Starlette's handler for RouterError."""
    assert isinstance(error, RouterError)
    return answer_error(error)


async def handle_http_error(_request: Request, error: Exception) -> Response:
    """Starlette's handler for its own 404 and 405."""
    status = getattr(error, "status_code", 404)
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "bad_request")
    headers = getattr(error, "headers", None) or {}
    return _error(status, code, "no such resource or method", headers)


async def handle_defect(_request: Request, _error_seen: Exception) -> Response:
    """A defect of ours: the sender learns nothing of it but that it may try again."""
    return _error(500, "internal_error", "an internal error was logged", {})


def _error(status: int, code: str, detail: str, headers: Mapping[str, str]) -> JsonAnswer:
    return JsonAnswer({"error": code, "detail": detail}, status_code=status, headers=headers)
