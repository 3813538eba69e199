"""Derived layers put into a routing file: what differs is changed, and every other byte stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from router.config.edit import edit_layers
from router.config.layer_text import block_layer, literal_pattern, scalar
from router.config.load import check_text
from router.core.changes import ExactPaths
from router.core.declared.derive import DerivedLayer
from router.core.declared.objects import FluxReceiver
from router.core.match import LayerIndex, match_layers

HEAD = """\
apiVersion: flux-router/v1
hooks: [{name: github, provider: github, secrets: [{env: SECRET}]}]
clusters: [{name: prod, url: "http://flux", receiver: {token: {env: TOKEN}}}]
repositories:
  - name: fleet
    hook: github
    url: https://github.com/acme/fleet
    ref: main
    git: {}
    layers:
"""
A = "      - {name: a, build: ./a}\n"


def layer(name: str = "x", **fields: Any) -> DerivedLayer:
    return DerivedLayer(**{"name": name, "file": "ks.yaml", "build": f"./{name}", **fields})


def edit(layers: str, *derived: DerivedLayer) -> str:
    """The layers after an edit; the file loads, and a second edit changes nothing."""
    edited = edit_layers(HEAD + layers, "fleet", derived).text
    assert edited.startswith(HEAD)
    checked = check_text(edited, file_name="f", directory=Path(), secrets="optional")
    assert checked.problems == ()
    assert edit_layers(edited, "fleet", derived).text == edited
    return edited.removeprefix(HEAD)


@pytest.mark.parametrize(
    ("before", "fields", "after"),
    [
        # in step already, however it is spelled
        ("      - {name: x, build: x/}\n", {}, "      - {name: x, build: x/}\n"),
        ('      - name: "x"\n        build: [./y, "./x"]\n', {}, None),
        ("      - {name: x, build: ./x, paths: [vars/]}\n", {"paths": ("vars/a",)}, None),
        ("      - {name: x, build: ./x, clusters: [prod], suspend: true}\n", {}, None),
        # what is missing goes below the name
        ("      - name: x # mine\n        paths: [x/]\n", {},
         "      - name: x # mine\n        build: ./x\n        paths: [x/]\n"),
        ("      - {name: x, paths: [x/]}\n", {}, "      - {name: x, build: ./x, paths: [x/]}\n"),
        # what is another folder is replaced; several get one more
        ("      - {name: x, build: ./old} # c\n", {}, "      - {name: x, build: ./x} # c\n"),
        ("      - {name: x, build: [./old]}\n", {}, "      - {name: x, build: [./old, ./x]}\n"),
        ("      # \u00e9 \U0001f600\r\n      - {name: x, build: ./old} # \u00e9\r\n", {},
         "      # \u00e9 \U0001f600\r\n      - {name: x, build: ./x} # \u00e9\r\n"),
        # lists in brackets
        ("      - {name: x, build: ./x, components: [b, c, d]} # c\n", {"components": ("c",)},
         "      - {name: x, build: ./x, components: [c]} # c\n"),
        ("      - {name: x, build: ./x, components: [b]}\n", {},
         "      - {name: x, build: ./x, components: []}\n"),
        ("      - {name: x, build: ./x, components: [b]}\n", {"components": ("c", "d")},
         "      - {name: x, build: ./x, components: [c, d]}\n"),
        # comments between the items of a list in brackets
        ("      - name: x\n        build: ./x\n        components: [\n          ./b, # b, gone\n"
         "          ./c, # c, kept\n          # about d\n          ./d, # d\n        ]\n",
         {"components": ("./c",)},
         "      - name: x\n        build: ./x\n        components: [\n           # b, gone\n"
         "          ./c # c, kept\n          # about d\n          , # d\n        ]\n"),
        # lists of lines
        ("      - name: x\n        build: ./x\n        components:\n        - b # b\n        # c\n"
         "        - c # c\n\n        # end\n        suspend: true\n", {"components": ("c", "d")},
         "      - name: x\n        build: ./x\n        components:\n        # c\n"
         "        - c # c\n        - d\n\n        # end\n        suspend: true\n"),
        ("      - name: x\n        components: # c\n          # b\n          - b\n"
         "        build: ./x\n", {"components": ("c",)},
         "      - name: x\n        components: [c] # c\n          # b\n        build: ./x\n"),
        # texts of several lines
        ("      - name: x\n        build: >-\n          ./old\n        suspend: true\n", {},
         "      - name: x\n        build: ./x\n        suspend: true\n"),
        ("      - name: >-\n          x\n        suspend: true\n", {},
         "      - name: >-\n          x\n        build: ./x\n        suspend: true\n"),
        ("      - name: x\n        build: ./x\n        components:\n          - >-\n"
         "            ../b\n        suspend: true\n", {"components": ("c",)},
         "      - name: x\n        build: ./x\n        components: [c]\n        suspend: true\n"),
        # lines as Windows ends them
        ("      - name: x\r\n        build: ./x\r\n        paths:\r\n          - x/\r\n",
         {"paths": ("v",), "components": ("c",)},
         "      - name: x\r\n        components: [c]\r\n        build: ./x\r\n        paths:\r\n"
         "          - x/\r\n          - v\r\n"),
        # a chart's folder, of which somebody excludes files
        ("      - {name: x, build: ./x, paths: [c/, '!c/templates/tests/', '!c/*.md']}\n",
         {"paths": ("c/",)}, None),
        ("      - {name: x, build: ./x, paths: [c/Chart.yaml]}\n", {"paths": ("c/",)},
         "      - {name: x, build: ./x, paths: [c/Chart.yaml, c/]}\n"),
        # a file without a line break at its end
        ("      - name: x\n        build: ./x\n        paths:\n          - x/", {"paths": ("v",)},
         "      - name: x\n        build: ./x\n        paths:\n          - x/\n          - v"),
    ],
)  # fmt: skip
def test_a_layer_gets_what_differs_and_nothing_else(
    before: str, fields: dict[str, Any], after: str | None
) -> None:
    assert edit(before, layer(**fields)) == (before if after is None else after)


def test_dependencies_are_flux_s_and_those_on_layers_that_flux_does_not_know() -> None:
    mine = "      - {name: mine, paths: [mine/]}\n"
    before = mine + A + "      - {name: x, build: ./x, dependsOn: [mine, a]}\n"
    assert edit(before, layer("a"), layer()).endswith("dependsOn: [mine]}\n")
    assert edit(before, layer("a"), layer(depends_on=("a",))) == before


def test_new_layers_come_last_in_the_hand_of_the_list() -> None:
    new = layer(components=("../tls",), depends_on=("a",), paths=("v",))
    told = "name: x\n{0}build: ./x\n{0}components: [../tls]\n{0}paths: [v]\n{0}dependsOn: [a]\n"
    assert edit(A + "\n# end\n", layer("a"), new) == (
        A + "      - " + told.format("        ") + "\n# end\n"
    )
    assert edit("      [{name: a, build: ./a}] # c\n", layer("a"), layer()) == (
        "      [{name: a, build: ./a}, {name: x, build: ./x}] # c\n"
    )


def test_a_new_layer_comes_after_lists_of_lines_and_before_what_follows() -> None:
    last = "      - name: a\n        build: ./a\n        paths:\n          - &p a/ # last\n"
    after = "\n    # of the entry\n    unmapped: all\n"
    new = "      - name: x\n        build: ./x\n"
    assert edit(last + after, layer("a"), layer()) == last + new + after


def test_files_to_substitute_from_are_paths_of_a_layer_that_had_none() -> None:
    before = "      - {name: x, build: ./x}\n"
    after = '      - {name: x, paths: ["a\\\\[1\\\\].yaml"], build: ./x}\n'
    assert edit(before, layer(paths=("a[1].yaml",))) == after


def test_a_receiver_is_told_where_it_differs_from_the_defaults() -> None:
    usual = FluxReceiver(name="x", namespace="flux-system", type="generic-hmac", resources=())
    assert "receiver" not in block_layer(layer(receiver=usual), "")
    other = FluxReceiver(name="hook", namespace="apps", type="github", resources=())
    assert "  receiver: {name: hook, namespace: apps, type: github}\n" in block_layer(
        layer(receiver=other), ""
    )
    assert edit(A, layer("a", receiver=other)) == A


def test_what_an_alias_shares_is_left_alone_and_told() -> None:
    before = (
        "      - {name: a, build: ./a, components: &both [b]}\n"
        "      - {name: x, build: ./x, components: *both}\n"
    )
    derived = [layer("a", components=("b", "c")), layer(components=("c",))]
    edited = edit_layers(HEAD + before, "fleet", derived)
    assert edited.text == HEAD + before
    assert ["shared with others by an alias" in note for note in edited.notes] == [True, True]
    assert not edited.is_in_step


@pytest.mark.parametrize(
    ("before", "fields"),
    [
        ("      - {name: a, build: ./a, components: [&c ../c]}\n      # of m\n"
         "      - {name: m, build: ./m}\n      - {name: x, build: ./x, components: [*c, ../z]}\n",
         {"components": ("../z",)}),
        ("      - {name: a, build: ./a, paths: [&c common/]}\n"
         "      - {name: x, build: ./x, paths: [*c]}\n", {"paths": ("v",)}),
        ("      - {name: &n a, build: ./a}\n      - name: x\n        build: ./x\n"
         "        dependsOn:\n          - *n\n", {}),
    ],
)  # fmt: skip
def test_an_alias_in_a_list_stands_for_a_text_that_is_left_alone(
    before: str, fields: dict[str, Any]
) -> None:
    edited = edit_layers(HEAD + before, "fleet", [layer("a", components=("../c",))
                         if "components" in before else layer("a"), layer(**fields)])  # fmt: skip
    assert edited.text == HEAD + before
    assert "of layer `x` is shared with others by an alias" in edited.notes[0]
    assert not edited.is_in_step


def test_an_anchor_that_is_defined_twice_leaves_all_to_people() -> None:
    before = "      - {name: a, paths: &p [a/]}\n      - {name: x, paths: &p [x/]}\n"
    edited = edit_layers(HEAD + before, "fleet", [layer()])
    assert (edited.text, edited.is_in_step) == (HEAD + before, False)
    assert "change it by hand" in edited.notes[0]


def test_one_of_many_layers_that_defies_changes_stops_no_other() -> None:
    names = [f"l{number}" for number in range(40)]
    before = "".join(f"      - {{name: {name}, paths: [{name}/]}}\n" for name in names)
    odd = (
        "      - {name: a, paths: [a/], receiver: {name: &r x}}\n      - {name: *r, paths: [x/]}\n"
    )
    edited = edit_layers(HEAD + before + odd, "fleet", [*map(layer, names), layer("a"), layer()])
    assert edited.text.count("build:") == 41
    assert edited.notes == ("layer `x` cannot be changed in the form it has: change it by hand",)


def test_a_layer_in_a_form_that_defies_changes_is_left_and_the_others_are_not() -> None:
    """Its name is an alias, so that keys would be put where another layer has that text."""
    before = (
        "      - {name: a, paths: [a/], receiver: {name: &r x}}\n      - {name: *r, paths: [x/]}\n"
    )
    edited = edit_layers(HEAD + before, "fleet", [layer("a"), layer(), layer("new")])
    assert edited.text == HEAD + before.replace("{name: a,", "{name: a, build: ./a,") + (
        "      - name: new\n        build: ./new\n"
    )
    told = "layer `x` cannot be changed in the form it has: change it by hand"
    assert (edited.notes, edited.is_in_step) == ((told,), False)
    again = edit_layers(edited.text, "fleet", [layer("a"), layer(), layer("new")])
    assert again.text == edited.text


def test_layers_of_other_entries_and_those_that_flux_does_not_know_are_told() -> None:
    other = (
        HEAD.partition("repositories:\n")[2].replace("fleet", "other")
        + "      - {name: x, build: ./y}\n"
    )
    edited = edit_layers(HEAD + A + other, "fleet", [layer()])
    assert edited.text == HEAD + A + other
    assert edited.notes == (
        "`x` is a layer of another entry in this file",
        "no Kustomization of this repository is named as the layer `a`, which stays",
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("./apps/a-b_c.d", "./apps/a-b_c.d"),
        ("1.5", '"1.5"'),
        ("true", '"true"'),
        ("2026-01-01", '"2026-01-01"'),
        ("a: b", '"a: b"'),
        ('q"\\', '"q\\"\\\\"'),
        ("", '""'),
        ("a\x9b2J\u202e\x7f\U000e0001é", '"a\\U0000009B2J\\U0000202E\\U0000007F\\U000E0001é"'),
        ("\ta\n", '"\\ta\\n"'),
    ],
)
def test_text_is_quoted_where_yaml_would_read_something_else(text: str, written: str) -> None:
    assert scalar(text) == written
    assert yaml.safe_load(written) == text


@pytest.mark.parametrize("path", ["a/b.yaml", "a[1]/*.yaml", "a\\b?", "caf\udce9\n", "!x", "{a}"])
def test_the_pattern_of_a_path_matches_it(path: str) -> None:
    index = LayerIndex([("x", [literal_pattern(path)])])
    assert match_layers(index, ExactPaths((path,))).matches[0].is_affected
