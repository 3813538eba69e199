"""What the store in memory keeps of the past: deliveries, their plans, and what of them waits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from router.core.errors import StaleCursor
from router.core.model import DeliveryStory, Waiting
from router.store.rows import to_ref_update

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from router.core.model import Closing, Delivery, Observation, SavedPlan, UpdateRecord

PLANNED_OR_TO_BE = ("routed", "accepted")


@dataclass(frozen=True, kw_only=True)
class FakeStory:
    """A delivery as it stands now."""

    position: int
    delivery: Delivery
    hinted: frozenset[int]
    """The updates that had to wait to be planned, by their place in the delivery."""
    plans: tuple[SavedPlan, ...] = ()

    @property
    def is_waiting(self) -> bool:
        return any(update.status == "accepted" for _, update in self.hints())

    def hints(self) -> Iterator[tuple[int, UpdateRecord]]:
        """The updates that had to wait to be planned, and their places."""
        for ordinal in sorted(self.hinted):
            yield ordinal, self.delivery.updates[ordinal]

    def closed_by(self, repository: str, closing: Closing) -> FakeStory:
        """The story once *closing* is through; the same one where nothing waits for it."""
        updates = list(self.delivery.updates)
        concerned = [
            ordinal
            for ordinal, update in self.hints()
            if (update.repository, update.ref, update.status)
            == (repository, closing.ref, "accepted")
        ]
        if not concerned:
            return self
        for ordinal in concerned:
            closed = replace(updates[ordinal], status=closing.status, reason=closing.reason)
            updates[ordinal] = closed
        story = replace(self, delivery=replace(self.delivery, updates=tuple(updates)))
        return story if story.is_waiting else story._settled(closing)

    def _settled(self, last: Closing) -> FakeStory:
        delivery = self.delivery
        if delivery.status != "accepted":
            return self
        if any(update.status == "routed" for update in delivery.updates):
            return replace(self, delivery=replace(delivery, status="routed"))
        return replace(self, delivery=replace(delivery, status=last.status, reason=last.reason))

    def whole(self) -> DeliveryStory:
        return DeliveryStory(position=self.position, delivery=self.delivery, plans=self.plans)

    def summary(self) -> DeliveryStory:
        """The story as lists tell it."""
        return replace(self.whole(), plans=tuple(_summarize(saved) for saved in self.plans))


@dataclass(kw_only=True)
class FakeHistory:
    """Deliveries by id, in the order they were saved."""

    stories: dict[str, FakeStory] = field(default_factory=dict)
    _last_position: int = 0
    _planned: list[tuple[str, SavedPlan]] = field(default_factory=list)
    """Delivery id and plan, in the order they were planned."""

    def first(self, delivery: Delivery) -> FakeStory | None:
        """The delivery that this one repeats."""
        names = _names(delivery)
        if delivery.status not in PLANNED_OR_TO_BE or None in names:
            return None
        for story in self.stories.values():
            is_kept = story.delivery.status in PLANNED_OR_TO_BE
            if is_kept and _names(story.delivery) == names:
                return story
        return None

    def add(self, delivery: Delivery) -> None:
        self._last_position += 1
        hinted = frozenset(
            ordinal
            for ordinal, update in enumerate(delivery.updates)
            if update.status == "accepted" and update.repository is not None
        )
        self.stories[delivery.id] = FakeStory(
            position=self._last_position, delivery=delivery, hinted=hinted
        )

    def add_plans(self, delivery_id: str, plans: Sequence[SavedPlan]) -> None:
        story = self.stories[delivery_id]
        self.stories[delivery_id] = replace(story, plans=(*story.plans, *plans))
        self._planned += [(delivery_id, saved) for saved in plans]

    def after(self, observation: Observation, *, has_plans: bool) -> dict[str, FakeStory]:
        """The stories once the observation's closings are through; changes nothing."""
        stories = dict(self.stories)
        for number, closing in enumerate(observation.closings):
            before = stories.get(closing.delivery)
            after = before and before.closed_by(observation.repository, closing)
            needs_it = number == 0 and has_plans and observation.delivery is None
            if after is before and needs_it:
                raise StaleCursor(f"what waited for {observation.repository} was planned")
            if after is not None:
                stories[closing.delivery] = after
        return stories

    def waiting(self, repository: str) -> list[Waiting]:
        return [
            Waiting(
                delivery=story.delivery.id,
                received_at=story.delivery.received_at,
                update=to_ref_update(update),
                is_followed=self._is_followed(story, ordinal),
            )
            for story in self.stories.values()
            for ordinal, update in story.hints()
            if update.status == "accepted" and update.repository == repository
        ]

    def waiting_repositories(self) -> list[str]:
        updates = [each for story in self.stories.values() for _, each in story.hints()]
        return sorted({str(each.repository) for each in updates if each.status == "accepted"})

    def page(self, limit: int, before: int | None) -> list[FakeStory]:
        """Newest first, those with a position below *before*."""
        stories = self.stories.values()
        older = [story for story in stories if before is None or story.position < before]
        return older[::-1][:limit]

    def newest(self, layer: str, limit: int) -> list[FakeStory]:
        """The deliveries of the plans that affected *layer* last, newest delivery first."""
        affected = [
            delivery_id
            for delivery_id, saved in reversed(self._planned)
            if any(layer in want.layers for want in saved.plan.wants)
        ]
        chosen = list(dict.fromkeys(affected))[:limit]
        stories = [self.stories[delivery_id] for delivery_id in chosen]
        return sorted(stories, key=lambda story: story.position, reverse=True)

    def remove(self, removed: Collection[str]) -> None:
        for delivery_id in removed:
            del self.stories[delivery_id]
        self._planned = [row for row in self._planned if row[0] not in removed]

    def _is_followed(self, story: FakeStory, ordinal: int) -> bool:
        update = story.delivery.updates[ordinal]
        return any(
            (next_one.repository, next_one.ref, next_one.before)
            == (update.repository, update.ref, update.after)
            and (other.position, place) != (story.position, ordinal)
            for other in self.stories.values()
            for place, next_one in other.hints()
        )


def _names(delivery: Delivery) -> tuple[str | None, str | None, str | None]:
    return delivery.hook, delivery.provider_delivery_id, delivery.body_digest


def _summarize(saved: SavedPlan) -> SavedPlan:
    affected = [match for match in saved.plan.matches if match.is_affected]
    matches = tuple(replace(match, path=None, pattern=None) for match in affected)
    return replace(saved, plan=replace(saved.plan, matches=matches, wants=(), paths=()))
