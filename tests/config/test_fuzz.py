"""Whatever is in the file: only problems come out, in order, and never a secret."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.config.load import check_file, check_text
from tests.config.bad_files import CANARY, ENVIRON
from tests.thoroughness import examples

ROOT = Path(__file__).parents[2]
WHOLE: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "good/whole-form.yaml").read_text())
EXAMPLE: dict[str, Any] = yaml.safe_load((ROOT / "config/router.yaml").read_text())
WORDS = ["a", "-", "- ", ": ", ":", "\n", "  ", "[", "]", "{", "}", "&a", "*a", "!x", "|", ">", "#"]
WORDS += ["'", '"', "hooks", "layers", "<<", "~", "no", "1", "%", "@", "---", "...", "?", "\t", "é"]

quick = settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.text(max_size=20),
    st.sampled_from(["main", "prod", "github", "{layer}", "fleet", "base", "5m", "generic-oidc"]),
    st.sampled_from(["\0", "a\nb", "http://[", "https://a:b@c/d", "..", "!", "x" * 300]),
)
values = st.recursive(
    scalars,
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "file", "env", "paths", "token", "layers", "prod", "zz"])
            | st.text(),
            below,
            max_size=3,
        )
    ),
    max_leaves=6,
)


def dumped(document: Any) -> str:
    return yaml.dump(document, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False)


def check(text: str) -> None:
    """The promises that hold for every text."""
    checked = check_text(text, file_name="f", directory=Path("absent"), environ=ENVIRON)
    assert (checked.routing is None) == bool(checked.problems)
    for problem in (*checked.problems, *checked.warnings):
        assert str(problem).isprintable()
        assert CANARY not in str(problem)
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.line <= text.count("\n") + text.count("\r") + text.count("\x85") + 2
        assert "is not valid" not in problem.message or "URL" in problem.message
    places = [(problem.line, problem.column) for problem in checked.problems]
    assert places == sorted(places)


@quick
@given(content=st.binary(max_size=200))
def test_any_bytes(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "router.yaml"
    path.write_bytes(content)
    checked = check_file(path, environ={})
    assert checked.problems
    assert checked.routing is None


@quick
@given(text=st.text(max_size=200))
def test_any_text(text: str) -> None:
    check(text)


@quick
@given(words=st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_text_that_looks_like_yaml(words: list[str]) -> None:
    check("".join(words))


@quick
@given(value=values)
def test_any_document(value: Any) -> None:
    check(dumped(value))


@settings(quick, max_examples=examples(50))
@given(data=st.data())
def test_a_good_file_with_parts_removed_or_replaced(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from([WHOLE, EXAMPLE])))
    for _ in range(data.draw(st.integers(1, 3))):
        _mutate(document, data)
    check(dumped(document))


def _mutate(document: Any, data: st.DataObject) -> None:
    """Walk down to some place; remove, replace or double what is there."""
    node = document
    while isinstance(node, dict | list) and node:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        below = node[key]
        if not isinstance(below, dict | list) or not below or data.draw(st.booleans()):
            _change(node, key, data)
            return
        node = below


def _change(node: Any, key: Any, data: st.DataObject) -> None:
    match data.draw(st.sampled_from(["remove", "replace", "add", "double"])):
        case "remove":
            del node[key]
        case "replace":
            node[key] = data.draw(values)
        case "add" if isinstance(node, dict):
            node[data.draw(st.text(max_size=8))] = data.draw(values)
        case _ if isinstance(node, list):
            node.append(copy.deepcopy(node[key]))
