"""The shapes of the admin API's JSON, as JSON Schema for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final, TypeAlias, get_args

from router.core.model import DeliveryStatus, Knowledge, Origin, Outcome, ReceiverState

Schema: TypeAlias = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
INSTANT_OR_NULL: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
FLAG: Final[Schema] = {"type": "boolean"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
NUMBER_OR_NULL: Final[Schema] = {"type": ["integer", "null"]}
TEXTS: Final[Schema] = {"type": "array", "items": TEXT}


def refer(name: str) -> Schema:
    """A reference to one of SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}


def describe(schema: Schema, text: str) -> Schema:
    """*schema* with a sentence on what it means here."""
    return {**schema, "description": text}


def list_of(name: str) -> Schema:
    return {"type": "array", "items": refer(name)}


def _object(**properties: Schema) -> Schema:
    """An object that always has all of these keys; later versions may add others."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def _with(base: Schema, **properties: Schema) -> Schema:
    return _object(**{**base["properties"], **properties})


def _or_null(name: str) -> Schema:
    return {"anyOf": [refer(name), {"type": "null"}]}


def _one_of(words: Any) -> Schema:
    return {"type": "string", "enum": list(get_args(words))}


_UPDATE = _object(
    repository=describe(TEXT_OR_NULL, "The entry that tracks the ref; null when none did."),
    ref=describe(TEXT, "The ref, or the tag of an artifact."),
    before=describe(TEXT_OR_NULL, "Null where it is not told, as of an artifact."),
    after=describe(TEXT_OR_NULL, "The commit, or the artifact's digest; null where not told."),
    forced=describe({"type": ["boolean", "null"]}, "Null where the provider does not say."),
    status=_one_of(DeliveryStatus),
    reason=describe(TEXT, "Empty when a plan tells."),
    pathCount=describe(COUNT, "Paths that the push named, as many as are kept."),
    truncated=describe(FLAG, "The push named more paths than are kept."),
)

_PLAN = _object(
    repository=describe(TEXT, "The entry it is about, or the oci:// artifact."),
    ref=describe(TEXT_OR_NULL, "The ref, or the tag of an artifact."),
    sequence=describe(NUMBER_OR_NULL, "Null for a plan that no ref asked for."),
    before=describe(TEXT_OR_NULL, "The cursor: the commit it was compared with."),
    commit=describe(TEXT_OR_NULL, "The commit, or the artifact's digest."),
    knowledge=_one_of(Knowledge),
    reason=describe(TEXT, "How the changed paths are known, or why they are not."),
    pathCount=COUNT,
    unmappedCount=describe(COUNT, "Changed paths that no layer owns."),
    layers=describe(TEXTS, "The layers it affects."),
)

_MATCH = _object(
    layer=TEXT,
    affected=FLAG,
    reason=TEXT,
    path=describe(TEXT_OR_NULL, "The path that decided, where one did."),
    pattern=describe(TEXT_OR_NULL, "The pattern that decided, where one did."),
)

_SUMMARY = _object(
    id=TEXT,
    origin=_one_of(Origin),
    hook=describe(TEXT_OR_NULL, "The hook that verified it; null unless it was a webhook."),
    receivedAt=INSTANT,
    status=_one_of(DeliveryStatus),
    reason=TEXT,
    providerDeliveryId=TEXT_OR_NULL,
    replayOf=TEXT_OR_NULL,
    updates=list_of("Update"),
    plans=list_of("Plan"),
)

_RECEIVER = _object(
    receiver=describe(TEXT, "cluster/namespace/name"),
    state=_one_of(ReceiverState),
    wanted=COUNT,
    notified=COUNT,
    failures=describe(COUNT, "Failed calls in a row."),
    dueAt=describe(INSTANT_OR_NULL, "When it is called next; null unless it waits."),
    lastAttempt=_or_null("Attempt"),
)

_LAYER = _object(
    name=TEXT,
    repository=describe(TEXT, "The entry it belongs to, or the oci:// artifact it follows."),
    paths=TEXTS,
    tag=describe(TEXT_OR_NULL, "The tags it follows of an artifact; null for a layer of paths."),
    dependsOn=TEXTS,
    suspended=FLAG,
    receivers=list_of("LayerReceiver"),
)

SCHEMAS: Final[dict[str, Schema]] = {
    "Error": _object(
        error=describe(TEXT, "A code for programs."),
        detail=describe(TEXT, "A sentence for people; never holds a secret."),
    ),
    "Update": _UPDATE,
    "WholeUpdate": _with(
        _UPDATE,
        paths=TEXTS,
        incomplete=describe(TEXT_OR_NULL, "Why the lists of paths do not prove what changed."),
    ),
    "Match": _MATCH,
    "Plan": _PLAN,
    "WholePlan": _with(
        _PLAN,
        matches=describe(
            list_of("Match"),
            "Layers that are affected, or that an exclusion kept out; others own no changed path.",
        ),
        unmatched=describe(TEXTS, "The layers that the entry has now and that have no match."),
        wants={
            "type": "array",
            "items": _object(
                receiver=TEXT,
                layers=TEXTS,
                held=describe(FLAG, "All of these layers were suspended: nothing is called."),
            ),
        },
        paths=describe(TEXTS, "Git mode: the changed paths, as many as are kept."),
    ),
    "Summary": _SUMMARY,
    "Story": _with(
        _SUMMARY,
        bodyDigest=describe(TEXT_OR_NULL, "SHA-256 of the body, hex."),
        updates=list_of("WholeUpdate"),
        plans=list_of("WholePlan"),
        attempts=describe(list_of("Attempt"), "The calls that served it."),
        receivers=describe(list_of("Receiver"), "Those that it wanted, as they stand now."),
    ),
    "Page": _object(
        deliveries=list_of("Summary"),
        next=describe(
            NUMBER_OR_NULL, "What to pass as `before` for the page that follows; null at the end."
        ),
    ),
    "Attempt": _object(
        receiver=TEXT,
        wanted=COUNT,
        startedAt=INSTANT,
        durationMs={"type": "number", "minimum": 0},
        outcome=_one_of(Outcome),
        status=describe(NUMBER_OR_NULL, "The HTTP status; null when there was no answer."),
        detail=TEXT,
    ),
    "Receiver": _RECEIVER,
    "LayerReceiver": _with(
        _RECEIVER, suspended=describe(FLAG, "The layer, or the cluster, is suspended.")
    ),
    "Layer": _LAYER,
    "LayerStory": _with(
        _LAYER,
        deliveries=describe(list_of("Summary"), "The newest that affected it."),
    ),
    "Layers": _object(layers=list_of("Layer")),
    "Replayed": _object(
        delivery=describe(TEXT, "The id of the replay, a delivery of its own."),
        layers=TEXTS,
        gone=describe(TEXTS, "Layers that are not in the routing file any more."),
    ),
    "Notified": _object(
        delivery=describe(TEXT, "The id of the request, a delivery of its own."),
        receivers=TEXTS,
    ),
    "Question": {
        "oneOf": [
            {**_object(delivery=TEXT), "additionalProperties": False},
            {
                **_object(
                    repository=describe(TEXT, "The name of an entry of the routing file."),
                    paths={**TEXTS, "minItems": 1},
                ),
                "additionalProperties": False,
            },
        ]
    },
    "Verdict": _with(
        _MATCH,
        receivers=TEXTS,
        then=describe(
            _or_null("Match"), "What was decided when it was planned; null where nothing was."
        ),
        differs=describe(FLAG, "Affected then and not now, or the other way round."),
    ),
    "Explanation": _object(
        repository=TEXT_OR_NULL,
        ref=TEXT_OR_NULL,
        before=TEXT_OR_NULL,
        after=TEXT_OR_NULL,
        known=describe(FLAG, "All changed paths are known and kept."),
        reason=TEXT,
        pathCount=COUNT,
        unmappedCount=COUNT,
        unmapped=describe(TEXTS, "Some of the changed paths that no layer owns."),
        layers=list_of("Verdict"),
        gone=describe(TEXTS, "Layers that were affected then and that the entry has no more."),
        differs=FLAG,
    ),
    "Explained": _object(
        generation=describe(COUNT, "The number of the routing file in force."),
        delivery=TEXT_OR_NULL,
        explanations=list_of("Explanation"),
    ),
    "Health": _object(status={"const": "ok"}),
    "Readiness": _object(
        status={"const": "ok"},
        generation=COUNT,
        routingIsCurrent=describe(FLAG, "Whether the file on disk is the one in force."),
        problems=describe(TEXTS, "Why it is not."),
        unreadableRepositories=describe(
            {"type": "object", "additionalProperties": TEXT},
            "Git mode: entries whose Git host cannot be read, and why.",
        ),
        database=describe(TEXT, "Where the state is kept, without a password."),
    ),
}
"""Every shape, by the name that others refer to it with."""
