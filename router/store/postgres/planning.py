"""Writing plans: their matches, the wanted numbers they raise, and who asked for them.

All plans of a transaction are written together: a statement for each table, whatever their number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from router.core.model import SavedPlan
from router.store.postgres.statements import SQL, columns, write_rows
from router.store.rows import cluster_of, from_match, from_plan, is_told_by_affected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.model import Plan, Want
    from router.store.postgres.ledger import Decision
    from router.store.postgres.statements import Connection


@dataclass(slots=True)
class _Raised:
    """How often a receiver is wanted in this transaction."""

    count: int = 0
    last_open: int = 0
    """The last of these wants that may be called; 0 when none may."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A want, as the so-manieth of its receiver in this transaction."""

    plan: int
    first_ordinal: int
    nth: int
    want: Want


@dataclass(slots=True, kw_only=True)
class PlanRows:
    """The rows of all plans of a transaction, gathered before any is written."""

    generation: int
    now: int
    plans: list[tuple[Any, ...]] = field(default_factory=list)
    matches: list[tuple[Any, ...]] = field(default_factory=list)
    raised: dict[str, _Raised] = field(default_factory=dict)
    asked: list[_Asked] = field(default_factory=list)

    def add(
        self, position: int, decisions: Sequence[Decision], ids: list[int]
    ) -> tuple[SavedPlan, ...]:
        """Take in a delivery's plans; their ids are taken from the front of *ids*, in order."""
        for plan, ref, sequence in decisions:
            plan_id = ids.pop(0)
            row = from_plan(position, self.generation, plan, ref, sequence)
            self.plans.append((plan_id, *row))
            self._add_matches(plan_id, plan)
            self._add_wants(plan_id, plan.wants)
        return tuple(SavedPlan(plan=plan, sequence=number) for plan, _ref, number in decisions)

    def _add_matches(self, plan_id: int, plan: Plan) -> None:
        if not is_told_by_affected(plan.matches):
            matches = enumerate(plan.matches)
            self.matches += [from_match(plan_id, ordinal, match) for ordinal, match in matches]

    def _add_wants(self, plan_id: int, wants: Sequence[Want]) -> None:
        ordinal = 0
        for want in wants:
            raised = self.raised.setdefault(want.receiver, _Raised())
            raised.count += 1
            if not want.is_held:
                raised.last_open = raised.count
            self.asked.append(_Asked(plan_id, ordinal, raised.count, want))
            ordinal += len(want.layers)

    async def write(self, connection: Connection) -> None:
        """Write them all; the receivers are locked in the order of their keys."""
        if not self.plans:
            return
        await write_rows(connection, "insert_plans", self.plans)
        await write_rows(connection, "insert_matches", self.matches)
        if self.raised:
            await write_rows(
                connection, "insert_wants", self._want_rows(await self._raise(connection))
            )

    async def _raise(self, connection: Connection) -> dict[str, tuple[int, int]]:
        """Receiver → its row, and its wanted number before this transaction."""
        rows = [
            (key, cluster_of(key), raised.count, raised.last_open)
            for key, raised in sorted(self.raised.items())
        ]
        raised = await connection.fetch(SQL["raise_wanted"], *columns(rows, 4), self.now)
        return {
            row["key"]: (row["id"], row["wanted"] - self.raised[row["key"]].count) for row in raised
        }

    def _want_rows(self, receivers: dict[str, tuple[int, int]]) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for asked in self.asked:
            receiver, before = receivers[asked.want.receiver]
            rows += [
                (receiver, before + asked.nth, ordinal, asked.plan, layer, asked.want.is_held)
                for ordinal, layer in enumerate(asked.want.layers, asked.first_ordinal)
            ]
        return rows
