"""A short soak: the harness is alive, and the service keeps its promises."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from bench.soak.__main__ import print_soak
from bench.soak.databases import SqliteDatabase
from bench.soak.faults import faults_of, plan_faults
from bench.soak.fleet import Fleet
from bench.soak.judge import judge
from bench.soak.pushes import Writer
from bench.soak.run import Options, soak
from router.config.load import check_file

FLEET = Fleet(repositories=50, layers_each=10)
URLS = {"prod": "http://127.0.0.1:1", "edge": "http://127.0.0.1:2"}


@pytest.mark.e2e
async def test_a_short_soak_breaks_no_promise(tmp_path: Path) -> None:
    options = Options(seconds=12.0, per_second=8.0, seed=4, is_restarted=True)
    database = SqliteDatabase(tmp_path)
    done = await soak(tmp_path, database, options)
    verdict = judge(done.history)
    print_soak("sqlite", options, done, verdict)  # for whoever has to find out
    assert verdict.broken == ()
    assert verdict.counts["covered"] > 0
    assert set(done.faults) == set(faults_of(database)[0])
    assert {"200", "500", "503", "reset"} <= set(done.outcomes)


def test_the_routing_file_of_a_soak_loads_with_shared_receivers(tmp_path: Path) -> None:
    checked = check_file(FLEET.write(tmp_path, URLS), secrets="required")
    assert checked.problems == ()
    assert checked.routing is not None
    assert {
        name: frozenset(layer.receivers) for name, layer in checked.routing.layers.items()
    } == dict(FLEET.receivers)
    assert set(checked.routing.receivers) == {
        *FLEET.paths("prod").values(),
        *FLEET.paths("edge").values(),
    }
    assert len(checked.routing.layers) == 500
    assert len(checked.routing.receivers) == 50 * (10 - 3 + 1 + 1) + 10


def test_a_seed_repeats_the_plan() -> None:
    def steps(seed: int) -> list[bytes]:
        writer = Writer(fleet=FLEET, random=Random(seed))
        return [push.request for _ in range(300) for push in writer.step()]

    assert steps(1) == steps(1)
    assert steps(1) != steps(2)
    names = ("killed", "stopped", "disk full")
    plan = plan_faults(names, seconds=30.0, random=Random(1))
    assert plan == plan_faults(names, seconds=30.0, random=Random(1))
    assert set(plan[:3]) == set(names)
    assert len(plan) == 10
