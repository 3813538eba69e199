"""What the docs tell of metrics, commands and statuses is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from router.cli.app import cli
from router.core import errors
from router.telemetry.metrics import MetricsObserver
from tests.fakes.clock import FakeClock

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def test_every_metric_is_documented_and_no_other() -> None:
    metrics = MetricsObserver(FakeClock())
    names = set()
    for family in metrics.registry.collect():
        suffix = "_total" if family.type == "counter" else ""
        names.add(family.name + suffix)
    section = OPERATIONS.partition("## Metrics")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == names


def test_every_status_of_an_error_is_documented() -> None:
    statuses = {
        kind.status
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.SenderError)
    }
    documented = {int(number) for number in re.findall(r"^\| (\d{3}) \|", OPERATIONS, re.MULTILINE)}
    assert documented == statuses | {431, 503}


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_has_help_that_says_what_it_does(name: str) -> None:
    command = cli.commands[name]
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert command.get_short_help_str()
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in {"help", "provider"}:
            assert parameter.help, parameter.name


def test_commands_named_in_the_docs_exist() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    text = "\n".join(page.read_text() for page in pages)
    named = set(re.findall(r"`(?:\.venv/bin/)?flux-router (\w+)", text))
    named |= set(re.findall(r"^\s*\$ flux-router (\w+)", text, re.MULTILINE))
    assert named <= set(cli.commands)


def test_the_page_of_commands_shows_their_help() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    shown = re.findall(
        r"^```\n\$ flux-router (\w+) --help\n(.*?)^```", page, re.DOTALL | re.MULTILINE
    )
    assert [name for name, _ in shown] == list(cli.commands)
    for name, text in shown:
        result = CliRunner().invoke(
            cli, [name, "--help"], prog_name="flux-router", terminal_width=100
        )
        assert text == result.output, f"docs/commands.md is behind `flux-router {name} --help`"
