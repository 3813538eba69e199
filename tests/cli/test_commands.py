"""The commands as a stranger uses them: output, exit codes, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from router import __version__
from router.cli.app import cli
from tests.cli.fleet import Fleet

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config" / "router.yaml"


def run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "router", *words],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    file = tmp_path / "router.yaml"
    text = EXAMPLE.read_text()
    file.write_text(text.replace("provider: github", "provider: githab") + "\nextra: 1\n")
    return file


@pytest.mark.parametrize("word", ["version", "--version"])
def test_version_is_the_package_s(word: str) -> None:
    done = run(word)
    assert (done.returncode, done.stdout) == (0, f"flux-router {__version__}\n")


def test_schema_is_the_committed_one() -> None:
    committed = json.loads((ROOT / "config" / "routing-file.schema.json").read_text())
    assert json.loads(run("schema").stdout) == committed


def test_check_of_a_good_file_is_ok_and_warns_of_what_is_not_there() -> None:
    done = run("check", str(EXAMPLE))
    assert done.returncode == 0
    assert "ok: 1 hook, 1 repository, 7 layers, 7 receivers" in done.stderr
    assert "warning: `dependsOn` does not order calls yet" in done.stdout


def test_check_tells_every_error_at_its_place_and_exits_1(broken: Path) -> None:
    done = run("check", str(broken), str(EXAMPLE))
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if "warning" not in line]
    assert len(lines) == 2
    assert all(line.startswith(f"{broken}:") for line in lines)
    assert "githab" in lines[0]
    assert "extra" in lines[1]


def test_check_as_json_is_for_programs(broken: Path) -> None:
    done = run("check", "-o", "json", str(broken))
    (result,) = json.loads(done.stdout)
    assert (done.returncode, len(result["errors"])) == (1, 2)
    assert set(result["errors"][0]) == {"line", "column", "message"}


def test_check_of_a_file_that_is_not_there_exits_1(tmp_path: Path) -> None:
    done = run("check", str(tmp_path / "nope.yaml"))
    assert done.returncode == 1
    assert "nope.yaml" in done.stdout
    assert "Traceback" not in done.stderr


def test_explain_tells_each_layer_why_or_why_not() -> None:
    done = run(
        "explain", "--config", str(EXAMPLE), "--path", "controllers/a.md", "--path",
        "apps/base/x.yaml", "-o", "json",
    )  # fmt: skip
    (entry,) = json.loads(done.stdout)
    layers = {layer["name"]: layer for layer in entry["layers"]}
    assert [name for name, layer in layers.items() if layer["affected"]] == ["app1", "app2", "app3"]
    assert layers["app1"]["path"] == "apps/base/x.yaml"
    assert all(layer["reason"] for layer in layers.values())
    assert len(layers) == 7


def test_explain_prints_a_table_for_people() -> None:
    done = run("explain", "--config", str(EXAMPLE), "--path", "apps/app1/x.yaml")
    words = [line.split() for line in done.stdout.splitlines()]
    rows = {row[0]: row[1] for row in words if len(row) > 1}
    assert rows["app1"] == "yes"
    assert rows["app2"] == "no"


def test_wrong_usage_exits_2() -> None:
    assert run("nonsense").returncode == 2
    words = ("explain", "--config", str(EXAMPLE), "--path", "x", "--repository", "y")
    assert CliRunner().invoke(cli, words).exit_code == 2
    assert CliRunner().invoke(cli, ["explain"]).exit_code == 2


def test_a_commit_that_is_not_there_exits_1_and_lists_nothing(fleet: Fleet) -> None:
    done = run(
        "affected", "--config", str(fleet.config), "--repo", str(fleet.repo.path),
        "--base", "1" * 40, "-o", "matrix",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("flux-router: ")
    assert "fetch-depth: 0" in done.stderr
    assert "Traceback" not in done.stderr


def test_explain_of_a_broken_file_tells_its_errors(broken: Path) -> None:
    done = run("explain", "--config", str(broken), "--path", "x")
    assert done.returncode == 1
    assert "githab" in done.stderr


def test_send_without_an_answer_exits_1_and_shows_no_secret(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.com"]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    tip = subprocess.run(
        [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    secret = tmp_path / "secret"
    secret.write_text("canary-secret\n")
    done = run(
        "send", "--hook-url", "http://127.0.0.1:9/hooks/x", "--secret-file", str(secret),
        "--provider", "github", "--repo", str(tmp_path), "0" * 40, tip, "refs/heads/main",
    )  # fmt: skip
    assert done.returncode == 1
    assert "no answer: [Errno 111] Connection refused" in done.stderr
    assert "canary" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("stdin", "words", "code", "told"),
    [
        ("nonsense\n", (), 1, "BEFORE AFTER REF"),
        ("", ("0" * 40,), 2, "or none of them"),
        ("", (), 0, ""),
    ],
)
def test_send_tells_what_it_cannot_read(
    tmp_path: Path, stdin: str, words: tuple[str, ...], code: int, told: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    done = run(
        "send", "--hook-url", "http://127.0.0.1:9/", "--secret-file", str(secret),
        "--provider", "github", *words, stdin=stdin,
    )  # fmt: skip
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--auth", "basic"], "basic:USER"),
        (["--auth", "path:x"], "basic:USER"),
        (["--auth", "digest:me"], "basic:USER"),
        (["--artifact", "oci://a/b"], "is no registry"),
        (["--tag", "main"], "is no registry"),
    ],
)
def test_send_refuses_options_that_do_not_go_together(
    tmp_path: Path, words: list[str], told: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    given = ["--hook-url", "http://h/", "--secret-file", str(secret), "--provider", "github"]
    result = CliRunner().invoke(cli, ["send", *given, *words])
    assert result.exit_code == 2
    assert told in result.output
