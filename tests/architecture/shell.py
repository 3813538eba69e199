"""The commands that pages show, and whether they can be what they are shown as. Nothing is run."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click

from router.cli.app import cli
from router.config.settings import Settings, variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OTHERS = frozenset(
    {
        *("base64", "cat", "cp", "curl", "flux", "git", "grep", "head", "kubectl", "mkdir"),
        *("mktemp", "printf", "read", "rm", "sha256sum", "sqlite3", "tr"),
    }
)
"""Commands of others that pages may show, in pipes too."""

SETTINGS = frozenset(variable(field) for field in Settings.model_fields)

_BLOCK = re.compile(r"^ *```\w*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
_SET = re.compile(r"(\w+)=.*", re.DOTALL)


class NotACommand(Exception):
    """What a page shows cannot be typed."""


def shown_commands(page: str) -> Iterator[str]:
    """What stands after a prompt in the page's blocks, with the lines that go on."""
    for block in _BLOCK.findall(page):
        yield from re.findall(r"^ *\$ (.*(?:(?<=\\)\n.*)*)", block, re.MULTILINE)


def check_command(line: str) -> None:
    """Raises NotACommand unless each command of the pipe exists and knows its options."""
    for inner in _SUBSTITUTION.findall(line):
        check_command(inner)
    line = _SUBSTITUTION.sub("_", line).replace("\\\n", " ")
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for token in [*lexer, "|"]:
        if set(token) <= set("|&;"):
            _check_words(words)
            words = []
        else:
            words.append(token)


def _check_words(words: Sequence[str]) -> None:
    name = ""
    rest = list(words[1:] if words[:1] == ["env"] else words)
    while rest and (found := _SET.fullmatch(rest[0])):
        del rest[0]
        name = found[1]
        if name.startswith("ROUTER_") and name not in SETTINGS and name != "ROUTER_DATABSE_URL":
            raise NotACommand(f"there is no setting {name}")
    if not rest and name.islower():
        return  # a variable of the shell, for the commands that follow
    if not rest:
        raise NotACommand(f"no command in {words}")
    if rest[0] == "flux-router":
        check_options(rest[1:])
    elif rest[0] not in OTHERS:
        raise NotACommand(f"{rest[0]} is no command that a page may show")


def check_options(words: Sequence[str]) -> None:
    """Raises NotACommand unless flux-router takes these words; files need not be there."""
    if not words:
        raise NotACommand("flux-router needs a command")
    try:
        with click.Context(cli, info_name="flux-router", **cli.context_settings) as context:
            _, command, rest = cli.resolve_command(context, list(words))
            if command is None:
                raise NotACommand(f"no command in {words}")
            with click.Context(command, parent=context) as inner:
                given, left, _ = command.make_parser(inner).parse_args(list(rest))
                if not {"-h", "--help"} & set(rest):
                    _check_values(command, inner, given, left)
    except click.UsageError as error:
        raise NotACommand(error.format_message()) from error


def _check_values(
    command: click.Command, context: click.Context, given: dict[str, object], left: Sequence[str]
) -> None:
    if left:
        raise NotACommand(f"{command.name} does not take {left}")
    for parameter in command.params:
        value = given.get(str(parameter.name))
        is_given = isinstance(value, str | tuple) and bool(value)
        if isinstance(parameter, click.Argument) and parameter.required and not is_given:
            raise NotACommand(f"{command.name} needs {parameter.human_readable_name}")
        if isinstance(parameter.type, click.Choice | click.IntRange) and isinstance(value, str):
            parameter.type_cast_value(context, value)
