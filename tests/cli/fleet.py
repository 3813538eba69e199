"""A checkout with its routing file, and the commands on them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from router.cli.app import cli

if TYPE_CHECKING:
    from click.testing import Result

    from tests.remote.git.local import Repo

SECOND_ENTRY = """\
  - name: {name}
    hook: github
    url: {url}
    ref: {ref}
    layers: [{{name: {name}-all, paths: ["."]}}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    repo: Repo
    config: Path

    def explain(self, *words: str) -> Result:
        return run("explain", "--config", str(self.config), "--repo", str(self.repo.path), *words)

    def affected(self, *words: str) -> Result:
        return run("affected", "--config", str(self.config), "--repo", str(self.repo.path), *words)

    def check(self, *words: str) -> Result:
        return run("check", str(self.config), "--repo", str(self.repo.path), *words)

    def change(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def add_entry(self, name: str, url: str, ref: str = "main") -> None:
        with self.config.open("a") as file:
            file.write(SECOND_ENTRY.format(name=name, url=url, ref=ref))


def run(*words: str) -> Result:
    """A command in this process; an error of ours is left in the result."""
    return CliRunner().invoke(cli, words)


def as_json(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
