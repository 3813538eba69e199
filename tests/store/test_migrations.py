"""A database of an older schema, with what it holds, under this version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.core.model import RefState, UpdateRecord
from router.store.sqlite.connection import connect_writer
from router.store.sqlite.schema import migrations
from router.store.sqlite.store import SqliteStore
from tests.store.builders import (
    MAIN,
    accept,
    adopt_nothing,
    make_activation,
    make_closing,
    make_intent,
    make_want,
    observe,
    status,
    waiting,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.fakes.clock import FakeClock

WRITTEN_BY_SCHEMA_1 = """
INSERT INTO generations VALUES (1, 'g1', CAST('# g1' AS BLOB), 0);
INSERT INTO refs VALUES (1, 'fleet', 'github.com/acme/fleet', 'refs/heads/main', 'c1', 2);
INSERT INTO commits_seen VALUES (1, 'c0'), (1, 'c1');
INSERT INTO deliveries VALUES (
  1, 'id-old', 'webhook', 'github', CAST('p1' AS BLOB), 'd1', 0, 'routed', x'', CAST(
    '[["refs/heads/main","c0","c1",false,"fleet","routed","",["a/b"],false]]' AS BLOB
  ), NULL
);
INSERT INTO plans VALUES
  (1, 1, 1, 'fleet', 'unknown', x'', NULL, 'c0', NULL, 'c0', 0, 1, 1, CAST('[]' AS BLOB)),
  (2, 1, 1, 'fleet', 'exact', x'', NULL, 'c1', 'c0', 'c1', 0, 1, 2,
   CAST('[["changed",["app1"]]]' AS BLOB)),
  (3, 1, 1, 'fleet', 'requested', x'', NULL, NULL, NULL, NULL, 0, NULL, NULL, CAST('[]' AS BLOB));
INSERT INTO receivers (id, key, cluster, wanted, callable, due_at)
  VALUES (1, 'prod/flux-system/app1', 'prod', 1, 1, 0);
INSERT INTO wants VALUES (1, 1, 0, 2, 'app1', 0);
INSERT INTO layer_receivers VALUES ('app1', 1);
"""


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteStore]:
    path = tmp_path / "store.db"
    connection = connect_writer(path)
    number, sql = migrations()[0]
    connection.executescript(f"{sql}\nPRAGMA user_version = {number};\n{WRITTEN_BY_SCHEMA_1}")
    connection.close()
    store = await SqliteStore.open(path, clock=clock)
    yield store
    await store.close()


async def test_what_file_lists_proved_is_called_payload_from_now_on(store: SqliteStore) -> None:
    story = await store.delivery("id-old")
    assert story is not None
    assert [saved.plan.knowledge for saved in story.plans] == ["unknown", "payload", "requested"]


async def test_what_was_kept_of_an_update_is_read(store: SqliteStore) -> None:
    story = await store.delivery("id-old")
    assert story is not None
    assert story.delivery.updates == (
        UpdateRecord(
            ref="refs/heads/main",
            before="c0",
            after="c1",
            forced=False,
            repository="fleet",
            status="routed",
            reason="",
            paths=("a/b",),
        ),
    )
    assert await waiting(store) == []


async def test_a_ref_goes_on_from_where_it_stood(store: SqliteStore, clock: FakeClock) -> None:
    assert await store.ref_state(MAIN) == RefState(cursor="c1", told="c1", was_planned=True)
    await store.activate(make_activation(), adopt=adopt_nothing)
    delivery = await accept(store, clock)
    intent = make_intent(make_want(), before="c1", after="c2")
    saved = await observe(store, make_closing(delivery), intents=[intent])
    assert saved is not None
    assert [plan.sequence for plan in saved.plans] == [3]
    assert (await status(store)).wanted == 2
