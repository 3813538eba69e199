"""Saves deliveries for ever and names each on standard output once it is acknowledged."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from router.store.sqlite.store import SqliteStore
from tests.fakes.clock import FakeClock
from tests.store.builders import adopt_nothing, make_activation, save


async def save_for_ever(store: SqliteStore, clock: FakeClock) -> None:
    while True:
        saved = await save(store, clock)
        os.write(1, f"{saved.delivery.id}\n".encode())


async def main(path: Path) -> None:
    clock = FakeClock()
    store = await SqliteStore.open(path, clock=clock)
    await store.activate(make_activation(), adopt=adopt_nothing)
    await asyncio.gather(*(save_for_ever(store, clock) for _ in range(16)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
