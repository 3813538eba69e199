"""The contract of Store: every implementation passes all of it.

A test class inherits StoreContract and has a fixture `store` over the fixture `clock`, with the
routing file `make_activation()` in force as generation 1.
"""

from __future__ import annotations

from tests.store.contract_activating import ActivatingContract
from tests.store.contract_calling import CallingContract
from tests.store.contract_history import HistoryContract
from tests.store.contract_saving import SavingContract


class StoreContract(SavingContract, ActivatingContract, CallingContract, HistoryContract):
    pass
