"""What the examples' page has a stranger type, typed: for real, but for the cluster."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.deploy.rendered import ROOT, named
from tests.deploy.trees import BOOTSTRAPPED, EXAMPLES, GIT, LAYERS, applied, build
from tests.remote.git.local import Repo, make_repo

if TYPE_CHECKING:
    from pathlib import Path

PAGE = EXAMPLES / "README.md"
EMPTY = "Into an empty repository"
BOOTSTRAPPED_ALREADY = "Into a repository that is bootstrapped already"

KUBECTL = """\
#!/bin/sh
echo "$@" >> "$TOLD"
for word; do
  case $word in
    --from-file=*|--cert=*|--key=*)
      file=${word##*=}
      [ -s "$file" ] || exit 1
      cat "$(find "$file" -type f | head -n 1)" >> "$SEEN"; echo >> "$SEEN" ;;
  esac
done
"""
"""Keeps its words, and one secret of each file or folder that it is given."""

FLUX = """\
#!/bin/sh
set -e
[ "$1" = bootstrap ] || exit 0
git clone --quiet https://github.com/acme/fleet.git "$HOME/of-flux"
cd "$HOME/of-flux"
mkdir -p clusters/prod
cp -R "$HOME/flux-system" clusters/prod
git add .
git commit --quiet --message "Add Flux sync manifests"
git push --quiet origin main
"""

GIT_CONFIG = """\
[init]
  defaultBranch = main
[pull]
  rebase = false
[user]
  name = stranger
  email = stranger@example.com
[url "{remote}"]
  insteadOf = https://github.com/acme/fleet.git
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """Somebody with a home, a checkout of this project, and an empty repository at a Git host."""

    home: Path
    remote: Repo

    def type(self, *blocks: str) -> None:
        """All in one shell, which ends at the first command that fails."""
        environment = {
            "HOME": str(self.home),
            "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}",
            "TMPDIR": str(self.home / "tmp"),
            "TOLD": str(self.home / "told"),
            "SEEN": str(self.home / "seen"),
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
            cwd=self.home / "checkout",
            env=environment,
            input="token-of-the-git-host\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def secrets(self) -> set[str]:
        """The Secrets that were made."""
        told = (self.home / "told").read_text()
        return set(re.findall(r"create secret \S+ (\S+)", told))


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    for folder in ("bin", "tmp", "checkout", "flux-system"):
        (tmp_path / folder).mkdir()
    (tmp_path / "checkout" / "deploy").symlink_to(ROOT / "deploy")
    for name in ("fullchain.pem", "privkey.pem"):
        (tmp_path / "checkout" / name).write_text(f"of {name}")
    for name, script in (("kubectl", KUBECTL), ("flux", FLUX)):
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    for name, content in BOOTSTRAPPED.items():
        (tmp_path / "flux-system" / name).write_text(content)
    remote = make_repo(tmp_path / "remote.git", "--bare")
    (tmp_path / ".gitconfig").write_text(GIT_CONFIG.format(remote=remote.path))
    return Stranger(home=tmp_path, remote=remote)


def blocks(page: Path, heading: str = "") -> list[str]:
    """What to type of each block below *heading*."""
    _, _, text = page.read_text().partition(f"## {heading}\n" if heading else "\n")
    section = text.partition("\n## ")[0]
    found = re.findall(r"```(?:console)?\n(.*?)```", section, re.DOTALL)
    return [re.sub(r"^[$>] ", "", block, flags=re.MULTILINE) for block in found]


@pytest.mark.parametrize("heading", [EMPTY, BOOTSTRAPPED_ALREADY])
def test_the_steps_of_the_page_lead_to_a_repository_that_flux_builds(
    stranger: Stranger, heading: str
) -> None:
    if heading == BOOTSTRAPPED_ALREADY:
        stranger.type(
            "git clone https://github.com/acme/fleet.git ~/fleet",
            "cd ~/fleet; echo own > own.md; git add .; git commit -m own; git push origin main",
            "flux bootstrap",
        )
    *files, namespaces, push = blocks(PAGE, heading)
    before, *others, after = blocks(PAGE, "Secrets")
    tokens, _ = blocks(GIT / "README.md")
    stranger.type(*files, namespaces, before, *others, tokens, push, after)
    made = {f"receiver-{layer}" for layer in LAYERS}
    made |= {"flux-router-receivers", "fleet-git", "hooks-example-com-tls"}
    assert stranger.secrets() == made
    assert list((stranger.home / "tmp").iterdir()) == []
    # the Git host has all that Flux builds, the clone is the same, and no secret is in either
    clone = stranger.home / "fleet"
    stranger.type("git -C ~/fleet fetch --quiet", "git -C ~/fleet diff --quiet HEAD origin/main")
    manifests = build(clone / "clusters" / "prod")
    assert sorted(map(named, manifests)) == sorted(map(named, applied(GIT)))
    seen = (stranger.home / "seen").read_text().split("\n")
    assert "token-of-the-git-host" in seen
    committed = stranger.remote.git("log", "--patch", "main")
    assert [secret for secret in seen if secret and secret in committed] == []
