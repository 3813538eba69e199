"""flux-router check against a checkout, and its annotations."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from router.cli.tables import printable, workflow_command
from router.core.errors import SettingsInvalid
from tests.cli.fleet import Fleet, as_json, run


def lines(fleet: Fleet, *words: str) -> list[str]:
    result = fleet.check(*words)
    assert result.exit_code == 0
    told = [line.removeprefix(str(fleet.config)) for line in result.stdout.splitlines()]
    return [line for line in told if "environment variable" not in line]


def test_files_patterns_and_overlaps_are_told_at_their_places(fleet: Fleet) -> None:
    assert lines(fleet) == [
        ":5:11: warning: no layer owns 2 of 6 files, and a change there calls nothing: "
        "README.md, docs/a",
        ":11:25: note: `!infra/**/*.md` of layer `infra` matches no file",
        ":14:15: note: layers `app1` and `app2` share 1 file, such as `apps/base/x`: "
        "a change there calls each of them",
    ]


def test_the_commit_can_be_another_one(fleet: Fleet) -> None:
    told = lines(fleet, "--at", "HEAD~2")
    assert told[0].startswith(":5:11: warning: no layer owns 1 of 3 files")
    assert told[1:3] == [
        ":11:25: note: `!infra/**/*.md` of layer `infra` matches no file",
        ":13:17: warning: `apps/app1/` of layer `app1` matches no file",
    ]


def test_the_files_on_disk_do_not_count_only_those_of_the_commit(fleet: Fleet) -> None:
    before = lines(fleet)
    fleet.repo.write({"infra/new.md": "1"})
    assert lines(fleet) == before


def test_many_files_of_no_layer_are_told_by_folder(fleet: Fleet) -> None:
    fleet.repo.commit({f"docs/{n}/x": "1" for n in range(20)} | {f"f{n}": "1" for n in range(12)})
    [told] = [line for line in lines(fleet) if "no layer owns" in line]
    assert "no layer owns 34 of 38 files" in told
    assert told.endswith(" docs/ (21), README.md (1), f0 (1), f1 (1), f10 (1), f11 (1), f2 (1),"
                         " f3 (1), f4 (1), f5 (1) and 4 more")  # fmt: skip


def test_unmapped_all_makes_files_of_no_layer_a_note(fleet: Fleet) -> None:
    fleet.change("    ref: main\n", "    ref: main\n    unmapped: all\n")
    assert ":5:11: note: no layer owns 2 of 6 files" in lines(fleet)[0]
    assert "calls every layer" in lines(fleet)[0]


def test_an_overlap_of_many_layers_names_some(fleet: Fleet) -> None:
    fleet.change(
        "      - name: app2\n",
        "".join(f"      - {{name: l{n}, paths: [apps/base/]}}\n" for n in range(9))
        + "      - name: app2\n",
    )
    [told] = [line for line in lines(fleet) if "share" in line]
    assert "layers `app1`, `l0`, `l1`, `l2`, `l3` and 6 more share 1 file" in told


def test_no_more_overlaps_are_told_than_somebody_reads(fleet: Fleet) -> None:
    count = 25
    fleet.repo.commit({f"shared/{n}/x": "1" for n in range(count)})
    fleet.change(
        "      - name: app2\n",
        "".join(
            f"      - {{name: a{n}, paths: [shared/{n}]}}\n"
            f"      - {{name: b{n}, paths: [shared/{n}]}}\n"
            for n in range(count)
        )
        + "      - name: app2\n",
    )
    told = [line for line in lines(fleet) if "share" in line]
    assert len(told) == 21
    assert "6 more sets of layers share files" in told[-1]
    [view] = as_json(fleet.check("-o", "json"))
    assert len(view["repositories"][0]["overlaps"]) == 26


def test_json_has_all_of_it_by_its_parts(fleet: Fleet) -> None:
    [view] = as_json(fleet.check("-o", "json"))
    assert view["errors"] == []
    [found] = view["repositories"]
    assert found == {
        "repository": "fleet",
        "ref": "refs/heads/main",
        "commit": fleet.repo.git("rev-parse", "HEAD"),
        "fileCount": 6,
        "unmappedCount": 2,
        "unmapped": ["README.md", "docs/a"],
        "unmappedFolders": {"README.md": 1, "docs/": 1},
        "idlePatterns": [{"layer": "infra", "pattern": "!infra/**/*.md", "line": 11, "column": 25}],
        "overlaps": [{"layers": ["app1", "app2"], "count": 1, "example": "apps/base/x"}],
        "unknownBuilds": [],
        "uncovered": [],
        "unwatched": [],
        "builds": [],
        "components": [],
        "dependencies": [],
        "leftOut": [],
        "sharedSources": [],
        "unserved": [],
        "polled": [],
        "unfollowed": [],
        "remotes": [],
        "unread": [],
    }


def test_without_a_checkout_json_has_no_repositories(fleet: Fleet) -> None:
    [view] = as_json(run("check", str(fleet.config), "-o", "json"))
    assert set(view) == {"file", "errors", "warnings"}


def test_annotations_stand_at_the_places_of_all_findings(fleet: Fleet) -> None:
    told = fleet.check("-o", "github").stdout.splitlines()
    places = [line.partition("::")[2].partition("::")[0] for line in told]
    assert [place.partition(" ")[0] for place in places] == [
        *("warning", "warning", "warning", "notice", "notice")
    ]
    assert places[2] == f"warning file={fleet.config},line=5,col=11"
    assert told[-1].endswith("a change there calls each of them")


def test_annotations_of_errors_exit_1(fleet: Fleet) -> None:
    fleet.change("ref: main", "reff: main")
    result = fleet.check("-o", "github")
    assert result.exit_code == 1
    assert result.stdout.count("::error file=") == 2


@pytest.mark.parametrize(
    ("message", "file", "told"),
    [
        ("50% of a, b: c", "a", "::error file=a,line=1::50%25 of a, b: c"),
        ("one\r\ntwo", "C:\\a,b%", "::error file=C%3A\\a%2Cb%25,line=1::one%0D%0Atwo"),
        ("::set-output::x", "a\nb", "::error file=a%0Ab,line=1::::set-output::x"),
    ],
)
def test_a_workflow_command_is_escaped(message: str, file: str, told: str) -> None:
    assert workflow_command("error", message, file=file, line=1) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("späce x", "späce x"),
        (os.fsdecode(b"\xe9"), r"\xe9"),
        ("a\nb\x1b", r"a\nb\x1b"),
        ("\u202e", r"\u202e"),
        ("\ud800", r"\ud800"),
    ],
)
def test_a_name_is_printed_on_one_line_whatever_is_in_it(text: str, told: str) -> None:
    assert printable(text) == told


def test_a_name_that_is_no_text_crashes_no_output(fleet: Fleet) -> None:
    fleet.repo.commit({os.fsdecode(b"\xff\n"): "1", os.fsdecode(b"apps/base/0\xff"): "1"})
    assert r"README.md, docs/a, \xff\n" in lines(fleet)[0]
    [view] = as_json(fleet.check("-o", "json"))
    assert view["repositories"][0]["unmapped"][-1] == "\udcff\n"
    assert fleet.check("-o", "github").exit_code == 0


def test_entries_of_other_repositories_are_not_held_against_the_checkout(fleet: Fleet) -> None:
    fleet.add_entry("other", "https://github.com/acme/other")
    assert fleet.check().exit_code == 2
    fleet.repo.git("remote", "add", "origin", "git@github.com:acme/fleet.git")
    [view] = as_json(fleet.check("-o", "json"))
    assert [found["repository"] for found in view["repositories"]] == ["fleet"]
    [view] = as_json(fleet.check("-o", "json", "--repository", "other"))
    assert view["repositories"][0]["unmappedCount"] == 0
    assert fleet.check("--repository", "nope").exit_code == 2


def test_a_file_with_errors_is_not_held_against_the_checkout(fleet: Fleet) -> None:
    fleet.change("ref: main", "reff: main")
    result = fleet.check()
    assert result.exit_code == 1
    assert "no layer owns" not in result.stdout


@pytest.mark.parametrize("words", [("--at", "HEAD"), ("--repository", "fleet")])
def test_what_goes_with_a_checkout_needs_one(fleet: Fleet, words: tuple[str, ...]) -> None:
    assert run("check", str(fleet.config), *words).exit_code == 2


def test_a_checkout_that_cannot_be_read_is_an_error(fleet: Fleet, tmp_path: Path) -> None:
    assert isinstance(fleet.check("--at", "nope").exception, SettingsInvalid)
    (tmp_path / "empty").mkdir()
    result = run("check", str(fleet.config), "--repo", str(tmp_path / "empty"))
    assert isinstance(result.exception, SettingsInvalid)


def test_secrets_that_one_key_names_are_one_warning(fleet: Fleet) -> None:
    fleet.change("token: {env: TOKEN}", 'token: {file: "tokens/{layer}"}')
    (told,) = [row for row in run("check", str(fleet.config)).stdout.splitlines() if ":3:" in row]
    assert told.endswith("tokens/infra does not exist, and 2 more like it here")
    (view,) = as_json(run("check", str(fleet.config), "-o", "json"))
    assert len([each for each in view["warnings"] if each["line"] == 3]) == 3
