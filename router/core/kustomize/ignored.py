"""Which files never reach a cluster: `.sourceignore`, as source-controller reads it.

https://fluxcd.io/flux/components/source/gitrepositories/#excluding-files
https://github.com/fluxcd/pkg/blob/main/sourceignore/sourceignore.go

Of all rules the last that matches counts, and unlike in Git it may bring back a file of an excluded
folder. What a rule means is only taken for certain where it is plain: one that is not excludes
nothing, or brings back everything, so that no file is left out that Flux may apply.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from posixpath import dirname
from typing import TYPE_CHECKING

from pathspec.patterns.gitignore.basic import GitIgnoreBasicPattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

IGNORE_FILE = ".sourceignore"
OF_SOURCE = "/"
"""In the place of the folder that rules are in: those of the source itself."""

MAX_RULES = 100
"""Of one repository; with more, nothing is left out. Each costs some 0.2 µs a file."""

MAX_KEPT_PATHS = 100_000
"""Files of which it is remembered whether they are left out, some 200 bytes each."""

MAX_RULE_CHARACTERS = 256
"""A longer one is not plain: its expression would take long to compile."""

_STAR_BEFORE_A_STAR = re.compile(r"\[\^/\]\*((?:\[\^/\](?!\*)|\\.|[^\[\\/*])+)(?=\[\^/\]\*)")
"""In the expression of a rule, a star, what follows it, and another star of the same segment."""

GIT_NAMES = frozenset({".gitignore", ".gitmodules", ".gitattributes"})
"""Files and folders at any depth that are left out unless a rule brings them back."""

DEFAULT_NAMES = frozenset(
    {
        *(".travis.yml", ".gitlab-ci.yml", "appveyor.yml", ".drone.yml", "cloudbuild.yaml"),
        *("codeship-services.yml", "codeship-steps.yml"),
        *(".goreleaser.yml", ".sops.yaml", ".flux.yaml"),
    }
)
DEFAULT_FOLDERS = frozenset({".github", ".circleci"})
DEFAULT_SUFFIXES = (".jpg", ".jpeg", ".gif", ".png", ".wmv", ".flv", ".tar.gz", ".zip")
"""What else is left out of a repository without rules."""


@dataclass(frozen=True, slots=True)
class _Rule:
    is_exclusion: bool
    matches: Callable[[str], object]
    """True for a file, or a folder (with a slash at its end), that it is about."""
    is_known: bool = True
    """Whether it certainly means that."""


class Ignored:
    """What the ignore files of one commit leave out."""

    def __init__(self, contents: Mapping[str, bytes | None], of_source: str = "") -> None:
        """*contents* of all ignore files, by path; None for one that nobody can read. The rules
        *of_source*, its `spec.ignore`, count more than theirs."""
        self._contents = contents
        self._rules: dict[str, list[_Rule]] = {}
        """By the folder that they are in, the last first."""
        self._folders: dict[tuple[str, str], int] = {}
        """Folder of the rules, and one below it → the first rule that is about that one."""
        self._known: dict[str, bool] = {}
        self._is_default = False
        self.is_certain = False
        """Whether these are all rules, and what each of them means is known."""
        texts = {path: text for path, text in contents.items() if text is not None}
        lines = {dirname(path): list(_lines(text)) for path, text in texts.items()}
        lines[OF_SOURCE] = list(_lines(of_source.encode("utf-8", "surrogatepass")))
        if len(texts) < len(contents) or sum(map(len, lines.values())) > MAX_RULES:
            return
        self._is_default = not any(lines.values())
        for folder, rules in lines.items():
            if rules:
                self._rules[folder] = [_rule(line) for line in reversed(rules)]
        known = (rule.is_known for rules in self._rules.values() for rule in rules)
        self.is_certain = all(known)

    def __contains__(self, path: str) -> bool:
        """Whether the file *path* never reaches a cluster, for certain."""
        if self._is_default:
            return is_left_out_by_default(path)
        if path not in self._known:
            if len(self._known) >= MAX_KEPT_PATHS:
                self._known.clear()
                self._folders.clear()
            self._known[path] = self._is_excluded(path)
        return self._known[path]

    def of_source(self, rules: str) -> Ignored:
        """What a source leaves out whose `spec.ignore` is *rules*."""
        return Ignored(self._contents, rules)

    def _is_excluded(self, path: str) -> bool:
        if not self._rules:
            return False
        rule = self._last_rule(OF_SOURCE, path)
        folder = path
        while folder and rule is None:
            folder = dirname(folder)
            rule = self._last_rule(folder, path[len(folder) + 1 if folder else 0 :])
        return not GIT_NAMES.isdisjoint(path.split("/")) if rule is None else rule.is_exclusion

    def _last_rule(self, folder: str, path: str) -> _Rule | None:
        """Of the rules in *folder*, the last that is about *path*, which is relative to it."""
        rules = self._rules.get(folder)
        if rules is None:
            return None
        first = min(_first(rules, path), self._first_of_folders(folder, rules, path))
        return rules[first] if first < len(rules) else None

    def _first_of_folders(self, folder: str, rules: Sequence[_Rule], path: str) -> int:
        """The first of *rules* that is about a folder that the file is in; many share these."""
        first, end = len(rules), path.find("/") + 1
        while end:
            key = (folder, path[:end])
            if key not in self._folders:
                self._folders[key] = _first(rules, path[:end])
            first = min(first, self._folders[key])
            end = path.find("/", end) + 1
        return first


def is_left_out_by_default(path: str) -> bool:
    """Whether the file *path* never reaches a cluster from a repository without rules."""
    names = path.split("/")
    return (
        not DEFAULT_FOLDERS.isdisjoint(names[:-1])
        or not DEFAULT_NAMES.isdisjoint(names)
        or not GIT_NAMES.isdisjoint(names)
        or any(name.endswith(DEFAULT_SUFFIXES) for name in names)
    )


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
    elif text.endswith("/**") and not text.endswith("//**"):
        text = f"/{text[:-3].removeprefix('/')}"
    regex = GitIgnoreBasicPattern(text).regex if _is_plain(text) else None
    if regex is None:
        return _Rule(is_exclusion, lambda _: not is_exclusion, is_known=False)
    return _Rule(is_exclusion, re.compile(_in_one_go(regex.pattern)).search)


def _in_one_go(expression: str) -> str:
    """The expression of a rule, so that the time to match grows with the length of the path alone.

    Where another star follows in the same segment, the first place that fits is as good as any.
    """
    return _STAR_BEFORE_A_STAR.sub(r"(?>[^/]*?\1)", expression)


def _is_plain(text: str) -> bool:
    """Whether Go's patterns and pathspec's agree on what a rule means."""
    if (
        len(text) > MAX_RULE_CHARACTERS
        or text != text.strip()
        or text.startswith(("#", "!"))
        or set(text) & set("[]\\\0")
    ):
        return False
    parts = text.removeprefix("/").removesuffix("/").split("/")
    if parts[0] == "**" and len(parts) == 2:  # Go looks no further than the first that matches
        parts = parts[1:]
    return not any(part in {"", ".", ".."} or "**" in part for part in parts)


def _first(rules: Sequence[_Rule], path: str) -> int:
    """The number of the first rule that is about *path*; one too many if there is none."""
    return next((number for number, rule in enumerate(rules) if rule.matches(path)), len(rules))
