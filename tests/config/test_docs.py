"""The reference pages say what the code does: every key and setting, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from router.config.schema import routing_schema
from router.config.settings import Settings, variable
from tests.config.key_paths import NO_DEFAULT, rows

ROOT = Path(__file__).parents[2]
ROUTING = (ROOT / "docs/routing-file.md").read_text()
SETTINGS = (ROOT / "docs/settings.md").read_text()


def test_every_setting_is_documented_with_its_default_and_nothing_else() -> None:
    told = re.findall(r"^\| `(\w+)` \| (.+?) \| .+ \|$", SETTINGS, re.MULTILINE)
    expected = []
    for name, field in Settings.model_fields.items():
        value = field.default.text if name == "database_url" else field.default
        default = NO_DEFAULT if value is None else f"`{str(value).lower()}`"
        if name in {"config", "data_dir"}:
            default = f"`./{field.default}`"
        expected.append((variable(name), default))
    assert told == expected


KEYS = re.findall(r"^\| `([^`]+)` \| (.+?) \| (.+?) \| (.+) \|$", ROUTING, re.MULTILINE)


def test_every_key_is_documented_with_its_type_and_default_and_nothing_else() -> None:
    assert [told[:3] for told in KEYS] == [row[:3] for row in rows()]


def test_every_key_is_described_as_in_the_form_and_perhaps_further() -> None:
    for told, (key, *_, description) in zip(KEYS, rows(), strict=True):
        assert told[3].replace("`", "").startswith(description.replace("`", "")), key


def test_the_worked_example_is_in_the_page() -> None:
    example = (ROOT / "config/router.yaml").read_text()
    assert f"```yaml\n{example}```" in ROUTING


def test_the_links_of_both_pages_lead_somewhere() -> None:
    for page in (ROUTING, SETTINGS):
        for link in re.findall(r"\]\(([^)#]+)\)", page):
            assert (ROOT / "docs" / link).exists(), link


def test_every_key_of_the_schema_is_described() -> None:
    schema = routing_schema()
    for form in (schema, *schema["$defs"].values()):
        for key, value in form["properties"].items():
            assert value["description"].endswith("."), key
