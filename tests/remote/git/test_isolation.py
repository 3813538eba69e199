"""Git sees only what it is given, and shows nobody what it was trusted with."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from router.core.errors import GitUnavailable
from router.core.model import Secret
from router.core.routing import GitAccess
from router.remote.git.credentials import lend_credentials
from router.remote.git.environment import git_environment
from tests.remote.git.contract import MAIN
from tests.remote.git.setup import TOKEN, Served, served_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_in(tmp_path) as served:
        served.repository.move(MAIN, {"a": "1"})
        yield served


def shown_by_processes() -> dict[str, bytes]:
    """Command lines and environments, as whoever may look sees them, by process."""
    shown = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            shown[folder.name] = b"\0".join(
                (folder / name).read_bytes() for name in ("cmdline", "environ")
            )
        except OSError:
            continue  # it has ended
    return shown


async def test_the_token_is_in_no_command_line_environment_file_or_error(served: Served) -> None:
    served.host.mishap = "hang"
    work = asyncio.ensure_future(served.git.fetch_tips(served.access, [MAIN]))
    await served.host.hanging.wait()
    shown = shown_by_processes()
    ours = [text for text in shown.values() if str(served.folder).encode() in text]
    assert any(b"remote-https" in text for text in ours)
    assert not any(TOKEN in text for text in shown.values())
    stored = [path.read_bytes() for path in served.folder.rglob("*") if path.is_file()]
    assert stored
    assert not any(TOKEN in content for content in stored)
    work.cancel()
    await asyncio.wait([work])
    served.host.mishap = 403
    with pytest.raises(GitUnavailable) as refused:
        await served.git.fetch_tips(served.access, [MAIN])
    assert TOKEN.decode() not in repr(refused.value)
    assert str(served.host.port) not in repr(refused.value)


@pytest.mark.parametrize(
    "access",
    [
        GitAccess(url="https://git.example/a", token=Secret(TOKEN), ca=Secret(TOKEN)),
        GitAccess(url="git@git.example:a", ssh_key=Secret(TOKEN), known_hosts=Secret(TOKEN)),
    ],
)
def test_credentials_are_files_of_ours_for_as_long_as_they_are_lent(access: GitAccess) -> None:
    with lend_credentials(access, stall_seconds=30) as lent:
        words = " ".join([*lent.settings, *lent.variables.values()]).replace("=", " ").split()
        paths = [Path(word.rstrip(";")) for word in words if word.startswith("/proc/")]
        assert len(paths) == 2
        for path in paths:
            assert TOKEN in path.read_bytes()
            assert path.stat().st_mode & 0o777 == 0o600
            with pytest.raises(PermissionError), path.open("r+b") as file:
                file.write(b"x")
    assert TOKEN.decode() not in repr(lent)
    assert not any(path.exists() for path in paths)


def test_the_token_is_for_the_configured_host_and_nobody_else() -> None:
    access = GitAccess(url="https://user@git.example:8443/a", token=Secret(TOKEN))
    with lend_credentials(access, stall_seconds=30) as lent:
        (setting,) = lent.settings
        assert setting.startswith("credential.https://git.example:8443.helper=")
    for url in ("/srv/a", "file:///srv/a", "ssh://git.example/a"):
        with lend_credentials(GitAccess(url=url, token=Secret(TOKEN)), stall_seconds=30) as lent:
            assert lent.settings == ()


async def test_what_the_user_has_configured_does_not_count(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text('[url "file:///nowhere/"]\n\tinsteadOf = https://\n')
    login = f"machine 127.0.0.1 login git password {TOKEN.decode()}\n"
    (home / ".netrc").write_text(login)
    (home / ".netrc").chmod(0o600)
    for name, value in {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "url.file:///nowhere/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://",
        "GIT_DIR": "/nowhere",
        "GIT_OBJECT_DIRECTORY": "/nowhere",
        "GIT_TRACE": str(home / "trace"),
        "GIT_ASKPASS": "/bin/echo",
        "SSH_ASKPASS": "/bin/echo",
        "DISPLAY": ":0",
        "LANG": "de_DE.UTF-8",
        "LANGUAGE": "de",
    }.items():
        monkeypatch.setenv(name, value)
    assert list(await served.git.fetch_tips(served.access, [MAIN])) == [MAIN]
    without = GitAccess(url=served.access.url, ca=served.access.ca)
    with pytest.raises(GitUnavailable, match="asks for a username and token"):
        await served.git.fetch_tips(without, [MAIN])
    assert not (home / "trace").exists()


async def test_no_hook_of_the_clone_runs(served: Served, tmp_path: Path) -> None:
    await served.git.fetch_tips(served.access, [MAIN])
    hook = served.clone / "hooks" / "reference-transaction"
    assert not hook.parent.exists()
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\n")
    hook.chmod(0o755)
    tip = served.repository.move(MAIN, {"a": "2"})
    assert await served.git.fetch_tips(served.access, [MAIN]) == {MAIN: tip}
    await served.git.keep(served.access, "fleet", tip)
    assert not (tmp_path / "ran").exists()


def test_of_the_environment_only_a_list_is_passed_on() -> None:
    passed = {"PATH": "/bin", "https_proxy": "http://proxy", "NO_PROXY": "x", "TMPDIR": "/t"}
    refused = {
        "AWS_SECRET_ACCESS_KEY": "canary",
        "ROUTER_ADMIN_TOKEN": "canary",
        "GIT_DIR": "/x",
        "GIT_SSL_NO_VERIFY": "1",
        "GIT_TRACE_CURL": "1",
        "LD_PRELOAD": "x.so",
        "SSH_AUTH_SOCK": "/agent",
        "LC_ALL": "de_DE",
        "HOME": "/home/me",
    }
    given = git_environment(passed | refused, also=["GIT_DIR"])
    assert given.items() >= passed.items()
    assert given["GIT_DIR"] == "/x"
    assert given["LC_ALL"] == "C"
    assert given["HOME"] == os.devnull
    names = set(given) & set(refused)
    assert names == {"GIT_DIR", "LC_ALL", "HOME"}
    assert "canary" not in str(given)


async def test_what_a_clone_lacks_is_not_asked_for_by_the_way(served: Served) -> None:
    tip = served.repository.move(MAIN, {"a": "1"})
    await served.git.fetch_tips(served.access, [MAIN])
    asked = len(served.host.requests)
    blob, tree = (served.repository.git("rev-parse", f"{tip}:{path}") for path in ("a", ""))
    for other in (blob, tree, "1" * 40):
        assert not await served.git.has_commit(served.access, other)
    assert len(served.host.requests) == asked
