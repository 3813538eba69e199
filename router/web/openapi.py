"""The OpenAPI document of the admin listener; tests hold real answers against it."""

from __future__ import annotations

from typing import Any, Final

from router import __version__
from router.web.limits import MAX_API_BODY_BYTES, MAX_PAGE
from router.web.schemas import COUNT, SCHEMAS, TEXT, Schema, describe, refer

_STATUSES: Final = {
    400: "The request is not as described.",
    401: "The bearer token is missing or wrong; or, without one, the request is not local.",
    404: "There is no such thing.",
    408: "The body did not arrive in time.",
    413: f"The body is over {MAX_API_BODY_BYTES} bytes.",
    503: "Nothing was done; the same request may succeed later.",
}

_POSITION: Final[Schema] = {"type": "integer", "minimum": 1}

_LIMIT: Final[Schema] = {
    "name": "limit",
    "in": "query",
    "description": f"How many to list; more than {MAX_PAGE} count as {MAX_PAGE}.",
    "schema": {**_POSITION, "default": 50},
}

_BEFORE: Final[Schema] = {
    "name": "before",
    "in": "query",
    "description": "The `next` of the page that this one follows.",
    "schema": _POSITION,
}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _error(status: int) -> Schema:
    answer: Schema = {"description": _STATUSES[status], "content": _json(refer("Error"))}
    if status == 503:
        answer["headers"] = {
            "Retry-After": {"description": "Seconds to wait.", "schema": COUNT},
        }
    return answer


def _in_path(name: str, text: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "description": text, "schema": TEXT}


def _operation(
    name: str,
    summary: str,
    *,
    answer: Schema,
    errors: tuple[int, ...],
    parameters: tuple[Schema, ...] = (),
    status: int = 200,
    **others: Any,
) -> Schema:
    answers = {str(status): {"description": "Done.", "content": answer}}
    made: Schema = {
        "operationId": name,
        "summary": summary,
        "responses": answers | {str(number): _error(number) for number in errors},
        **others,
    }
    return {**made, "parameters": list(parameters)} if parameters else made


def _open(name: str, summary: str, **given: Any) -> Schema:
    """An operation that needs no token."""
    return _operation(name, summary, security=[], **given)


_DELIVERY = _in_path("id", "A delivery's whole id.")
_LAYER = _in_path("name", "A layer of the routing file in force.")

_PATHS: Final[Schema] = {
    "/healthz": {
        "get": _open(
            "health",
            "Whether the process runs.",
            answer=_json(refer("Health")),
            errors=(),
        )
    },
    "/readyz": {
        "get": _open(
            "readiness",
            "Whether pushes can be accepted, and what is wrong with file and Git hosts.",
            answer=_json(refer("Readiness")),
            errors=(503,),
        )
    },
    "/metrics": {
        "get": _open(
            "metrics",
            "Metrics in Prometheus' text format.",
            answer={"text/plain": {"schema": TEXT}},
            errors=(503,),
        )
    },
    "/api/v1/openapi.json": {
        "get": _operation(
            "openapi",
            "This document.",
            answer=_json(describe({"type": "object"}, "An OpenAPI document.")),
            errors=(401,),
        )
    },
    "/api/v1/deliveries": {
        "get": _operation(
            "listDeliveries",
            "Deliveries, newest first.",
            parameters=(_LIMIT, _BEFORE),
            answer=_json(refer("Page")),
            errors=(400, 401, 503),
        )
    },
    "/api/v1/deliveries/{id}": {
        "get": _operation(
            "getDelivery",
            "One delivery's whole story.",
            parameters=(_DELIVERY,),
            answer=_json(refer("Story")),
            errors=(401, 404, 503),
        )
    },
    "/api/v1/deliveries/{id}/replay": {
        "post": _operation(
            "replayDelivery",
            "Want every layer that a delivery affected once more.",
            parameters=(_DELIVERY,),
            answer=_json(refer("Replayed")),
            status=202,
            errors=(401, 404, 503),
        )
    },
    "/api/v1/layers": {
        "get": _operation(
            "listLayers",
            "Every layer of the routing file in force.",
            answer=_json(refer("Layers")),
            errors=(401, 503),
        )
    },
    "/api/v1/layers/{name}": {
        "get": _operation(
            "getLayer",
            "One layer, with the newest deliveries that affected it.",
            parameters=(_LAYER,),
            answer=_json(refer("LayerStory")),
            errors=(401, 404, 503),
        )
    },
    "/api/v1/layers/{name}/notify": {
        "post": _operation(
            "notifyLayer",
            "Have a layer's receivers called once more.",
            parameters=(_LAYER,),
            answer=_json(refer("Notified")),
            status=202,
            errors=(401, 404, 503),
        )
    },
    "/api/v1/explain": {
        "post": _operation(
            "explain",
            "Which layers a delivery, or changed paths, affect under the routing file in force.",
            requestBody={"required": True, "content": _json(refer("Question"))},
            answer=_json(refer("Explained")),
            errors=(400, 401, 404, 408, 413, 503),
        )
    },
}

OPENAPI: Final[Schema] = {
    "openapi": "3.1.0",
    "info": {
        "title": "flux-router admin API",
        "version": __version__,
        "description": "Any other error has the form of `Error` too. Keys may be added.",
    },
    "servers": [{"url": "/"}],
    "security": [{"token": []}, {}],
    "paths": _PATHS,
    "components": {
        "schemas": SCHEMAS,
        "securitySchemes": {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "Needed where ROUTER_ADMIN_TOKEN_FILE is set.",
            }
        },
    },
}
"""The document, ready to be encoded."""
