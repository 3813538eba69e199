"""The pushes of the demo's story, and the layers that each must reach: these and no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from router.demo.fleet import LAYERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from router.demo.fleet import Fleet

Mode: TypeAlias = Literal["payload", "git"]

ALL = tuple(LAYERS)
APPS = ("app1", "app2", "app3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One push, and the layers whose receivers it must reach: these and no others."""

    title: str
    expected: tuple[str, ...]
    act: Callable[[Fleet], Awaitable[object]]
    mode: Mode = "payload"


def edit(message: str, *files: str) -> Callable[[Fleet], Awaitable[object]]:
    """A push that changes files."""

    async def act(fleet: Fleet) -> None:
        fleet.write(*files)
        await fleet.push(message)

    return act


async def force(fleet: Fleet) -> None:
    """A push that drops the newest commit and puts another in its place."""
    await fleet.drop_last_commit()
    fleet.write("databases/orders.yaml")
    await fleet.push("Resize the database instead", force=True)


async def revert(fleet: Fleet) -> None:
    """Two commits in one push, of which the second takes the first one back."""
    fleet.write("controllers/ingress.yaml")
    await fleet.commit("Try another ingress")
    await fleet.revert_last_commit()
    await fleet.push("")


async def move(fleet: Fleet) -> None:
    """A push that moves a file from one layer into another."""
    fleet.rename("apps/app2/kustomization.yaml", "apps/app3/from-app2.yaml")
    await fleet.push("Merge app2 into app3")


async def lose_one(fleet: Fleet) -> None:
    """Two pushes; the first one's webhook is lost."""
    fleet.write("databases/orders.yaml")
    await fleet.push("Resize the database", is_told=False)
    fleet.write("apps/app1/kustomization.yaml")
    await fleet.push("Scale app1")


async def lose_all(fleet: Fleet) -> None:
    """A push whose webhook is lost, and nothing after it."""
    fleet.write("post-config/dashboards.yaml")
    await fleet.push("Add a dashboard", is_told=False)


CHAPTERS = (
    Chapter(title="first push", expected=ALL, act=lambda fleet: fleet.push("Add seven layers")),
    Chapter(
        title="one app",
        expected=("app1",),
        act=edit("Scale app1", "apps/app1/kustomization.yaml"),
    ),
    Chapter(
        title="the apps' shared base",
        expected=APPS,
        act=edit("Add a probe", "apps/base/deployment.yaml"),
    ),
    Chapter(
        title="docs only",
        expected=(),
        act=edit("Explain", "README.md", "controllers/ingress/notes.md"),
    ),
    Chapter(
        title="controllers and app1",
        expected=("controllers", "app1"),
        act=edit("Upgrade", "controllers/ingress.yaml", "apps/app1/kustomization.yaml"),
    ),
    Chapter(title="force push", expected=ALL, act=force),
    Chapter(
        title="one app",
        expected=("app1",),
        act=edit("Scale app1", "apps/app1/kustomization.yaml"),
        mode="git",
    ),
    Chapter(title="force push", expected=("databases", "app1"), act=force, mode="git"),
    Chapter(title="a change and its revert", expected=(), act=revert, mode="git"),
    Chapter(title="a file moves", expected=("app2", "app3"), act=move, mode="git"),
    Chapter(
        title="a lost webhook, then a push",
        expected=("databases", "app1"),
        act=lose_one,
        mode="git",
    ),
    Chapter(
        title="a lost webhook, then nothing",
        expected=("post-config",),
        act=lose_all,
        mode="git",
    ),
)
