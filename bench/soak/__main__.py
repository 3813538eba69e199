"""Soak the service: mixed load while everything around it fails, and a judgement at the end.

    python -m bench.soak
    python -m bench.soak --database sqlite --seconds 600 --seed 7

The real service gets pushes to 50 repositories of 10 layers, some of them forced, sent twice, out
of order or in bursts, while receivers answer 200, 500 or 503, hang or reset; the service is killed
and stopped and started again; the disk is full for a moment, the database hangs or is restarted,
and the wall clock jumps. Then everything heals, and what happened is held against the promises:
`bench/soak/judge.py` says what is counted. Exits with 1 when one was broken. Everything is on this
machine, and bounded in time and count. A seed repeats the plan of load and faults; how they meet is
up to the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.soak.databases import LeftOut, SqliteDatabase, run_postgres
from bench.soak.faults import HOW
from bench.soak.judge import judge
from bench.soak.run import Options, Soak, soak

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.soak.databases import Database
    from bench.soak.history import Verdict

DATABASES = ("sqlite", "postgresql")


@contextmanager
def open_database(name: str, folder: Path) -> Iterator[Database]:
    """The database of that name. Raises LeftOut where this machine has none."""
    if name == "sqlite":
        yield SqliteDatabase(folder)
        return
    with run_postgres() as database:
        asyncio.run(database.start())
        yield database


def print_soak(name: str, options: Options, done: Soak, verdict: Verdict) -> None:
    pushes, counts = done.history.pushes, verdict.counts
    statuses = [push.status for push in pushes]
    rows: list[tuple[str, object]] = [
        ("pushes sent", len(pushes)),
        ("  answered 202", statuses.count(202)),
        ("  answered 503", statuses.count(503)),
        ("  without an answer", statuses.count(None)),
        ("  answered otherwise", sum(status not in {202, 503, None} for status in statuses)),
        ("calls", len(done.history.calls)),
        *((f"  {outcome}", count) for outcome, count in sorted(done.outcomes.items())),
        ("faults", sum(done.faults.values())),
        *((f"  {fault}", count) for fault, count in sorted(done.faults.items())),
        *((f"  {fault}", f"left out: {why}") for fault, why in done.left_out.items()),
        *((f"  {fault}", f"made by {how}") for fault, how in HOW.items() if _had(done, fault)),
        ("covered", counts.get("covered", 0)),
        ("  by a later call", counts.get("covered by a later call", 0)),
        ("missing", counts.get("missing", 0)),
        ("lost", counts.get("lost", 0)),
        ("misrouted", counts.get("misrouted", 0)),
        ("overlaps", counts.get("overlaps", 0)),
        ("  orphaned by a kill", counts.get("overlaps, orphaned", 0)),
        ("needless", counts.get("needless", 0)),
        ("  repeated, explained", counts.get("repeated, explained", 0)),
        ("seconds to drain", f"{done.drain_seconds:.1f}"),
    ]
    print(f"\n{name}, seed {options.seed}, {options.seconds:g} s of load")
    for label, value in rows:
        print(f"  {label:<26}{value:>9}" if isinstance(value, int) else f"  {label:<26}{value}")


def _had(done: Soak, fault: str) -> bool:
    return any(name.startswith(fault) for name in done.faults)


def soak_on(name: str, options: Options) -> bool:
    """Soak on one database, and print what came of it; whether every promise was kept."""
    with TemporaryDirectory() as home:
        folder = Path(home)
        with open_database(name, folder) as database:
            done = asyncio.run(soak(folder, database, options))
    verdict = judge(done.history)
    print_soak(name, options, done, verdict)
    for sentence in verdict.broken:
        print(f"  BROKEN: {sentence}")
    return not verdict.broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", choices=DATABASES, help="default: one after the other")
    parser.add_argument("--seconds", type=float, default=Options.seconds, help="of load")
    parser.add_argument(
        "--drain-seconds", type=float, default=Options.drain_seconds, help="at most"
    )
    parser.add_argument("--rate", type=float, default=Options.per_second, help="steps a second")
    parser.add_argument("--seed", type=int, default=Options.seed)
    parser.add_argument("--only", action="append", default=[], help="a fault, by its name")
    parser.add_argument(
        "--restart", action="store_true", help="before draining: quicker, for it resets backoffs"
    )
    given = parser.parse_args()
    options = Options(
        seconds=given.seconds,
        drain_seconds=given.drain_seconds,
        per_second=given.rate,
        seed=given.seed,
        only=tuple(given.only),
        is_restarted=given.restart,
    )
    is_kept = True
    for name in [given.database] if given.database else DATABASES:
        try:
            is_kept &= soak_on(name, options)
        except LeftOut as reason:
            print(f"\n{name}: left out: {reason}")
            is_kept &= given.database is None
    sys.exit(not is_kept)


if __name__ == "__main__":
    main()
