"""Which files never reach a cluster: `.sourceignore`, as source-controller reads it.

https://fluxcd.io/flux/components/source/gitrepositories/#excluding-files
https://github.com/fluxcd/pkg/blob/main/sourceignore/sourceignore.go

Of all rules the last that matches counts, and unlike in Git it may bring back a file of an excluded
folder. What a rule means is only taken for certain where it is plain: one that is not excludes
nothing, or brings back everything, so that no file is left out that Flux may apply.
"""

from __future__ import annotations

from dataclasses import dataclass
from posixpath import dirname
from typing import TYPE_CHECKING

from pathspec.patterns.gitignore.basic import GitIgnoreBasicPattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

IGNORE_FILE = ".sourceignore"

MAX_RULES = 1000
"""Of one repository; with more, nothing is left out."""

MAX_RULE_STARS = 4
"""Of one rule: the time to match grows with the length of the path to this power."""

DEFAULT_FOLDERS = frozenset({".github", ".circleci"})
DEFAULT_FILES = frozenset(
    {
        *(".travis.yml", ".gitlab-ci.yml", "appveyor.yml", ".drone.yml", "cloudbuild.yaml"),
        *("codeship-services.yml", "codeship-steps.yml"),
        *(".goreleaser.yml", ".sops.yaml", ".flux.yaml"),
    }
)
"""What is left out of a repository without rules, at any depth, as far as it is YAML."""


@dataclass(frozen=True, slots=True)
class _Rule:
    is_exclusion: bool
    matches: Callable[[str], bool]
    """Whether it is about a file, or about a folder (with a slash at its end)."""


class Ignored:
    """What the ignore files of one commit leave out."""

    def __init__(self, contents: Mapping[str, bytes | None]) -> None:
        """*contents* of all ignore files, by path; None for one that nobody can read."""
        self._rules: dict[str, list[_Rule]] = {}
        """By the folder that they are in, the last first."""
        self._is_default = False
        texts = {path: text for path, text in contents.items() if text is not None}
        lines = {path: list(_lines(text)) for path, text in texts.items()}
        if len(texts) < len(contents) or sum(map(len, lines.values())) > MAX_RULES:
            return
        self._is_default = not any(lines.values())
        for path, rules in lines.items():
            self._rules[dirname(path)] = [_rule(line) for line in reversed(rules)]

    def __contains__(self, path: str) -> bool:
        """Whether the file *path* never reaches a cluster, for certain."""
        if self._is_default:
            *folders, name = path.split("/")
            return name in DEFAULT_FILES or not DEFAULT_FOLDERS.isdisjoint(folders)
        folder = path
        while folder and self._rules:
            folder = dirname(folder)
            below = path[len(folder) + 1 if folder else 0 :]
            for rule in self._rules.get(folder, ()):
                if any(map(rule.matches, _prefixes(below))):
                    return rule.is_exclusion
        return False


def _lines(content: bytes) -> Iterator[str]:
    """The rules of a file. Go's scanner reads none after a line of 64 KiB; such a file counts as
    one that brings back everything."""
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        text = line.removesuffix("\r")
        if len(text) >= 1 << 16:
            yield "!"
        elif not text.startswith("#") and text.strip():
            yield text


def _rule(line: str) -> _Rule:
    is_exclusion = not line.startswith("!")
    text = line.removeprefix("!").rstrip(" ")
    if text in {"**", "**/"}:
        text = text.removeprefix("*")
    elif text.endswith("/**"):
        text = f"/{text[:-3].removeprefix('/')}"
    if not _is_plain(text):
        return _Rule(is_exclusion, lambda _: not is_exclusion)
    pattern = GitIgnoreBasicPattern(text)
    return _Rule(is_exclusion, lambda path: pattern.match_file(path) is not None)


def _is_plain(text: str) -> bool:
    """Whether Go's patterns and pathspec's agree on what a rule means."""
    if text != text.strip() or text.startswith(("#", "!")) or set(text) & set("[]\\\0"):
        return False
    parts = text.removeprefix("/").removesuffix("/").split("/")
    if parts[0] == "**" and len(parts) == 2:  # Go looks no further than the first that matches
        parts = parts[1:]
    is_odd = any(part in {"", ".", ".."} or "**" in part for part in parts)
    return not is_odd and text.count("*") <= MAX_RULE_STARS


def _prefixes(path: str) -> Iterator[str]:
    """Every folder that a file is in, and the file."""
    place = path.find("/")
    while place >= 0:
        yield path[: place + 1]
        place = path.find("/", place + 1)
    yield path
