"""How the model's values stand in rows, and back; exact both ways, for any text."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from router.core.model import Attempt, Delivery, Match, RefState, UpdateRecord
from router.core.push import RefUpdate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from router.core.model import Plan

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ENCODE = msgspec.json.Encoder().encode
_ENCODE_ANY = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
_FIELDS = (
    "ref",
    "before",
    "after",
    "forced",
    "repository",
    "status",
    "reason",
    "paths",
    "is_truncated",
    "incomplete",
)
"""Of an update, as they are kept; those that came later stand last, and old rows lack them."""
_UPDATE = attrgetter(*_FIELDS)
_REASON = attrgetter("reason")


class Row(Protocol):
    """A row of either database: its columns by name."""

    def __getitem__(self, column: str, /) -> Any: ...


MORE_PATHS = "the push named more paths than are kept with its delivery"


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC; floats would lose some of them."""
    return (instant - _EPOCH) // _MICROSECOND


def to_instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def seconds_to_micros(seconds: float) -> int:
    return timedelta(seconds=seconds) // _MICROSECOND


def to_bytes(text: str) -> bytes:
    """UTF-8 that also carries lone surrogates, which stand for bytes that are no text."""
    return text.encode("utf-8", "surrogatepass")


def to_text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogatepass")


def bytes_or_none(text: str | None) -> bytes | None:
    return None if text is None else to_bytes(text)


def text_or_none(stored: bytes | None) -> str | None:
    return None if stored is None else to_text(stored)


def to_json(value: Any) -> bytes:
    """JSON in UTF-8, with lone surrogates as to_bytes has them."""
    try:
        return _ENCODE(value)
    except UnicodeEncodeError:
        return to_bytes(_ENCODE_ANY(value))


def to_updates(updates: Sequence[UpdateRecord]) -> bytes:
    """JSON, one array for each update in the order of `_FIELDS`."""
    return to_json([_UPDATE(update) for update in updates])


def from_updates(stored: bytes) -> tuple[UpdateRecord, ...]:
    return tuple(_update(values) for values in json.loads(to_text(stored)))


def _update(values: Sequence[Any]) -> UpdateRecord:
    kept = dict(zip(_FIELDS, values, strict=False))
    kept["paths"] = tuple(kept["paths"])
    return UpdateRecord(**kept)


def is_waiting(update: UpdateRecord) -> bool:
    """Whether *update*, as it was saved, is one to be planned after a look at its Git host."""
    return update.status == "accepted" and update.repository is not None


def from_hints(position: int, updates: Sequence[UpdateRecord]) -> list[tuple[Any, ...]]:
    """The parameters of `insert_hint` for those of a delivery's updates that wait."""
    return [
        (
            position,
            ordinal,
            update.repository,
            to_bytes(update.ref),
            update.before,
            update.after,
            update.status,
            to_bytes(update.reason),
        )
        for ordinal, update in enumerate(updates)
        if is_waiting(update)
    ]


def with_hints(delivery: Delivery, closed: Mapping[int, Row]) -> Delivery:
    """The delivery with what became of its updates that waited; *closed* by their ordinals."""
    updates = list(delivery.updates)
    for ordinal, row in closed.items():
        reason = to_text(row["reason"])
        updates[ordinal] = replace(updates[ordinal], status=row["status"], reason=reason)
    return replace(delivery, updates=tuple(updates))


def to_ref_update(record: UpdateRecord) -> RefUpdate:
    """The update as its push told it, as far as that is kept."""
    missing = [record.incomplete, MORE_PATHS if record.is_truncated else None]
    return RefUpdate(
        ref=record.ref,
        before=record.before,
        after=record.after,
        forced=record.forced,
        paths=record.paths,
        incomplete="; ".join(filter(None, missing)) or None,
    )


def from_delivery(delivery: Delivery) -> tuple[Any, ...]:
    """The parameters of `insert_delivery`."""
    return (
        delivery.id,
        delivery.origin,
        delivery.hook,
        bytes_or_none(delivery.provider_delivery_id),
        delivery.body_digest,
        to_micros(delivery.received_at),
        delivery.status,
        to_bytes(delivery.reason),
        to_updates(delivery.updates),
        delivery.replay_of,
    )


def to_delivery(row: Row) -> Delivery:
    return Delivery(
        id=row["id"],
        origin=row["origin"],
        hook=row["hook"],
        provider_delivery_id=text_or_none(row["provider_delivery_id"]),
        body_digest=row["body_digest"],
        received_at=to_instant(row["received_at"]),
        status=row["status"],
        reason=to_text(row["reason"]),
        updates=from_updates(row["updates"]),
        replay_of=row["replay_of"],
    )


def to_ref_state(row: Row) -> RefState:
    """A tracked ref's state, without its tips."""
    return RefState(cursor=row["cursor"], told=row["told"], was_planned=row["sequence"] > 0)


def is_told_by_affected(matches: Iterable[Match]) -> bool:
    """Whether `to_affected` loses nothing of *matches*."""
    for match in matches:
        if match.path is not None or match.pattern is not None or not match.is_affected:
            return False
    return True


def to_affected(matches: Iterable[Match]) -> bytes:
    """JSON, the affected layers in order, as runs of [reason, [layer, ...]].

    A push of which nothing is known affects every layer for one reason, which is kept once.
    """
    affected = [match for match in matches if match.is_affected]
    runs = groupby(affected, key=_REASON)
    named = [(reason, [match.layer for match in run]) for reason, run in runs]
    return to_json(named)


def affected_match(layer: str, reason: str) -> Match:
    return Match(layer=layer, is_affected=True, reason=reason)


def from_affected(
    stored: bytes, match: Callable[[str, str], Match] = affected_match
) -> tuple[Match, ...]:
    return tuple(
        match(layer, reason) for reason, layers in json.loads(to_text(stored)) for layer in layers
    )


def from_paths(paths: Sequence[str]) -> bytes | None:
    """JSON; None for no path."""
    return to_json(paths) if paths else None


def to_paths(stored: bytes | None) -> tuple[str, ...]:
    return () if stored is None else tuple(json.loads(to_text(stored)))


def from_plan(
    position: int, generation: int, plan: Plan, ref: int | None, sequence: int | None
) -> tuple[Any, ...]:
    """The parameters of `insert_plan`."""
    return (
        position,
        generation,
        plan.repository,
        plan.knowledge,
        to_bytes(plan.reason),
        bytes_or_none(plan.ref),
        plan.commit,
        plan.before,
        plan.cursor,
        plan.told,
        plan.unmapped_count,
        plan.path_count,
        from_paths(plan.paths),
        ref,
        sequence,
        to_affected(plan.matches),
    )


def from_match(plan: int, ordinal: int, match: Match) -> tuple[Any, ...]:
    """The parameters of `insert_match`."""
    return (
        plan,
        ordinal,
        match.layer,
        match.is_affected,
        to_bytes(match.reason),
        bytes_or_none(match.path),
        bytes_or_none(match.pattern),
    )


def to_match(row: Row) -> Match:
    return Match(
        layer=row["layer"],
        is_affected=bool(row["is_affected"]),
        reason=to_text(row["reason"]),
        path=text_or_none(row["path"]),
        pattern=text_or_none(row["pattern"]),
    )


def from_attempt(receiver: int, attempt: Attempt) -> tuple[Any, ...]:
    """The parameters of `insert_attempt`."""
    return (
        receiver,
        attempt.wanted,
        to_micros(attempt.started_at),
        attempt.duration_seconds,
        attempt.outcome,
        attempt.status,
        to_bytes(attempt.detail),
        attempt.retry_after_seconds,
    )


def to_attempt(row: Row) -> Attempt:
    return Attempt(
        receiver=row["receiver"],
        wanted=row["wanted"],
        started_at=to_instant(row["started_at"]),
        duration_seconds=row["duration_seconds"],
        outcome=row["outcome"],
        status=row["status"],
        detail=to_text(row["detail"]),
        retry_after_seconds=row["retry_after_seconds"],
    )


def cluster_of(receiver: str) -> str:
    """The cluster in a receiver's key; Kubernetes names hold no slash."""
    return receiver.rsplit("/", 2)[0]
