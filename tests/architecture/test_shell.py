"""Every command that a page shows exists, with every option that it is shown with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from router.cli.app import cli
from tests.architecture.shell import SETTINGS, NotACommand, check_command, shown_commands

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "deploy" / "examples").rglob("README.md"))
TROUBLE = (ROOT / "docs" / "troubleshooting.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


@pytest.mark.parametrize("page", [*PAGES, *EXAMPLES], ids=lambda page: str(page.relative_to(ROOT)))
def test_what_stands_after_a_prompt_can_be_typed(page: Path) -> None:
    for line in shown_commands(page.read_text()):
        if not line.startswith("for "):  # a script of its own
            check_command(line)


def test_the_readme_shows_what_the_worked_example_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    shown = re.sub(r"^   ", "", PAGES[0].read_text(), flags=re.MULTILINE)
    for command in (
        "check config/router.yaml",
        "explain --config config/router.yaml --path apps/base/deployment.yaml",
    ):
        output = CliRunner().invoke(cli, command.split()).output
        assert f"$ flux-router {command}\n{output}" in shown


def test_the_page_of_troubles_shows_commands() -> None:
    assert len(list(shown_commands(TROUBLE))) > 20


@pytest.mark.parametrize(
    "line",
    [
        "flux-router deliveries --nope",
        "flux-router deliveris",
        "flux-router layers -o yaml",
        "flux-router layers app1 app2",
        "flux-router deliveries --limit 0",
        "flux-router notify",
        "flux-router",
        "curl http://x | flux-router layers --all",
        "ROUTER_NOPE=1 flux-router serve",
        "ROUTER_CONFIG=x",
        "folder=$(mktmp -d)",
        "fluxrouter layers",
    ],
)
def test_what_cannot_be_typed_is_refused(line: str) -> None:
    with pytest.raises(NotACommand):
        check_command(line)


def test_metrics_settings_and_log_events_of_the_page_of_troubles_exist() -> None:
    metrics = set(re.findall(r"^\| `(\w+)` \|", OPERATIONS, re.MULTILINE))
    named = set(re.findall(r"flux_router_\w+", TROUBLE))
    named = {name.removesuffix("_count").removesuffix("_sum") for name in named}
    assert {name for name in named if not name.endswith("_")} <= metrics
    assert set(re.findall(r"`(ROUTER_\w+)`", TROUBLE)) - {"ROUTER_DATABASE_URL"} <= SETTINGS
    events = set(re.findall(r'"event":"([\w.]+)"', TROUBLE))
    assert events
    assert all(f"`{event}`" in OPERATIONS for event in events)


def test_every_page_is_in_the_table_of_the_readme() -> None:
    readme = PAGES[0].read_text()
    assert [page.name for page in PAGES[1:] if f"](docs/{page.name})" not in readme] == []


def test_links_of_pages_lead_somewhere() -> None:
    for page in [*PAGES, *EXAMPLES]:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            assert file.exists(), f"{page.name}: {target}"
            if anchor and file.suffix == ".md":
                assert anchor in anchors(file.read_text()), f"{page.name}: {target}"


def anchors(text: str) -> set[str]:
    """What a Git host makes of headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
