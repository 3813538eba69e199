"""Every provider's round trip: a real repository, `send` in its name, a hook, and the receivers."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from router.cli.app import cli
from router.core.providers.table import PROVIDERS, REGISTRIES, SERVED
from router.demo.receivers import FluxStandIn, StandInReceiver, serve_stand_in
from tests.providers.signing import SECRET, hook_secret, sender_secret
from tests.providers.test_registries import TELLS_DIGESTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import World

pytestmark = pytest.mark.e2e

URL = "https://git.acme.example/acme/fleet"
URLS = {"codecommit": "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/fleet"}
"""Where a provider's repositories have another form of URL."""

ARTIFACT = "oci://registry.acme.example/acme/layers/app"
ARTIFACTS = {
    "dockerhub": "oci://docker.io/acme/app",
    "ecr": "oci://111122223333.dkr.ecr.eu-central-1.amazonaws.com/acme/app",
}
"""Where a registry has one host for everybody."""

LISTS_FILES = {"github", "gitlab", "gitea", "forgejo", "generic", "standard-webhooks"}
"""Those whose lists prove what an ordinary push changed; all others need git mode."""

MODES = ("payload", "git")
LAYERS = ("a", "b")


@dataclass(frozen=True)
class Repository:
    """Two commits: one with a file for each layer, and one that changes the file of layer a."""

    folder: Path
    before: str
    after: str

    @property
    def changed(self) -> set[str]:
        """The layers that git itself says have changed."""
        names = git(self.folder, "diff", "--name-only", self.before, self.after)
        return {name.partition("/")[0] for name in names.split()}

    def show(self, commit: str) -> None:
        """Have the branch stand at *commit*, as after the push that told of it."""
        git(self.folder, "reset", "--quiet", "--hard", commit)


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Ada Quill", "-c", "user.email=ada@acme.example")
    result = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return result.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    folder = tmp_path / "fleet"
    for layer in LAYERS:
        (folder / layer).mkdir(parents=True)
        (folder / layer / "web.yaml").write_text("one")
    git(folder, "init", "--quiet", "--initial-branch=main")
    commits = []
    for text in ("one", "two"):
        (folder / "a" / "web.yaml").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", text)
        commits.append(git(folder, "rev-parse", "HEAD"))
    return Repository(folder, *commits)


def routing_file(repository: Repository, flux_url: str) -> str:
    """A hook for each provider, and entries for it that are read in both modes."""
    hooks = [hook(name) for name in SERVED]
    entries = [entry(name, mode, repository) for name in PROVIDERS for mode in MODES]
    artifacts = [
        f"  - hook: {name}\n    layers:\n      - name: {name}-artifact\n"
        f"        artifact: {ARTIFACTS.get(name, ARTIFACT)}\n        tag: main\n"
        for name in REGISTRIES
    ]
    return "".join(
        [
            "apiVersion: flux-router/v1\nhooks:\n",
            *hooks,
            f"clusters:\n  - name: test\n    url: {flux_url}\n",
            "    receiver: {type: generic, token: {file: secrets/token}}\n",
            "repositories:\n",
            *entries,
            "artifacts:\n" if artifacts else "",
            *artifacts,
        ]
    )


def hook(provider: str) -> str:
    proof = f"secrets: [{{file: secrets/of-{provider}-hook}}]"
    if not SERVED[provider].can_sign:
        proof = "auth: {header: {name: X-Key, value: {file: secrets/token}}}"
    return f"  - name: {provider}\n    provider: {provider}\n    {proof}\n"


def entry(provider: str, mode: str, repository: Repository) -> str:
    """The ref of git mode is another one to the eye: two entries of one ref would be one."""
    is_git = mode == "git"
    known = f"git: {{url: {repository.folder}}}" if is_git else "forcePushes: impossible"
    layers = [f"      - {{name: {provider}-{mode}-{name}, paths: [{name}/]}}\n" for name in LAYERS]
    return (
        f"  - name: {provider}-{mode}\n    hook: {provider}\n"
        f"    ref: {'mai?' if is_git else 'main'}\n    url: {URLS.get(provider, URL)}\n"
        f"    {known}\n    layers:\n{''.join(layers)}"
    )


def send(world: World, provider: str, repository: Repository, *move: str) -> None:
    words = ["--provider", provider, "--hook-url", f"{world.public.base_url}/hooks/{provider}"]
    is_signed = SERVED[provider].can_sign
    secret = f"of-{provider}-sender" if is_signed else "token"
    words += ["--secret-file", str(world.folder / "secrets" / secret)]
    words += ["--repo", str(repository.folder), "--repository-url", URLS.get(provider, URL)]
    if provider in REGISTRIES:
        words += ["--artifact", ARTIFACTS.get(provider, ARTIFACT)]
    if not is_signed:
        words += ["--auth", "header:X-Key"]
    result = CliRunner().invoke(cli, ["send", *words, *move])
    assert result.exit_code == 0, f"{provider}: {result.output}"
    assert ": 202: " in result.output, f"{provider}: {result.output}"


async def start(world: World, repository: Repository) -> FluxStandIn:
    names = [f"{name}-{mode}-{layer}" for name in PROVIDERS for mode in MODES for layer in LAYERS]
    names += [f"{name}-artifact" for name in REGISTRIES]
    flux = FluxStandIn(
        [
            StandInReceiver(namespace="flux-system", name=name, type="generic", token=SECRET)
            for name in names
        ]
    )
    flux_url = await world.stack.enter_async_context(serve_stand_in(flux))
    (world.folder / "secrets" / "token").write_bytes(SECRET)
    for name in SERVED:
        held, signs = hook_secret(name, SECRET), sender_secret(name, SECRET)
        (world.folder / "secrets" / f"of-{name}-hook").write_bytes(held)
        (world.folder / "secrets" / f"of-{name}-sender").write_bytes(signs)
    (world.folder / "router.yaml").write_text(routing_file(repository, flux_url))
    await world.start(ROUTER_DATA_DIR=str(world.folder / "clones"))
    return flux


async def settle(world: World) -> None:
    """Wait until every push is planned, git mode's too, and every call made."""

    async def is_planned() -> bool:
        answer = await world.admin.get("/api/v1/deliveries", params={"limit": 200})
        return all(each["status"] == "routed" for each in answer.json()["deliveries"])

    await world.wait_until(is_planned)
    await world.wait_until_idle()


async def test_a_push_in_every_providers_name_calls_what_git_says_has_changed(
    world: World, repository: Repository
) -> None:
    repository.show(repository.before)
    flux = await start(world, repository)
    for provider in SERVED:
        move = ("0" * 40, repository.before, "refs/heads/main")
        await asyncio.to_thread(send, world, provider, repository, *move)
    await settle(world)
    count = len(flux.calls)
    repository.show(repository.after)
    await asyncio.sleep(1.1)  # Harbor tells whole seconds: within one, no order is certain
    for provider in (*SERVED, *sorted(TELLS_DIGESTS)):  # the same digest twice counts once
        move = (repository.before, repository.after, "refs/heads/main")
        await asyncio.to_thread(send, world, provider, repository, *move)
    await settle(world)
    assert repository.changed == {"a"}
    expected = [f"{name}-{mode}-a" for name in PROVIDERS for mode in MODES]
    expected += [f"{name}-payload-b" for name in PROVIDERS if name not in LISTS_FILES]
    expected += [f"{name}-artifact" for name in REGISTRIES]
    assert sorted(call.name for call in flux.calls[count:]) == sorted(expected)
