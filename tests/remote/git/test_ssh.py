from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from router.core.errors import GitUnavailable
from router.core.model import Secret
from router.core.routing import GitAccess
from tests.remote.git.contract import MAIN
from tests.remote.git.repository import make_repository
from tests.remote.git.setup import clones_in
from tests.remote.git.ssh_host import make_key, serve_ssh

if TYPE_CHECKING:
    from pathlib import Path

    import asyncssh

    from tests.remote.git.ssh_host import SshHost


def access_to(host: SshHost, user: asyncssh.SSHKey) -> GitAccess:
    return GitAccess(
        url=host.url("fleet.git"),
        ssh_key=Secret(user.export_private_key().strip()),  # no end of line, as some stores have it
        known_hosts=Secret(host.known_hosts),
    )


async def test_a_repository_is_read_over_ssh(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "host" / "fleet.git")
    before, after = (repository.move(MAIN, {"a": text}) for text in "12")
    user = make_key()
    async with (
        serve_ssh(tmp_path / "host", user) as host,
        clones_in(tmp_path / "clones") as git,
    ):
        access = access_to(host, user)
        assert await git.list_tips(access, [MAIN]) == {MAIN: after}
        assert await git.fetch_tips(access, [MAIN]) == {MAIN: after}
        assert await git.fetch_commit(access, before)  # protocol 2 gives what no ref has
        assert await git.changed_paths(access, before, after) == ("a",)
        gone = replace(access, url=host.url("gone.git"))
        with pytest.raises(GitUnavailable, match="no such repository"):
            await git.list_tips(gone, [MAIN])


async def test_keys_that_are_wrong_missing_or_changed_are_told_apart(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "host" / "fleet.git")
    tip = repository.move(MAIN, {"a": "1"})
    user = make_key()
    async with clones_in(tmp_path / "clones") as git:
        async with serve_ssh(tmp_path / "host", user) as host:
            access = access_to(host, user)
            wrong = {
                "ssh key was refused": replace(access, ssh_key=access_to(host, make_key()).ssh_key),
                "not a private key": replace(access, ssh_key=Secret(b"not a key")),
                "knownHosts does not have it": replace(access, known_hosts=None),
            }
            for word, denied in wrong.items():
                with pytest.raises(GitUnavailable, match=word):
                    await git.list_tips(denied, [MAIN])
            with pytest.raises(GitUnavailable, match="ssh key was refused"):
                await git.list_tips(replace(access, ssh_key=None), [MAIN])
        async with serve_ssh(tmp_path / "host", user, port=host.port) as changed:
            with pytest.raises(GitUnavailable, match="key has changed"):
                await git.fetch_tips(access, [MAIN])
            access = access_to(changed, user)
            assert await git.fetch_tips(access, [MAIN]) == {MAIN: tip}
        with pytest.raises(GitUnavailable, match="refused"):
            await git.fetch_tips(access, [MAIN])
