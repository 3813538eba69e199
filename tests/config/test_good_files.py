"""What sound routing files mean; the examples of the repository among them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from router.config.load import Checked, check_file
from router.config.schema import routing_schema
from router.core.model import Secret
from router.core.routing import (
    BasicAuth,
    Cluster,
    GitAccess,
    HeaderAuth,
    OidcAuth,
    PathAuth,
    Routing,
)

ROOT = Path(__file__).parents[2]
GOOD = Path(__file__).parent / "good"
EXAMPLES = [ROOT / "config/router.yaml", *sorted((ROOT / "config/examples").glob("*.yaml"))]
ENVIRON = {"HOOK_SECRET": "one\n", "OTHER_SECRET": "two", "RECEIVER_TOKEN": "token"}


def checked(path: Path) -> Checked:
    return check_file(path, secrets="optional", environ=ENVIRON)


def routing_of(path: Path) -> Routing:
    result = checked(path)
    assert result.problems == ()
    assert result.routing is not None
    return result.routing


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_loads_with_no_other_warnings_than_missing_secrets(path: Path) -> None:
    assert routing_of(path).layers
    known = ("does not exist", "is not set", "`dependsOn` does not order calls yet")
    assert [w for w in checked(path).warnings if not w.message.endswith(known)] == []


@pytest.mark.parametrize("path", [*EXAMPLES, *GOOD.glob("*.yaml")], ids=lambda path: path.stem)
def test_a_good_file_is_valid_by_the_schema(path: Path) -> None:
    jsonschema.Draft202012Validator(routing_schema()).validate(read(path))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_names_the_schema_that_stands_beside_it(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    name = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / name).resolve() == ROOT / "config/routing-file.schema.json"


def test_the_committed_schema_is_the_one_of_the_models() -> None:
    committed = (ROOT / "config/routing-file.schema.json").read_text()
    assert committed == json.dumps(routing_schema(), indent=2) + "\n"
    jsonschema.Draft202012Validator.check_schema(routing_schema())


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"extra": 1}, "extra"),
        ({"hooks": []}, "[]"),
        ({"hooks": [{"name": "a", "provider": "github"}]}, "provider"),
        ({"hooks": [{"name": "A", "provider": "github", "secrets": [{"env": "E"}]}]}, "'A'"),
        ({"hooks": [{"name": "a", "provider": "x", "secrets": [{"env": "E"}]}]}, "'x'"),
        (
            {"hooks": [{"name": "a", "provider": "gar", "secrets": [{"env": "E", "file": "f"}]}]},
            "env",
        ),
        ({"repositories": None}, "None"),
    ],
)
def test_the_schema_refuses(change: dict[str, Any], word: str) -> None:
    document = {**read(GOOD / "minimal.yaml"), **change}
    with pytest.raises(jsonschema.ValidationError, match=word.replace("[", r"\[")):
        jsonschema.Draft202012Validator(routing_schema()).validate(document)


def test_the_worked_example_has_the_chain_of_seven_layers() -> None:
    routing = routing_of(EXAMPLES[0])
    assert {layer.name: layer.depends_on for layer in routing.layers.values()} == {
        "bootstrap": (),
        "controllers": ("bootstrap",),
        "databases": ("controllers",),
        "post-config": ("databases",),
        "app1": ("post-config",),
        "app2": ("post-config",),
        "app3": ("post-config",),
    }
    sharing = [layer.name for layer in routing.layers.values() if "apps/base/" in layer.patterns]
    assert sharing == ["app1", "app2", "app3"]
    assert next(iter(routing.receivers)) == "prod/flux-system/bootstrap"


def test_a_minimal_file_gets_the_defaults() -> None:
    routing = routing_of(GOOD / "minimal.yaml")
    [entry] = routing.repositories
    assert (entry.ref, entry.force_pushes, entry.unmapped) == (
        "refs/heads/main",
        "possible",
        "ignore",
    )
    [receiver] = routing.receivers.values()
    assert (receiver.key, receiver.type) == ("prod/flux-system/apps", "generic-hmac")
    assert receiver.token == Secret(b"token")
    assert routing.clusters == {"prod": Cluster(name="prod", url="http://flux")}
    assert routing.hooks["github"].secrets == (Secret(b"one"),)
    assert entry.git is None
    assert [e.name for e in routing.entries("github", ["git@github.com:acme/fleet.git"])] == [
        "fleet"
    ]


def test_the_worked_example_reads_the_repository_with_git() -> None:
    [entry] = routing_of(EXAMPLES[0]).repositories
    assert entry.git == GitAccess(url="https://github.com/acme/fleet")


def test_the_whole_form_loads() -> None:
    routing = routing_of(GOOD / "whole-form.yaml")
    assert {name: hook.auth for name, hook in routing.hooks.items()} == {
        "github": None,
        "basic": BasicAuth(username="me", password=Secret(b"one")),
        "header": HeaderAuth(name="x-token", value=Secret(b"one")),
        "path": PathAuth(token=Secret(b"one")),
        "oidc": OidcAuth(issuer="https://a.example", audience="us", email="a@b"),
    }
    assert {name: layer.receivers for name, layer in routing.layers.items()} == {
        "base": ("prod/flux/x-base", "test/flux-system/base"),
        "app": ("prod/apps/shared", "test/flux-system/app"),
        "other": ("prod/apps/shared",),
        "image": ("prod/flux/x-image",),
    }
    kinds = {key: (r.type, r.token, r.bearer_file) for key, r in routing.receivers.items()}
    assert kinds == {
        "prod/flux/x-base": ("gitlab", Secret(b"token"), None),
        "test/flux-system/base": ("generic-oidc", None, str(GOOD / "bearer/base")),
        "prod/apps/shared": ("gitlab", Secret(b"token"), None),
        "test/flux-system/app": ("generic", Secret(b"two"), None),
        "prod/flux/x-image": ("gitlab", Secret(b"token"), None),
    }
    assert [(each.hook, each.artifact, each.tag) for each in routing.artifacts] == [
        ("oidc", "ghcr.io/acme/layers/image", "main")
    ]
    assert routing.clusters["test"].ca_file == str(GOOD / "ca.crt")
    assert [entry.ref for entry in routing.repositories] == [
        "refs/tags/v[0-9]*",
        "refs/heads/release/*",
    ]
    assert [entry.git for entry in routing.repositories] == [
        GitAccess(
            url="ssh://git@github.com/acme/fleet",
            sweep_interval_seconds=600,
            visible_timeout_seconds=45,
        ),
        GitAccess(
            url="https://github.com/acme/fleet", username="bot", token=Secret(b"two"), ca=None
        ),
    ]
    held = {
        name for name in routing.layers if routing.is_held(routing.layers[name].receivers[-1], name)
    }
    assert held == {"base", "other", "image"}


def test_what_this_version_does_not_do_is_warned_of_once_each() -> None:
    warnings = checked(GOOD / "whole-form.yaml").warnings
    assert [f"{w.line} {w.message.partition(':')[0]}" for w in warnings] == [
        "14 events are not served by this version",
        "17 the cluster's url is not https",
        "17 the file tests/config/good/ca.crt does not exist".replace("tests", str(ROOT / "tests")),
        "28 the file tests/config/good/absent does not exist".replace("tests", str(ROOT / "tests")),
        "29 the file tests/config/good/absent does not exist".replace("tests", str(ROOT / "tests")),
        "38 `dependsOn` does not order calls yet",
        "48 the file tests/config/good/ca.crt does not exist".replace("tests", str(ROOT / "tests")),
    ]
    assert all(w.is_warning for w in warnings)
