"""What `.sourceignore` leaves out, and when nothing is left out because nobody can be sure."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from router.core.kustomize.changed import read_changes
from router.core.kustomize.ignored import MAX_RULE_CHARACTERS, MAX_RULES, Ignored
from tests.core.kustomize.trees import closure_of

PATHS = (
    *("x.yaml", "apps/x.yaml", "apps/a/x.yaml", "apps/a/secret.yaml", "docs/x.yaml"),
    *(".github/x.yaml", "apps/.sops.yaml"),
)


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ({}, {".github/x.yaml", "apps/.sops.yaml"}),
        ({"": "# none\n\n  \n"}, {".github/x.yaml", "apps/.sops.yaml"}),
        ({"": "secret.yaml"}, {"apps/a/secret.yaml"}),
        ({"": "apps/a"}, {"apps/a/x.yaml", "apps/a/secret.yaml"}),
        ({"": "a/\r\n/docs/**\n"}, {"apps/a/x.yaml", "apps/a/secret.yaml", "docs/x.yaml"}),
        ({"": "x.yaml/"}, set()),
        # As in Flux and unlike in Git, a file of an excluded folder can be brought back.
        ({"": "/*\n!/apps\nsecret.yaml"},
         {"x.yaml", "docs/x.yaml", ".github/x.yaml", "apps/a/secret.yaml"}),
        ({"": "apps/\n!secret.yaml"}, {"apps/x.yaml", "apps/a/x.yaml", "apps/.sops.yaml"}),
        # Ignore files of folders are about these folders, and count more.
        ({"apps": "/x.yaml"}, {"apps/x.yaml"}),
        ({"": "x.yaml", "apps": "!x.yaml"}, {"x.yaml", "docs/x.yaml", ".github/x.yaml"}),
        ({"": "!x.yaml", "docs": "*"}, {"docs/x.yaml"}),
        ({"": "**/a/"}, {"apps/a/x.yaml", "apps/a/secret.yaml"}),
        ({"": "*/"}, {*PATHS} - {"x.yaml"}),
        ({"apps": "**/"}, {"apps/a/x.yaml", "apps/a/secret.yaml"}),
        # What is not plain excludes nothing, or brings back everything.
        ({"": "[ad]*/"}, set()),
        ({"": "apps\\/a"}, set()),
        ({"": "apps//**"}, set()),
        ({"": "/" + "?" * MAX_RULE_CHARACTERS + "\n!" + "*/" * MAX_RULE_CHARACTERS + "\ndocs"},
         {"docs/x.yaml"}),
        ({"": "apps/**/x.yaml"}, set()),
        ({"": "apps/\n![a-z]*"}, set()),
        ({"": "apps/\n" + "!" + "x" * 70_000 + "\n"}, set()),
        ({"": "docs/", "apps": "!a**b\n"}, {"docs/x.yaml"}),
        ({"": "secret.yaml\n" * (MAX_RULES + 1)}, set()),
        ({"": None, "docs": "*"}, set()),
    ],
)  # fmt: skip
def test_files_are_left_out_as_flux_does_and_none_in_doubt(
    rules: dict[str, str | None], left: set[str]
) -> None:
    ignored = Ignored(
        {
            f"{folder}/.sourceignore".lstrip("/"): None if text is None else text.encode()
            for folder, text in rules.items()
        }
    )
    assert {path for path in PATHS if path in ignored} == left


@pytest.mark.parametrize(
    "path", ["a/logo.png", "x.zip/y.yaml", "a.tar.gz", ".travis.yml", ".github/x", "a/.gitmodules"]
)
def test_flux_leaves_out_more_than_manifests_where_there_are_no_rules(path: str) -> None:
    assert path in Ignored({})
    is_of_git = path == "a/.gitmodules"
    assert (path in Ignored({".sourceignore": b"docs/"})) is is_of_git
    assert path not in Ignored({".sourceignore": b"!.gitmodules"})


@pytest.mark.parametrize("end", ["", "b"])
def test_a_rule_with_many_stars_is_soon_told(end: str) -> None:
    ignored = Ignored({".sourceignore": ("*a" * 30 + end).encode()})
    assert f"{'a' * 200}/x" in ignored if not end else f"{'a' * 200}/x" not in ignored
    assert ignored.is_certain


@given(st.text(alphabet="ab.*?", min_size=1, max_size=10), st.text(alphabet="ab.", min_size=1))
def test_a_rule_leaves_out_what_its_stars_stand_for(rule: str, name: str) -> None:
    assume("**" not in rule and not {rule, name} & {".", ".."})
    assert (name in Ignored({".sourceignore": rule.encode()})) == fnmatchcase(name, rule)


@pytest.mark.parametrize(
    ("of_source", "left"),
    [
        ("", {"apps/a/secret.yaml"}),
        ("# none", {"apps/a/secret.yaml"}),
        ("!secret.yaml", set()),
        ("/*\n!/apps/a", {*PATHS} - {"apps/a/x.yaml", "apps/a/secret.yaml"}),
        ("/apps/[a]", {"apps/a/secret.yaml"}),
        ("![a]*", set()),
    ],
)
def test_the_rules_of_a_source_count_more_than_those_of_any_folder(
    of_source: str, left: set[str]
) -> None:
    ignored = Ignored({".sourceignore": b"!x.yaml", "apps/a/.sourceignore": b"/secret.yaml"})
    assert {path for path in PATHS if path in ignored.of_source(of_source)} == left
    assert {path for path in PATHS if path in Ignored({}).of_source("x.yaml")} == {
        path for path in PATHS if path.endswith("x.yaml")
    }


FILES = {
    "plain/x.yaml": "x",
    "plain/deep/y.yaml": "y",
    "plain/built/kustomization.yaml": "resources: [z.yaml]",
    "plain/built/z.yaml": "z",
    "other/.sourceignore": "nothing",
}


@pytest.mark.parametrize(
    ("rules", "read"),
    [
        ({}, {*FILES}),
        ({".sourceignore": "deep/"}, {*FILES, ".sourceignore"} - {"plain/deep/y.yaml"}),
        ({"plain/.sourceignore": "x.yaml"}, {*FILES, "plain/.sourceignore"} - {"plain/x.yaml"}),
        # A source that serves a folder nevertheless has rules of its own.
        ({".sourceignore": "/*"}, {*FILES, ".sourceignore"}),
        # Without its kustomization file a folder is one more of plain files.
        ({".sourceignore": "kustomization.yaml"},
         {*FILES, ".sourceignore"} - {"plain/built/kustomization.yaml"}),
    ],
)  # fmt: skip
def test_a_folder_that_is_read_whole_leaves_out_what_flux_ignores(
    rules: dict[str, str], read: set[str]
) -> None:
    closure = closure_of(FILES | rules, "plain")
    assert closure.unknown is None
    assert set(closure.files) == read


def test_an_ignore_file_above_what_a_build_reads_is_read_too() -> None:
    files = {
        "apps/kustomization.yaml": "resources: [x.yaml]",
        "apps/x.yaml": "x",
        ".sourceignore": "docs/",
        "apps/.sourceignore": "*.md",
        "docs/.sourceignore": "*.md",
    }
    closure = closure_of(files, "apps")
    assert set(closure.files) == {*files} - {"docs/.sourceignore"}
    assert closure.unknown is None


NAMING = {
    "apps/kustomization.yaml": "configMapGenerator: [{name: c, files: [logo.png, .gitattributes]}]",
    "apps/logo.png": "p",
    "apps/.gitattributes": "a",
}


@pytest.mark.parametrize(
    ("before", "after", "read"),
    [
        ({}, {".sourceignore": "docs/"}, True),
        ({".sourceignore": "docs/"}, {}, True),
        ({}, {"docs/.sourceignore": "*.md"}, True),
        ({".sourceignore": "docs/"}, {".sourceignore": "docs/\n!.gitattributes"}, True),
        ({".sourceignore": "docs/"}, {".sourceignore": "docs/", "docs/.sourceignore": "a"}, False),
    ],
)
def test_rules_count_that_bring_back_what_flux_leaves_out_by_default(
    before: dict[str, str], after: dict[str, str], *, read: bool
) -> None:
    """Wherever a repository has rules, Flux's defaults hold no more."""
    closures = [closure_of(NAMING | rules, "apps") for rules in (before, after)]
    changed = before.items() ^ after.items()
    assert bool(read_changes({"apps": closures}, dict(changed)).readings) is read


def test_a_kustomization_file_that_flux_ignores_counts_and_does_not() -> None:
    files = {
        "apps/kustomization.yaml": "resources: [../base]",
        "apps/x.yaml": "x",
        "base/kustomization.yaml": "resources: [y.yaml]",
        "base/y.yaml": "y",
        "apps/.sourceignore": "kustomization.yaml",
    }
    closure = closure_of(files, "apps")
    assert set(closure.files) == {*files}


def test_a_kustomization_file_that_is_a_link_is_not_in_what_flux_builds() -> None:
    files = {
        "plain/x.yaml": "x",
        "plain/linked/y.yaml": "y",
        "apps/z.yaml": "z",
        "real.yaml": "resources: [z.yaml]",
    }
    links = {
        "plain/linked/kustomization.yaml": "../../real.yaml",
        "apps/kustomization.yaml": "../real.yaml",
    }
    assert {"plain/x.yaml", "plain/linked/y.yaml"} < set(
        closure_of(files, "plain", links=links).files
    )
    both = closure_of(files | {"apps/deep/w.yaml": "w"}, "apps", links=links)
    assert both.unknown is None
    assert {"apps/z.yaml", "apps/deep/w.yaml", "real.yaml"} < set(both.files)


def test_a_chart_in_a_folder_that_is_read_whole_counts_with_all_its_files() -> None:
    files = {
        "plain/x.yaml": "x",
        "plain/README.md": "x",
        "plain/built/kustomization.yaml": "helmCharts: [{name: plain}]\n"
        "helmGlobals: {chartHome: ../..}",
    }
    assert set(closure_of(files, "plain").files) == {*files}


def test_an_ignore_file_that_is_a_link_leaves_nothing_out_and_counts_with_its_target() -> None:
    files = {"plain/x.yaml": "x", "plain/.sops.yaml": "x", "rules": "*"}
    closure = closure_of(files, "plain", links={"plain/.sourceignore": "../rules"})
    assert set(closure.files) == {*files, "plain/.sourceignore"}
    assert closure.unknown is None


@pytest.mark.parametrize("target", ["nowhere", "../../out", "/etc/rules"])
def test_an_ignore_file_that_leads_nowhere_leaves_nothing_out(target: str) -> None:
    closure = closure_of({"plain/x.yaml": "x"}, "plain", links={"plain/.sourceignore": target})
    assert set(closure.files) == {"plain/x.yaml", "plain/.sourceignore"}
    assert closure.unknown is None


BUILT = {
    "apps/kustomization.yaml": "resources: [x.yaml]",
    "apps/x.yaml": "x",
    "docs/y.yaml": "y",
    "plain/z.yaml": "z",
}


@pytest.mark.parametrize(
    ("before", "after", "read"),
    [
        (None, "docs/", False),
        ("docs/", None, False),
        ("docs/", "docs/\n# why\n", False),
        ("docs/", "/*\n!/apps", False),
        (None, "x.yaml", True),
        ("x.yaml", None, True),
        (None, "kustomization.yaml", True),
        ("/*\n!/apps", "/*\n!/docs", True),
        # What a rule means is not known, before or after.
        (None, "[d]ocs/", True),
        ("docs/**/*.md", "docs/", True),
        (None, "docs/\n" * (MAX_RULES + 1), True),
    ],
)  # fmt: skip
def test_a_changed_ignore_file_counts_where_it_may_leave_out_something_else(
    before: str | None, after: str | None, *, read: bool
) -> None:
    sides = [
        BUILT if rules is None else BUILT | {".sourceignore": rules} for rules in (before, after)
    ]
    closures = [closure_of(files, "apps") for files in sides]
    builds = read_changes({"apps": closures}, [".sourceignore"])
    assert set(builds.readings) == ({"apps"} if read else set())
    assert builds.paths == {".sourceignore"}
    assert not builds.unknown


@pytest.mark.parametrize(("rules", "read"), [("z.yaml", True), ("w.yaml", True), ("docs/", False)])
def test_an_ignore_file_counts_where_a_folder_that_is_read_whole_has_other_files(
    rules: str, *, read: bool
) -> None:
    files = BUILT | {"plain/w.yaml": "w"}
    closures = [closure_of(each, "plain") for each in (files, files | {".sourceignore": rules})]
    assert bool(read_changes({"plain": closures}, [".sourceignore"]).readings) is read


def test_a_file_that_a_build_names_counts_though_it_is_an_ignore_file() -> None:
    files = BUILT | {"apps/kustomization.yaml": "configMapGenerator: [{files: [.sourceignore]}]"}
    closures = [
        closure_of(files | {"apps/.sourceignore": rules}, "apps") for rules in ("*.md", "*.txt")
    ]
    assert read_changes({"apps": closures}, ["apps/.sourceignore"]).readings


def test_an_ignore_file_does_not_hide_what_else_changed() -> None:
    closures = [
        closure_of(BUILT | {".sourceignore": rules}, "apps") for rules in ("docs/", "/docs")
    ]
    (reading,) = read_changes(
        {"apps": closures}, [".sourceignore", "apps/x.yaml"]
    ).readings.values()
    assert reading.path == "apps/x.yaml"


def test_files_in_very_deep_folders_are_told() -> None:
    path = "a/" * 2000 + "x.yaml"
    assert path in Ignored({".sourceignore": b"x.yaml"})
    assert path not in Ignored({".sourceignore": b"y.yaml"})
