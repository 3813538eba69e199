"""Files that cost as much as they can: the closure is unknown, with the reason, and soon told."""

from __future__ import annotations

import pytest

from router.core.kustomize.documents import MAX_DOCUMENT_BYTES
from tests.core.kustomize.trees import closure_of

MANY = 200_000
KEYS = "{" + ", ".join(f"k{number}: v" for number in range(20_000)) + "}"
BOMB = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))])
INDENTED = "\n".join(f"  {line}" for line in BOMB.splitlines())
LONG_PLUGIN = "x: [" + "a," * 20_000 + "]"

HOSTILE = {
    "an alias bomb": (f"metadata:\n{INDENTED}\nresources: *a39", "holds something that is no text"),
    "an unknown field of an alias bomb": (BOMB, "field `a0` is not known"),
    "a merge bomb": (f"a: &a {KEYS}\nb: {{<<: [{'*a,' * 100_000}]}}", "more than 100000"),
    "many merges": (
        f"a: &a {KEYS}\nb: [{', '.join(['{<<: *a}'] * 20_000)}]",
        "`<<` merges more than 100000 keys",
    ),
    "a merged list, again and again": (
        f"a: &a [{'{},' * 20_000}]\nb: {{{'<<: *a,' * 10_000}}}",
        "`<<` merges more than 100000 mappings",
    ),
    "a million entries": ("resources:\n" + "- a\n" * MANY, "it holds more than 100000 values"),
    "a list, named again and again": (
        f"metadata: &a [{'x,' * 1000}]\nconfigMapGenerator: [&g {{files: *a}}, {'*g,' * 40_000}]",
        "it names more than 100000 files",
    ),
    "an inline plugin, named again and again": (
        f"metadata: &p '{{kind: PatchTransformer, apiVersion: builtin, {LONG_PLUGIN}}}'\n"
        f"transformers: [{'*p,' * 50_000}missing.yaml]",
        "there is no apps/missing.yaml",
    ),
    "a mapping, named again and again": (
        f"metadata: &a {KEYS}\npatches: [{'*a,' * 50_000}]\nresources: [missing.yaml]",
        "there is no apps/missing.yaml",
    ),
    "over 1 MiB": ("#" * (MAX_DOCUMENT_BYTES + 1), "it is larger than 1024 KiB"),
    "one name": (f"resources: ['{'@' * 500_000}']", "a name has more than 4096 characters"),
    "names that are slow to tell from URLs": (
        "resources: [" + ",".join(f"'{n}{'@a.' * 1300}'" for n in range(200)) + "]",
        "there is no apps/0@a.@a.",
    ),
    "deep nesting": ("x: " + "[" * 400_000 + "]" * 400_000, "it is nested more than 100 times"),
    "a null byte": ("resources: [a\0]", "it is not YAML"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_kustomization_file_is_soon_unknown(name: str) -> None:
    text, why = HOSTILE[name]
    closure = closure_of({"apps/kustomization.yaml": text}, "apps")
    assert closure.unknown is not None
    assert closure.unknown.startswith("apps/kustomization.yaml: ")
    assert why in closure.unknown
    assert set(closure.files) == {"apps/kustomization.yaml"}


def test_a_chain_of_kustomizations_is_followed_for_a_while() -> None:
    files = {f"{n}/kustomization.yaml": f"resources: [../{n + 1}]" for n in range(2000)}
    closure = closure_of(files, "0")
    assert "kustomizations lead on for more than 100 steps" in (closure.unknown or "")
    assert len(closure.files) == 101


def test_wide_circles_end() -> None:
    names = [f"../{number}" for number in range(60)]
    text = f"resources: [{', '.join(names)}]"
    closure = closure_of({f"{n}/kustomization.yaml": text for n in range(60)}, "0")
    assert "is part of a circle" in (closure.unknown or "")
    assert len(closure.files) == 60


def test_charts_that_are_the_whole_repository_are_read_once() -> None:
    charts = ", ".join(f"{{name: {'./' * number}..}}" for number in range(300))
    files = {f"files/{number}": "x" for number in range(5000)}
    closure = closure_of(
        {
            "apps/kustomization.yaml": f"helmCharts: [{charts}]\nhelmGlobals: {{chartHome: .}}",
            **files,
        },
        "apps",
    )
    assert closure.unknown is None
    assert len(closure.files) == 5001
