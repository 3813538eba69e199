"""`flux-router serve` that kills itself at one step on the way of its first push.

Run as `python -m tests.e2e.crashing STEP`; the steps are the keys of STEPS and of GIT_STEPS.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from router.cli.app import main
from router.flow import dispatch
from router.remote.git.clones import GitClones
from router.remote.receiver import HttpReceiverClient
from router.store.postgres.store import PostgresStore
from router.store.sqlite.store import SqliteStore

Method = Callable[..., Awaitable[Any]]

STORE: type = SqliteStore
if os.environ.get("ROUTER_DATABASE_URL", "").startswith("postgresql:"):
    STORE = PostgresStore

STEPS: dict[str, tuple[type, str, bool]] = {
    # step: class, method, whether the process dies after the method instead of before
    "before_save": (STORE, "save_delivery", False),
    "after_save": (STORE, "save_delivery", True),
    "before_claim": (STORE, "claim_due", False),
    "after_claim": (STORE, "claim_due", True),
    "before_call": (HttpReceiverClient, "call", False),
    "after_call": (HttpReceiverClient, "call", True),
    "before_record": (STORE, "record_attempt", False),
    "after_record": (STORE, "record_attempt", True),
}

GIT_STEPS: dict[str, tuple[type, str, bool]] = {
    "before_save": (STORE, "save_delivery", False),
    "after_save": (STORE, "save_delivery", True),
    "after_fetch": (GitClones, "fetch_tips", True),
    "after_compare": (GitClones, "changed_paths", True),
    "after_plan": (STORE, "save_observation", True),
    "after_keep": (GitClones, "keep", True),
    "before_record": (STORE, "record_attempt", False),
}
"""The way of a push in git mode, which is planned after it was accepted."""

LEASE_MARGIN_SECONDS = 1.0
"""What a killed process leased is not called before the lease ends; the service's own margin would
be waited for at every step. One kill of test_kill.py is of a process with that."""

state = {"has_push": False, "is_saved": False}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def note_push(method: Method) -> Method:
    """Steps count from the first push on; what the start itself calls does not."""

    async def noted(*args: Any, **kwargs: Any) -> Any:
        state["has_push"] = True
        result = await method(*args, **kwargs)
        state["is_saved"] = True
        return result

    return noted


def crash(method: Method, *, is_after: bool) -> Method:
    # The store is asked for due receivers from time to time, and so also while a push is saved.
    since = "is_saved" if method.__name__ == "claim_due" else "has_push"

    async def crashing(*args: Any, **kwargs: Any) -> Any:
        if state[since] and not is_after:
            die()
        result = await method(*args, **kwargs)
        if state[since]:
            die()
        return result

    return crashing


if __name__ == "__main__":
    owner, name, is_after = (STEPS | GIT_STEPS)[sys.argv.pop()]
    setattr(owner, name, crash(getattr(owner, name), is_after=is_after))
    save = note_push(getattr(STORE, "save_delivery"))  # noqa: B009 - of either class
    setattr(STORE, "save_delivery", save)  # noqa: B010 - replaces a method on purpose
    dispatch.LEASE_MARGIN_SECONDS = LEASE_MARGIN_SECONDS
    sys.argv.append("serve")
    main()
