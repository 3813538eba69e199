"""What sources hold of the repository, beside what the routing files say that layers own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from router.config.load import check_file
from router.core.changes import ExactPaths
from router.core.match import match_layers
from tests.deploy.trees import EXAMPLES, GIT, make_fleet, make_tree, of_layers, routing_file


def owned_files(file: Path, paths: tuple[str, ...]) -> dict[str, set[str]]:
    """By layer of the routing file *file*: which of *paths* are its own."""
    checked = check_file(file, secrets="optional")
    assert checked.routing is not None
    (entry,) = checked.routing.repositories
    owned: dict[str, set[str]] = {layer.name: set() for layer in entry.layers}
    for path in paths:
        for match in match_layers(entry.index, ExactPaths((path,)), unmapped="ignore").matches:
            if match.is_affected:
                owned[match.layer].add(path)
    return owned


def test_a_source_holds_what_its_layer_owns_and_nothing_else(tmp_path: Path) -> None:
    repo = make_fleet(GIT, tmp_path / "fleet")
    paths = tuple(repo.git("ls-files").splitlines())
    owned = owned_files(routing_file(GIT), paths)
    rules = tmp_path / "rules"
    for layer, manifest in of_layers(GIT, "GitRepository").items():
        rules.write_text(manifest["spec"]["ignore"])
        ignored = repo.git("ls-files", "--cached", "--ignored", f"--exclude-from={rules}")
        assert set(paths) - set(ignored.splitlines()) == owned[layer]
        assert owned[layer]


def test_an_external_artifact_holds_what_its_layer_owns(tmp_path: Path) -> None:
    strategy = EXAMPLES / "artifactgenerator"
    tree = make_tree(strategy, tmp_path / "fleet")
    paths = [str(file.relative_to(tree)) for file in tree.rglob("*") if file.is_file()]
    owned = owned_files(routing_file(strategy), tuple(paths))
    [generator] = of_layers(strategy, "ArtifactGenerator").values()
    for artifact in generator["spec"]["artifacts"]:
        assert {path for path in paths if is_copied(artifact, path)} == owned[artifact["name"]]
    assert {each["name"] for each in generator["spec"]["artifacts"]} == set(owned)


def is_copied(artifact: dict[str, Any], path: str) -> bool:
    """Whether a generator copies *path*; it must stay where it is, for the bases' sake."""
    for copy in artifact["copy"]:
        assert copy["from"] == copy["to"].replace("@artifact/", "@fleet/") + "**"
        folder = copy["to"].removeprefix("@artifact/")
        if path.startswith(folder):
            return not (copy.get("exclude") == ["**/*.md"] and path.endswith(".md"))
    return False
