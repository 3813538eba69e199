"""How CI publishes layers: its script is run for real, but for the command flux."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from router.config.load import check_file
from tests.architecture.shell import NotACommand, check_options
from tests.deploy.rendered import ROOT
from tests.deploy.trees import LAYERS, OCI, make_fleet, of_layers, routing_file
from tests.remote.git.local import Repo, make_repo

if TYPE_CHECKING:
    from collections.abc import Iterator

FLUX = """\
#!/bin/sh
[ "$1 $2" = "push artifact" ] || exit 2
[ ! -e "$TOLD/fail" ] || exit 1
name=${3#oci://registry.example/layers/}
folder=${4#--path=}
mkdir -p "$TOLD/$name"
cp -R "$folder/." "$TOLD/$name"
echo "$6" > "$TOLD/$name/revision"
"""
"""Keeps what is pushed in a folder for each artifact and tag."""

ROUTER = f"""\
#!/bin/sh
PYTHONPATH={ROOT} exec {sys.executable} -m router "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A checkout, its remote, and what was published."""

    repo: Repo
    told: Path
    commands: Path

    def run(self) -> tuple[int, list[str]]:
        """Exit code, and which artifacts were published."""
        shutil.rmtree(self.told, ignore_errors=True)
        self.told.mkdir()
        done = self._run()
        return done.returncode, sorted(path.name for path in self.told.iterdir())

    def fail(self) -> int:
        """The exit code of a run for which the registry takes nothing."""
        (self.told / "fail").touch()
        return self._run().returncode

    def _run(self) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.commands}:{os.environ['PATH']}",
            "HOME": str(self.commands),
            "TOLD": str(self.told),
            "REGISTRY": "registry.example/layers",
            "SOURCE": "https://git.example/acme/fleet",
        }
        return subprocess.run(
            ["ci/publish"],
            cwd=self.repo.path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, script in (("flux", FLUX), ("flux-router", ROUTER)):
        (commands / name).write_text(script)
        (commands / name).chmod(0o755)
    make_repo(tmp_path / "remote.git", "--bare")
    repo = make_fleet(OCI, tmp_path / "fleet")
    repo.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    repo.git("push", "--quiet", "origin", "main")
    (tmp_path / "told").mkdir()
    return Pipeline(repo=repo, told=tmp_path / "told", commands=commands)


def test_what_differs_from_what_was_published_last_is_published(pipeline: Pipeline) -> None:
    # the first run has nothing to compare with
    assert pipeline.run() == (0, sorted(f"{layer}:main" for layer in LAYERS))
    files = {str(each.relative_to(pipeline.told)) for each in pipeline.told.rglob("*.yaml")}
    assert {name for name in files if name.startswith("app2:main")} == {
        "app2:main/apps/app2/kustomization.yaml",
        "app2:main/apps/base/kustomization.yaml",
        "app2:main/apps/base/settings.yaml",
    }
    assert "databases:main/databases/settings.yaml" in files
    # one app, and a file that no layer owns; the run fails, and then history is rewritten
    pipeline.repo.commit({"apps/app1/new.yaml": "a: 1", "README.md": "1"})
    assert pipeline.fail() == 1
    pipeline.repo.git("commit", "--quiet", "--amend", "--message", "another one")
    assert pipeline.run() == (0, ["app1:main"])
    revision = (pipeline.told / "app1:main" / "revision").read_text()
    assert revision == f"--revision=main@sha1:{pipeline.repo.git('rev-parse', 'HEAD')}\n"


def test_both_routing_files_of_the_oci_strategy_have_the_same_layers() -> None:
    published = check_file(OCI / "ci" / "layers.yaml", secrets="optional")
    followed = check_file(routing_file(OCI), secrets="optional")
    assert published.problems == followed.problems == ()
    assert [(use.layer, use.depends_on) for use in published.uses] == [
        (use.layer, use.depends_on) for use in followed.uses
    ]
    text = yaml.safe_load(routing_file(OCI).read_text())
    urls = {each["name"]: each["artifact"] for each in text["artifacts"][0]["layers"]}
    sources = of_layers(OCI, "OCIRepository")
    assert {name: each["spec"]["url"] for name, each in sources.items()} == urls
    tags = {each["spec"]["ref"]["tag"] for each in sources.values()}
    assert tags == {each["tag"] for each in text["artifacts"][0]["layers"]} == {"main"}


def pipeline_commands() -> Iterator[str]:
    """Every flux-router command of the script and the pipelines."""
    files = [OCI / "ci" / "publish", OCI / ".gitlab-ci.yml", *OCI.glob(".github/workflows/*")]
    for file in files:
        found = re.findall(r"^[ \-]*(?:run: )?flux-router (.*)$", file.read_text(), re.MULTILINE)
        assert bool(found), file
        yield from found


def test_pipelines_set_the_variable_that_stands_for_secrets() -> None:
    text = yaml.safe_load((OCI / "ci" / "layers.yaml").read_text())
    [hook], [cluster] = text["hooks"], text["clusters"]
    assert hook["secrets"] == [cluster["receiver"]["token"]] == [{"env": "NOT_NEEDED_IN_CI"}]
    gitlab = yaml.safe_load((OCI / ".gitlab-ci.yml").read_text())["publish"]
    [github] = [yaml.safe_load(file.read_text()) for file in OCI.glob(".github/workflows/*")]
    for job in (gitlab["variables"], github["jobs"]["publish"]["env"]):
        assert job["NOT_NEEDED_IN_CI"]


def test_the_commands_of_pipelines_are_commands() -> None:
    commands = [shlex.split(each.partition(" > ")[0]) for each in pipeline_commands()]
    assert [words[0] for words in commands] == ["affected", "check", "check"]
    for words in commands:
        check_options(words)
    with pytest.raises(NotACommand):
        check_options(["affected", "--bas", "x"])
