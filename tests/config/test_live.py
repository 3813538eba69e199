"""The routing file on disk: what is noticed, what is loaded, what a failed load leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.config.live import FileRoutingSource
from router.core.errors import ConfigInvalid
from router.core.model import Secret
from router.ports.routing_file import RoutingSource
from tests.config.bad_files import CANARY

TEXT = """\
apiVersion: flux-router/v1
hooks: [{name: github, provider: github, secrets: [{file: secrets/hook}]}]
clusters: [{name: prod, url: "http://flux", receiver: {token: {file: "secrets/{layer}"}}}]
repositories:
  - name: fleet
    hook: github
    url: https://github.com/acme/fleet
    ref: main
    layers: [{name: apps, paths: [apps/]}]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/hook").write_bytes(b"hook")
    (tmp_path / "secrets/apps").write_bytes(b"token")
    path = tmp_path / "router.yaml"
    path.write_text(TEXT)
    return path


def source(path: Path) -> FileRoutingSource:
    return FileRoutingSource(path, environ={})


async def loaded(path: Path) -> FileRoutingSource:
    live = source(path)
    await live.load()
    assert not await live.has_changed()
    return live


def test_it_is_a_routing_source(path: Path) -> None:
    port: RoutingSource = source(path)
    assert port is not None


async def test_before_the_first_load_it_has_changed(path: Path) -> None:
    assert await source(path).has_changed()


async def test_a_load_gives_the_routing_with_its_text(path: Path) -> None:
    file = await source(path).load()
    assert file.text == TEXT
    assert list(file.routing.layers) == ["apps"]


@pytest.mark.parametrize("name", ["router.yaml", "secrets/hook", "secrets/apps"])
async def test_a_change_of_the_file_or_of_a_secret_is_noticed_once(path: Path, name: str) -> None:
    live = await loaded(path)
    changed = path.parent / name
    changed.write_bytes(changed.read_bytes() + b"\n")
    assert await live.has_changed()
    assert await live.has_changed()
    await live.load()
    assert not await live.has_changed()


async def test_a_file_put_in_place_of_another_is_noticed(path: Path) -> None:
    live = await loaded(path)
    other = path.parent / "other"
    other.write_bytes(b"hooK")
    other.rename(path.parent / "secrets/hook")
    assert await live.has_changed()


async def test_a_file_that_nobody_names_is_not_looked_at(path: Path) -> None:
    live = await loaded(path)
    (path.parent / "secrets/other").write_bytes(b"x")
    assert not await live.has_changed()


async def test_the_swap_of_a_kubernetes_volume_is_seen(tmp_path: Path) -> None:
    """A ConfigMap's files are links into `..data`, a link that each update points elsewhere."""
    for version, branch in (("..1", "main"), ("..2", "next")):
        (tmp_path / version / "secrets").mkdir(parents=True)
        (tmp_path / version / "router.yaml").write_text(TEXT.replace("ref: main", f"ref: {branch}"))
        (tmp_path / version / "secrets/hook").write_bytes(branch.encode())
        (tmp_path / version / "secrets/apps").write_bytes(b"token")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "router.yaml").symlink_to("..data/router.yaml")
    (tmp_path / "secrets").symlink_to("..data/secrets")
    live = await loaded(tmp_path / "router.yaml")

    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    assert await live.has_changed()
    file = await live.load()
    assert file.routing.repositories[0].ref == "refs/heads/next"
    assert file.routing.hooks["github"].secrets == (Secret(b"next"),)
    assert not await live.has_changed()


async def test_after_a_failed_load_nothing_has_changed_until_something_does(path: Path) -> None:
    live = await loaded(path)
    path.write_text(TEXT + "zzz: 1\n")
    with pytest.raises(ConfigInvalid) as caught:
        await live.load()
    assert [problem.line for problem in caught.value.problems] == [10]
    assert not await live.has_changed()
    path.write_text(TEXT)
    assert await live.has_changed()


async def test_a_missing_secret_is_noticed_when_it_comes(path: Path) -> None:
    (path.parent / "secrets/apps").unlink()
    live = source(path)
    with pytest.raises(ConfigInvalid, match="secrets/apps does not exist"):
        await live.load()
    assert not await live.has_changed()
    (path.parent / "secrets/apps").write_bytes(b"token")
    assert await live.has_changed()
    assert (await live.load()).routing.receivers["prod/flux-system/apps"].token == Secret(b"token")


async def test_a_routing_file_that_goes_and_comes_back_is_noticed(path: Path) -> None:
    live = await loaded(path)
    path.unlink()
    assert await live.has_changed()
    with pytest.raises(ConfigInvalid, match="the file cannot be read"):
        await live.load()
    assert not await live.has_changed()
    path.write_text(TEXT)
    assert await live.has_changed()


async def test_a_path_that_cannot_be_one_is_told_like_any_other_error() -> None:
    live = source(Path("\0"))
    with pytest.raises(ConfigInvalid, match="cannot be the path"):
        await live.load()
    assert not await live.has_changed()


async def test_the_bearer_file_of_generic_oidc_is_not_watched(path: Path) -> None:
    path.write_text(TEXT.replace("receiver: {", "receiver: {type: generic-oidc, "))
    live = await loaded(path)
    (path.parent / "secrets/apps").write_bytes(b"another")
    assert not await live.has_changed()


async def test_a_stored_text_is_loaded_with_the_secrets_of_now(path: Path) -> None:
    live = source(path)
    path.write_text("broken: [")
    with pytest.raises(ConfigInvalid):
        await live.load()
    (path.parent / "secrets/hook").write_bytes(b"rotated")
    file = await live.load_text(TEXT)
    assert file.routing.hooks["github"].secrets == (Secret(b"rotated"),)
    assert file.text == TEXT
    assert not await live.has_changed()


async def test_warnings_come_with_the_loaded_file(path: Path) -> None:
    (path.parent / "secrets/apps").write_bytes(b"token\n")
    [warning] = (await source(path).load()).warnings
    assert "ends with a newline" in warning.message


async def test_no_secret_is_in_what_is_shown_of_it(path: Path) -> None:
    (path.parent / "secrets/hook").write_text(CANARY)
    (path.parent / "secrets/apps").write_text(f"{CANARY}\n")
    file = await source(path).load()
    assert CANARY not in f"{file!r} {file}"
    path.write_text(TEXT.replace("{file: secrets/hook}", CANARY) + "zzz: 1\n")
    with pytest.raises(ConfigInvalid) as caught:
        await source(path).load()
    assert len(caught.value.problems) == 2
    chain: BaseException | None = caught.value
    while chain is not None:
        assert CANARY not in f"{chain!r} {chain}"
        chain = chain.__cause__ or chain.__context__


async def test_the_text_of_another_replica_needs_its_secrets_and_they_are_watched(
    path: Path,
) -> None:
    live = await loaded(path)
    theirs = TEXT.replace("secrets/{layer}", "secrets/new-{layer}")
    with pytest.raises(ConfigInvalid, match="secrets/new-apps does not exist"):
        await live.load_text(theirs, is_strict=True)
    assert (await live.load_text(theirs)).warnings
    assert not await live.has_changed()
    (path.parent / "secrets/new-apps").write_bytes(b"token")
    assert await live.has_changed()
    file = await live.load_text(theirs, is_strict=True)
    assert file.routing.receivers["prod/flux-system/apps"].token == Secret(b"token")
