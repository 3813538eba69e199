"""Whatever a store may be asked to save, drawn at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from router.core.errors import StaleCursor
from router.core.model import (
    Closing,
    DeliveryStatus,
    Intent,
    Match,
    Outcome,
    Plan,
    RefState,
    TrackedRef,
    UpdateRecord,
    Want,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import SearchStrategy

LAYERS = ("app1", "app2", "db")
RECEIVERS = ("prod/flux-system/app1", "prod/flux-system/app2", "staging/flux-system/app1")
REFS = tuple(
    TrackedRef(repository="fleet", url="git/fleet", ref=ref)
    for ref in ("refs/heads/a", "refs/heads/b")
)
OUTCOMES: tuple[Outcome, ...] = (
    "notified",
    "notified",
    "rejected",
    "unreachable",
    "timed_out",
    "misconfigured",
    "cancelled",
)
OWNERS = st.sampled_from(["us", "them"])
ENTRIES = ("fleet", "apps")
REF_NAMES = ("refs/heads/a", "refs/heads/\udce9")
CLOSED: tuple[DeliveryStatus, ...] = ("routed", "routed", "not_visible", "ignored")
STATUSES: tuple[DeliveryStatus, ...] = ("accepted", "accepted", "routed", "ignored")
COMMITS = st.sampled_from(["c1", "c2", "c3", "0" * 40])
TEXTS = st.text(st.characters(exclude_categories=()), max_size=5)
WANTS: SearchStrategy[tuple[Want, ...]] = st.lists(
    st.builds(
        Want,
        receiver=st.sampled_from(RECEIVERS),
        layers=st.lists(st.sampled_from(LAYERS), min_size=1, unique=True).map(tuple),
        is_held=st.booleans(),
    ),
    max_size=3,
    unique_by=lambda want: want.receiver,
).map(tuple)
MATCHES: SearchStrategy[tuple[Match, ...]] = st.lists(
    st.builds(
        Match,
        layer=st.sampled_from(LAYERS),
        is_affected=st.booleans(),
        reason=TEXTS,
        path=st.none() | TEXTS,
        pattern=st.none() | TEXTS,
    )
    | st.builds(
        Match,
        layer=st.sampled_from(LAYERS),
        is_affected=st.just(True),
        reason=st.sampled_from(["not known", "adopted"]),
    ),
    max_size=3,
).map(tuple)


UPDATES: SearchStrategy[tuple[UpdateRecord, ...]] = st.lists(
    st.builds(
        UpdateRecord,
        ref=st.sampled_from(REF_NAMES),
        before=COMMITS,
        after=COMMITS,
        forced=st.none() | st.booleans(),
        repository=st.none() | st.sampled_from(ENTRIES),
        status=st.sampled_from(STATUSES),
        reason=TEXTS,
        paths=st.lists(TEXTS, max_size=2).map(tuple),
        is_truncated=st.booleans(),
        incomplete=st.none() | TEXTS,
    ),
    max_size=3,
).map(tuple)
TIPS = st.dictionaries(st.sampled_from(REF_NAMES), COMMITS, max_size=2)


@st.composite
def intents(draw: st.DrawFn) -> Intent:
    wants, matches, reason = draw(WANTS), draw(MATCHES), draw(TEXTS)
    paths = tuple(draw(st.lists(TEXTS, max_size=2)))
    before, after, told = draw(COMMITS), draw(COMMITS), draw(COMMITS)
    planned = draw(st.sampled_from(["plan", "plan", "plan", "no ref", "nothing", "stale"]))

    def decide(state: RefState) -> Plan | None:
        if planned == "nothing":
            return None
        if planned == "stale" and state.was_planned:
            raise StaleCursor("the cursor has moved")
        return Plan(
            repository="fleet",
            knowledge="payload",
            reason=f"{reason} {state}",
            matches=matches,
            wants=wants,
            ref=None if planned == "no ref" else reason,
            commit=after,
            before=state.cursor,
            cursor=None if state.is_tip_known else after,
            told=told if state.was_planned else after,
            path_count=len(paths),
            paths=paths,
        )

    tracked = draw(st.none() | st.sampled_from(REFS))
    return Intent(decide=decide, tracked=tracked, before=before, after=after, tips=draw(TIPS))


@st.composite
def closings(draw: st.DrawFn, ids: Sequence[str]) -> Closing:
    """A closing of one of the deliveries *ids*, whether it waits or not."""
    return Closing(
        delivery=draw(st.sampled_from(ids)),
        ref=draw(st.sampled_from(REF_NAMES)),
        status=draw(st.sampled_from(CLOSED)),
        reason=draw(TEXTS),
    )
