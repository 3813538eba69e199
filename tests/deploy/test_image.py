"""The Dockerfile: what its linter says, and what a Deployment relies on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from router import __version__
from router.config.settings import Settings
from tests.deploy.image import DOCKERFILE, instructions, read_image
from tests.deploy.rendered import ROOT


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    hadolint = str(Path(sys.executable).with_name("hadolint"))
    words = [hadolint, "--no-color", "--failure-threshold", "style", str(DOCKERFILE)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_image_runs_as_a_numbered_user_and_exposes_the_ports_of_the_settings() -> None:
    image = read_image()
    assert image.user == "10001:10001"
    assert image.ports == {
        Settings.model_fields[name].default.port for name in ("public_bind", "admin_bind")
    }


def test_the_image_says_what_it_is() -> None:
    labels = read_image().labels
    prefix = "org.opencontainers.image."
    assert labels[f"{prefix}version"] == __version__
    assert labels[f"{prefix}licenses"] == "Apache-2.0"
    assert {f"{prefix}title", f"{prefix}description", f"{prefix}revision"} <= set(labels)


def test_every_stage_starts_from_the_one_base_whose_tag_can_be_pinned_from_outside() -> None:
    named = [text for name, text in instructions() if name == "FROM"]
    assert [text.split(" AS ")[0] for text in named] == ["${PYTHON_IMAGE}"] * len(named)
    (default,) = (text for name, text in instructions() if text.startswith("PYTHON_IMAGE="))
    assert ":" in default
    assert not default.endswith(":latest")


def test_only_locked_wheels_are_installed_so_that_both_platforms_need_no_compiler() -> None:
    (install,) = (text for name, text in instructions() if "--requirement" in text)
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install


def test_what_the_image_copies_is_in_its_context() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    copied = [text.split() for name, text in instructions() if name == "COPY"]
    sources = {words[0] for words in copied if not words[0].startswith("--from=")}
    assert {f"!{source}" for source in sources} == {line for line in ignored if line[0] == "!"}
    assert all((ROOT / source).exists() for source in sources)
