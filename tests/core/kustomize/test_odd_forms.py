"""Forms of naming a file that are easily overlooked, held against a real kustomize."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from router.core.kustomize.changed import read_changes
from router.core.kustomize.closure import Build
from tests.core.kustomize.kustomize import FAILS, render
from tests.core.kustomize.trees import closure_of


def config_map(value: str, *, name: str = "a") -> str:
    metadata = {"name": name}
    return json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"v": value}}
    )


FILES = {
    "apps/a.yaml": config_map("1"),
    "apps/b.yaml": config_map("1", name="b"),
    "apps/f.txt": "1",
    "apps/g.txt": "1",
    "apps/e.env": "K=1",
    "apps/p.yaml": config_map("p"),
    "apps/targets.yaml": "targets: [{selector: {kind: ConfigMap}, fieldPath: data/one}]",
}
CHANGED = {
    "apps/a.yaml": config_map("2"),
    "apps/b.yaml": config_map("2", name="b"),
    "apps/f.txt": "2",
    "apps/e.env": "K=2",
    "apps/p.yaml": config_map("q"),
    "apps/targets.yaml": "targets: [{selector: {kind: ConfigMap}, fieldPath: data/two}]",
}
PLUGIN = "apiVersion: builtin\nmetadata: {name: x}\n"
VALUE_ADD = f"{PLUGIN}kind: ValueAddTransformer\nvalue: hello\ntargetFilePath: targets.yaml\n"
GENERATOR = {
    "apiVersion": "builtin",
    "kind": "ConfigMapGenerator",
    "metadata": {"name": "g"},
    "files": ["f.txt"],
}
LIST = {"apiVersion": "builtin", "kind": "List", "metadata": {"name": "l"}, "items": [GENERATOR]}


@pytest.mark.parametrize(
    ("changed", "text", "more", "is_known"),
    [
        ("targets.yaml", "resources: [a.yaml]\ntransformers: [t.yaml]",
         {"t.yaml": VALUE_ADD}, True),
        ("targets.yaml", json.dumps({"resources": ["a.yaml"], "transformers": [VALUE_ADD]}),
         {}, True),
        # Field names in other cases, as Go's JSON folds them.
        ("f.txt", "configMapGenerator: [{name: c, Files: [f.txt]}]", {}, False),
        ("f.txt", "configMapGenerator: [{name: c, file\u017f: [f.txt]}]", {}, False),
        ("e.env", "configMapGenerator: [{name: c, ENVS: [e.env]}]", {}, False),
        ("e.env", "secretGenerator: [{name: c, Env: e.env}]", {}, False),
        ("p.yaml", "resources: [a.yaml]\npatches: [{Path: p.yaml}]", {}, False),
        ("p.yaml", "resources: [a.yaml]\ntransformers: [t.yaml]",
         {"t.yaml": f"{PLUGIN}kind: PatchTransformer\nPath: p.yaml"}, False),
        ("a.yaml", "Resources: [a.yaml]", {}, False),
        # In a kustomization file, what `<<` merges counts more than a key before it.
        ("f.txt", "configMapGenerator:\n- name: c\n  files: [k=g.txt]\n"
         "  <<: {name: d, files: [k=f.txt]}\n", {}, False),
        ("b.yaml", "resources: [a.yaml]\n<<: {resources: [b.yaml]}\n", {}, False),
        ("f.txt", "generators: [t.yaml]", {"t.yaml": json.dumps(LIST)}, False),
        ("f.txt", json.dumps({"generators": [json.dumps(LIST)]}), {}, False),
        ("a.yaml", "resources: [!!binary YS55YW1s]",
         {"YS55YW1s": config_map("1", name="other")}, False),
        ("f.txt", "configMapGenerator: [{name: c, !!binary ZmlsZXM=: [f.txt]}]", {}, False),
        ("p.yaml", "metadata: &x\n  name: k\n  labels: &x {path: p.yaml}\n"
         "resources: [a.yaml]\npatches: [*x]\n", {}, True),
        # Only the first document is read.
        ("a.yaml", "resources: [a.yaml]\n---\n", {}, True),
        ("a.yaml", "resources: [a.yaml]\n---\nresources: [b.yaml]\n", {}, True),
    ],
)  # fmt: skip
def test_a_file_that_changes_what_is_made_is_read_or_nobody_knows(
    changed: str, text: str, more: dict[str, str], *, is_known: bool, tmp_path: Path
) -> None:
    before = FILES | {"apps/kustomization.yaml": text}
    before |= {f"apps/{name}": content for name, content in more.items()}
    after = before | {f"apps/{changed}": CHANGED[f"apps/{changed}"]}
    outputs = render(tmp_path, (before, after), Build(folders=("apps",)))
    assert FAILS not in outputs
    assert outputs[0] != outputs[1], "kustomize does not read it"
    closures = [closure_of(files, "apps") for files in (before, after)]
    builds = read_changes({"apps": closures}, [f"apps/{changed}"])
    assert bool(builds.readings) is is_known
    assert bool(builds.unknown) is not is_known


@pytest.mark.parametrize(
    "text",
    [
        "resources: [a.yaml]\n---\n",
        json.dumps({"generators": [json.dumps(GENERATOR, separators=(",", ":"))]}),
        json.dumps({"patchesStrategicMerge": ['{"kind":"ConfigMap"}']}),
        "configMapGenerator: [{<<: {files: [f.txt]}, name: c}]",
        "configMapGenerator: [&c {name: c, files: [f.txt]}, {<<: *c, name: d}]",
        "configMapGenerator: [&c {name: c, files: [f.txt]}, {!!merge <<: *c, name: d}]",
        "resources: [!!str a.yaml, ! b.yaml]",
        "metadata: &x {name: &x k}\nnamespace: *x\n",
    ],
)
def test_what_is_plain_is_known(text: str) -> None:
    assert closure_of(FILES | {"apps/kustomization.yaml": text}, "apps").unknown is None


@pytest.mark.parametrize(
    "text",
    [
        "configMapGenerator: [{FILES: []}]",
        "secretGenerator: [{Envs: []}]",
        "configMapGenerator: [{eNv: x}]",
        "patches: [{PATH: x}]",
        "openapi: {Path: x}",
        "helmCharts: [{Name: x}]",
        "helmCharts: [{name: x, Version: x}]",
        "helmCharts: [{name: x, ValuesFile: x}]",
        "helmCharts: [{name: x, additionalvaluesfiles: [x]}]",
        "helmCharts: [{name: x}]\nhelmGlobals: {charthome: x}",
        "helmChartInflationGenerator: [{ChartName: x}]",
        "helmChartInflationGenerator: [{chartName: x, ChartVersion: x}]",
        "helmChartInflationGenerator: [{chartName: x, Values: x}]",
        "transformers: ['{apiVersion: builtin, kind: X, Paths: [x]}']",
        "transformers: ['{apiVersion: builtin, kind: X, Replacements: []}']",
        "transformers: ['{apiVersion: builtin, kind: X, replacements: [{Path: x}]}']",
        "transformers: ['{apiVersion: builtin, kind: ValueAddTransformer, targetfilepath: x}']",
    ],
)
def test_no_field_that_names_files_is_overlooked_in_another_case(text: str) -> None:
    closure = closure_of({"apps/kustomization.yaml": text}, "apps")
    assert "is written in another case" in (closure.unknown or "")


def test_what_plugins_from_elsewhere_read_is_not_known() -> None:
    text = "transformers: ['https://example.com/t.yaml']"
    closure = closure_of({"apps/kustomization.yaml": text}, "apps")
    assert "https://example.com/t.yaml read is not followed" in (closure.unknown or "")
