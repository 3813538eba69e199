"""File lists of any size say the same as if they had been decoded at once, or that they do not."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.errors import MalformedPayload
from router.core.lists import (
    MAX_BRACES,
    MAX_LISTED_PATHS,
    SLICE_BYTES,
    is_countable,
    read_commits,
    read_paths,
)
from tests.thoroughness import examples

PATHS = st.lists(
    st.one_of(
        st.text(max_size=30), st.sampled_from(["\\", '"', '\\"', '",', '\\\\",', ', "', "[]"])
    ),
    min_size=1,
    max_size=40,
)


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def long_list(text: str) -> str:
    """A JSON list that takes more than three slices and holds *text* in each of them."""
    item = f"{text},"
    return "[" + item * (3 * SLICE_BYTES // len(item.encode()) + 1) + text + "]"


@settings(max_examples=examples(15), deadline=None)
@given(
    paths=PATHS,
    separator=st.sampled_from([",", ", ", " ,", "\n\t,\n"]),
    is_ascii=st.booleans(),
)
def test_a_long_list_says_what_it_says_when_it_is_decoded_at_once(
    paths: list[str], separator: str, is_ascii: bool
) -> None:
    paths = [path.encode("utf-8", "replace").decode() for path in paths]
    text = long_list(separator.join(json.dumps(path, ensure_ascii=is_ascii) for path in paths))
    files = read_paths(raw(text))
    assert list(files.paths) == list(dict.fromkeys(json.loads(text)))
    assert files.has_all
    assert (files.trouble is None) == (all(paths) and "\ufffd" not in "".join(paths))


@pytest.mark.parametrize("item", ["1", "null", "[]", '["a"]', "{}", '{"a":"b"}', "true"])
@pytest.mark.parametrize("place", [0, 1, 5_000, 29_999])
def test_a_long_list_of_anything_but_text_is_malformed(item: str, place: int) -> None:
    items = [f'"path-{number}"' for number in range(30_000)]
    items[place] = item
    with pytest.raises(MalformedPayload, match=r"at `\$\.paths"):
        read_paths(raw(f"[{','.join(items)}]"), "paths")


@pytest.mark.parametrize(
    "text", ['"' + " " * SLICE_BYTES * 2 + '"', '{"a":' + " " * SLICE_BYTES + "1}"]
)
def test_what_is_long_and_no_list_is_malformed(text: str) -> None:
    with pytest.raises(MalformedPayload):
        read_paths(raw(text))


@pytest.mark.parametrize("place", [0, 1, 3000])
def test_a_path_longer_than_a_slice_makes_the_lists_incomplete(place: int) -> None:
    paths = [f"path-{number}" for number in range(3000)]
    paths.insert(place, "x" * 2 * SLICE_BYTES)
    assert f"over {SLICE_BYTES} bytes" in str(read_paths(raw(json.dumps(paths))).trouble)


def test_more_paths_than_are_held_make_the_lists_incomplete() -> None:
    text = json.dumps([f"{number:x}" for number in range(MAX_LISTED_PATHS + 50_000)])
    files = read_paths(raw(text))
    assert "more than 500000 paths" in str(files.trouble)
    assert len(files.paths) <= MAX_LISTED_PATHS + SLICE_BYTES


def test_too_many_commits_are_not_even_made() -> None:
    payload = b"[" + b"{ }, " * MAX_BRACES + b"{}]"
    assert not is_countable(payload)
    files = read_commits(msgspec.Raw(payload), payload=payload)
    assert "too many commits" in str(files.trouble)
    assert files.commit_count == 0
    fewer = b"[" + b"{}," * 99 + b"{}]"
    assert read_commits(msgspec.Raw(fewer), payload=fewer).commit_count == 100


def test_commits_tell_what_their_lists_hold_together() -> None:
    payload = json.dumps(
        [
            {"added": ["a"], "modified": ["b"], "removed": []},
            {"added": [], "modified": ["b", "c"], "removed": ["d"]},
        ]
    ).encode()
    files = read_commits(msgspec.Raw(payload), payload=payload)
    assert list(files.paths) == ["a", "b", "c", "d"]
    assert (files.commit_count, files.added_count, files.largest_commit) == (2, 1, 3)
    assert files.has_all


@pytest.mark.parametrize("commit", ["{}", '{"added":null}', '{"added":[],"modified":[]}'])
def test_a_commit_without_a_list_is_told(commit: str) -> None:
    payload = f"[{commit}]".encode()
    assert not read_commits(msgspec.Raw(payload), payload=payload).has_all
