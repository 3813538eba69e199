"""Patterns, layers and paths over small alphabets, so that they meet often.

Segments come from ready pools: one draw for each keeps hypothesis quick.
"""

from __future__ import annotations

from itertools import product

from hypothesis import strategies as st

PIECES = ("a", "b", "ab", "-", ".a", "*", "?", "[ab]", "[!a]", "[a-c]", "[]a]", "[^b-]")
ESCAPES = (r"\*", r"\[", r"\a", r"\?", r"[\]b]")
CHARACTERS = "abc-.*[]é\udcff\n"


def joined(pieces: str | tuple[str, ...], *, up_to: int) -> list[str]:
    """Every way to join one to *up_to* of *pieces*, the short ones first."""
    lengths = range(1, up_to + 1)
    return ["".join(parts) for length in lengths for parts in product(pieces, repeat=length)]


ordinary_segments = joined(PIECES + ESCAPES, up_to=3)
ordinary = st.sampled_from(ordinary_segments)
common = st.sampled_from(["a", "b", "*", "**"])
pattern_segments = ordinary | common

including = st.tuples(
    st.sampled_from(["", "/", "./"]),
    st.lists(pattern_segments, min_size=1, max_size=4).map("/".join),
    st.sampled_from(["", "/", "/**"]),
).map("".join)
excluding = including.map(lambda text: f"!{text}")
pattern_lists = st.builds(
    lambda first, others: [first, *others], including, st.lists(including | excluding, max_size=3)
)
layers = st.lists(pattern_lists, min_size=1, max_size=4).map(
    lambda lists: [(f"layer-{number}", texts) for number, texts in enumerate(lists)]
)

name_pool = [name for name in joined(CHARACTERS, up_to=3) if name not in (".", "..")]
names = st.sampled_from(name_pool)
path_segments = st.sampled_from(["a", "b", "ab"]) | names
paths = st.lists(path_segments, min_size=1, max_size=5).map("/".join)
path_lists = st.lists(paths, max_size=6, unique=True)
