"""The contract of Store: every implementation passes all of it.

A test class inherits StoreContract and has a fixture `store` over the fixture `clock`, with the
routing file `make_activation()` in force as generation 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.store.contract_activating import ActivatingContract
from tests.store.contract_calling import CallingContract
from tests.store.contract_claiming import ClaimingContract
from tests.store.contract_closing import ClosingContract
from tests.store.contract_history import HistoryContract
from tests.store.contract_observing import ObservingContract
from tests.store.contract_planning import PlanningContract
from tests.store.contract_pruning import PruningContract
from tests.store.contract_replicas import ReplicasContract
from tests.store.contract_saving import SavingContract
from tests.store.contract_waiting import WaitingContract

if TYPE_CHECKING:
    from router.ports.store import Store


class StoreContract(
    SavingContract,
    PlanningContract,
    WaitingContract,
    ObservingContract,
    ClosingContract,
    ActivatingContract,
    ClaimingContract,
    CallingContract,
    HistoryContract,
    PruningContract,
    ReplicasContract,
):
    async def test_a_store_that_works_passes_its_check(self, store: Store) -> None:
        for _ in range(2):
            await store.check()
