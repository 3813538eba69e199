"""What the docs tell of metrics, commands, statuses and manifests is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from router.cli.app import cli
from router.config.load import check_file
from router.config.settings import Settings, variable
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


def manifests() -> list[dict[str, object]]:
    files = [file for file in sorted((ROOT / "deploy").glob("*.yaml")) if file.stem != "router"]
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


def test_manifests_are_listed_and_parse() -> None:
    kustomization = yaml.safe_load((ROOT / "deploy" / "kustomization.yaml").read_text())
    files = {file.name for file in (ROOT / "deploy").glob("*.yaml")}
    generated = set(kustomization["configMapGenerator"][0]["files"])
    assert set(kustomization["resources"]) | generated | {"kustomization.yaml"} == files
    assert all({"apiVersion", "kind"} <= set(manifest) for manifest in manifests())


def test_the_deployment_mounts_what_its_routing_file_and_settings_name() -> None:
    (deployment,) = [item for item in manifests() if item["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]  # type: ignore[index]
    (container,) = pod["containers"]
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    settings = {item["name"]: item["value"] for item in container["env"]}
    assert set(settings) <= {variable(field) for field in Settings.model_fields}
    text = (ROOT / "deploy" / "router.yaml").read_text()
    for path in [settings["ROUTER_ADMIN_TOKEN_FILE"], *re.findall(r"/etc/[\w/-]+", text)]:
        assert any(path.startswith(mount) for mount in mounts), path
    assert pod["terminationGracePeriodSeconds"] > Settings().stop_deadline_seconds


def test_the_deployment_s_routing_file_loads() -> None:
    checked = check_file(ROOT / "deploy" / "router.yaml", secrets="optional")
    assert checked.problems == ()
