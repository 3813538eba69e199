"""Whether a history keeps the promises. Pure: a history in, a verdict out.

The counts, exactly:

covered
    Pushes answered 202 of which each receiver, of each layer that the answer named, was called
    successfully for them: a call that was answered 200 while the caller was still there, and that
    either names the push's delivery (a delivery can be named only after it was saved), or started
    after the 202 had come and names a delivery whose push was sent after it, too. The latter serves
    a higher wanted number, claimed after the push was saved; calls name only the newest thousand
    askers. A push that was sent again counts as the delivery that the answer names.
covered by a later call
    Those of them that only the second rule covers, for at least one receiver.
missing
    Pairs of such a push and a receiver that no call covers. None may be.
lost
    Deliveries of a 202 that the router knows nothing of at the end, whoever was called. None may
    be.
misrouted
    Answers of 202 that name other layers than those which the push changed, and not all layers of
    the repository either. None may be.
overlaps
    Pairs of calls of one receiver of which the later one started before the earlier one was over:
    answered, cut by the receiver, or given up by the router, which is when its connection ended.
    None may be, but the next ones.
overlaps, orphaned
    The same, where the earlier call was under way when the router was killed; it counts as under
    way until the receiver is done with it, although its connection ended with the process.
needless
    Successful calls that name no delivery which no earlier successful call of that receiver had
    named; plus deliveries named to a receiver that none of their layers has; plus calls of
    paths that no receiver has; plus ids that calls name beyond those which answers, pushes
    without a 202 (they may have been saved) and adoptions account for. None may be.
repeated, explained
    Calls that would be needless by the first of these rules, but the 200 before them came when the
    router could not keep it: between this 200 and RECORD_SECONDS after it a kill or an outage of
    the store began or lasted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from bench.soak.history import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.soak.history import Call, History, Push, Window

RECORD_SECONDS = 5.0
"""From an answer to its record on disk; far longer than it takes, also on a busy machine."""

MAX_EXAMPLES = 5
"""Sentences told for each kind of broken promise."""


def judge(history: History) -> Verdict:
    """Hold *history* against the promises."""
    calls = _by_receiver(history.calls)
    counts: Counter[str] = Counter()
    findings = [
        *_judge_coverage(history.pushes, calls, counts),
        *_judge_losses(history, counts),
        *_judge_routes(history.pushes, counts),
        *_judge_overlaps(calls, history.kills, counts),
        *_judge_repeats(calls, history, counts),
        *_judge_names(history, counts),
    ]
    if not history.is_idle:
        findings.append(("idle", "receivers were still due when the time to drain was over"))
    return Verdict(counts=dict(counts), broken=tuple(_shortened(findings)))


def _by_receiver(calls: Sequence[Call]) -> Mapping[str, Sequence[Call]]:
    found: defaultdict[str, list[Call]] = defaultdict(list)
    for call in sorted(calls, key=lambda call: call.started_at):
        found[call.receiver].append(call)
    return found


def _accepted(pushes: Sequence[Push]) -> Sequence[Push]:
    return [push for push in pushes if push.status == 202]


def _judge_coverage(
    pushes: Sequence[Push], calls: Mapping[str, Sequence[Call]], counts: Counter[str]
) -> Iterator[tuple[str, str]]:
    sent_at: dict[str, float] = {}
    for push in _accepted(pushes):
        if push.delivery is not None:
            earliest = min(push.sent_at, sent_at.get(push.delivery, push.sent_at))
            sent_at[push.delivery] = earliest
    served = {
        receiver: [call for call in mine if call.is_success] for receiver, mine in calls.items()
    }
    for push in _accepted(pushes):
        ways = {
            receiver: _coverage(push, served.get(receiver, []), sent_at)
            for receiver in push.receivers
        }
        missing = sorted(receiver for receiver, way in ways.items() if way is None)
        counts["missing"] += len(missing)
        counts["covered"] += not missing
        counts["covered by a later call"] += not missing and "later" in ways.values()
        for receiver in missing:
            yield "missing", f"push {push.id} ({push.delivery}) never reached {receiver}"


def _coverage(push: Push, served: Sequence[Call], sent_at: Mapping[str, float]) -> str | None:
    """How one of the receiver's successful calls covers *push*; None if none does."""
    if any(push.delivery in call.deliveries for call in served):
        return "named"
    answered_at = push.answered_at
    assert answered_at is not None
    for call in served:
        newest = max((sent_at.get(name, 0.0) for name in call.deliveries), default=0.0)
        if call.started_at > answered_at and newest > answered_at:
            return "later"
    return None


def _judge_losses(history: History, counts: Counter[str]) -> Iterator[tuple[str, str]]:
    for name in sorted(history.lost):
        counts["lost"] += 1
        yield "lost", f"delivery {name} was answered 202 and is gone"


def _judge_routes(pushes: Sequence[Push], counts: Counter[str]) -> Iterator[tuple[str, str]]:
    for push in _accepted(pushes):
        if push.layers not in (push.changed, push.every):
            counts["misrouted"] += 1
            named, changed = sorted(push.layers), sorted(push.changed)
            yield "misrouted", f"push {push.id} changed {changed} and was routed to {named}"


def _judge_overlaps(
    calls: Mapping[str, Sequence[Call]], kills: Sequence[Window], counts: Counter[str]
) -> Iterator[tuple[str, str]]:
    for receiver, mine in calls.items():
        for number, call in enumerate(mine):
            is_orphan = any(_is_orphaned(call, kill) for kill in kills)
            until = call.worked_until if is_orphan else call.closed_at
            for later in mine[number + 1 :]:
                if later.started_at >= until:
                    continue
                if is_orphan:
                    counts["overlaps, orphaned"] += 1
                    continue
                counts["overlaps"] += 1
                early = until - later.started_at
                yield "overlaps", f"{receiver} was called {early:.3f} s before a call had ended"


def _is_orphaned(call: Call, kill: Window) -> bool:
    """Whether the process was killed while it waited for this call's answer."""
    return (
        call.answered_at is None
        and call.started_at <= kill.ended_at
        and call.closed_at >= kill.began_at
    )


def _judge_repeats(
    calls: Mapping[str, Sequence[Call]], history: History, counts: Counter[str]
) -> Iterator[tuple[str, str]]:
    excuses = [*history.kills, *history.outages]
    for receiver, mine in calls.items():
        served: set[str] = set()
        before: Call | None = None
        for call in (call for call in mine if call.is_success):
            if call.deliveries <= served:
                if before is not None and _may_be_unrecorded(before, excuses):
                    counts["repeated, explained"] += 1
                else:
                    counts["needless"] += 1
                    yield "needless", f"{receiver} was called again for {sorted(call.deliveries)}"
            served |= call.deliveries
            before = call


def _may_be_unrecorded(call: Call, excuses: Sequence[Window]) -> bool:
    answered_at = call.answered_at
    assert answered_at is not None
    return any(window.meets(answered_at, answered_at + RECORD_SECONDS) for window in excuses)


def _judge_names(history: History, counts: Counter[str]) -> Iterator[tuple[str, str]]:
    wanted = {push.delivery: push.receivers for push in _accepted(history.pushes)}
    unknown: set[str] = set()
    for call in history.calls:
        for name in call.deliveries:
            if name not in wanted:
                unknown.add(name)
            elif call.receiver not in wanted[name]:
                counts["needless"] += 1
                yield "needless", f"{call.receiver} was called for {name}, which is not its own"
    unanswered = {push.id for push in history.pushes} - {
        push.id for push in _accepted(history.pushes)
    }
    excess = len(unknown) - len(unanswered) - history.adoptions
    if excess > 0:
        counts["needless"] += excess
        yield "needless", f"calls named {excess} deliveries that nothing accounts for"
    if history.strangers:
        counts["needless"] += history.strangers
        yield "needless", f"{history.strangers} calls of paths that no receiver has"


def _shortened(findings: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The first sentences of each kind, and how many more there are."""
    kinds = Counter(kind for kind, _ in findings)
    told: Counter[str] = Counter()
    for kind, sentence in findings:
        told[kind] += 1
        if told[kind] <= MAX_EXAMPLES:
            yield f"{kind}: {sentence}"
    for kind, count in kinds.items():
        if count > MAX_EXAMPLES:
            yield f"{kind}: and {count - MAX_EXAMPLES} more"
