"""One segment trie for the patterns of many layers, and the walk of paths through it.

The trie is a nondeterministic automaton over path segments; `**` is a node that stays active. A
walk makes it deterministic as far as its paths ask: a state is the set of nodes active after some
folder, and each step from a state by a segment is worked out once. So a `**` costs one more active
node, never a retry, and time follows the path, not the number of layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from router.core.globs import ANYTHING, Glob, GlobTable, Wildcard

if TYPE_CHECKING:
    from router.core.patterns import Pattern, Segment

LayerBits: TypeAlias = int
"""A set of layers: bit n stands for the n-th layer of the file."""


class Rule(NamedTuple):
    """The layers that have the same pattern at the same position of their lists."""

    position: int
    is_exclusion: bool
    layers: LayerBits


class Node:
    """What may follow after some segments, and the rules of the patterns that end here."""

    __slots__ = ("anything", "below", "globs", "is_open", "is_repeating", "literals", "rules")

    def __init__(self, *, is_repeating: bool = False) -> None:
        self.is_repeating = is_repeating
        """Reached by `**`: stays active whatever the segment is."""
        self.literals: dict[str, Node] = {}
        self.globs: dict[int, Node] = {}
        self.anything: Node | None = None
        self.below: Node | None = None
        self.rules: tuple[Rule, ...] = ()
        self.is_open = False
        """Whether a further segment can lead anywhere from here."""


class TrieBuilder:
    """Collects patterns; `build` ends it."""

    def __init__(self) -> None:
        self._root = Node()
        self._globs: dict[Glob, int] = {}
        self._rules: dict[Node, dict[tuple[int, bool], LayerBits]] = {}

    def add(self, pattern: Pattern, *, layer: int, position: int) -> None:
        """Add the pattern at *position* in the list of the layer with the number *layer*."""
        node = self._root
        for segment in pattern.segments:
            node = self._child(node, segment)
        rules = self._rules.setdefault(node, {})
        key = (position, pattern.is_exclusion)
        rules[key] = rules.get(key, 0) | 1 << layer

    def _child(self, node: Node, segment: Segment) -> Node:
        if segment is Wildcard.ANY_DEPTH:
            node.below = node.below or Node(is_repeating=True)
            return node.below
        node.is_open = True
        if isinstance(segment, str):
            return node.literals.get(segment) or node.literals.setdefault(segment, Node())
        if segment == ANYTHING:
            node.anything = node.anything or Node()
            return node.anything
        number = self._globs.setdefault(segment, len(self._globs))
        return node.globs.get(number) or node.globs.setdefault(number, Node())

    def build(self) -> Trie:
        for node, rules in self._rules.items():
            node.rules = tuple(Rule(*key, layers) for key, layers in rules.items())
        return Trie(self._root, GlobTable(tuple(self._globs)))


class Trie(NamedTuple):
    """A finished trie; nothing changes it."""

    root: Node
    globs: GlobTable


Accepted: TypeAlias = tuple[Node, ...]
"""Nodes whose rules hold for a path, each once, in the order in which its segments met them."""


class State:
    """Where a walk stands after some segments."""

    __slots__ = ("active", "steps")

    def __init__(self, active: tuple[Node, ...]) -> None:
        self.active = active
        """Nodes from which further segments can lead on; empty: nothing below adds a rule."""
        self.steps: dict[str, Step] = {}


Step: TypeAlias = tuple[State, Accepted]
"""Where one segment, or a whole folder, leads, and the nodes with rules it met."""


class Walk:
    """The states met by one set of paths. Never kept for another: it grows with each new path."""

    def __init__(self, trie: Trie) -> None:
        self._table = trie.globs
        self._found: dict[str, tuple[int, ...]] = {}
        self._states: dict[tuple[Node, ...], State] = {}
        active: dict[Node, None] = {}
        accepted: list[Node] = []
        _enter(trie.root, active, accepted)
        self.start: Step = (self._state(active), tuple(accepted))

    def follow(self, folder: str) -> Step:
        """Where all segments of *folder* lead together; the root is the empty folder."""
        state, accepted = self.start
        for segment in folder.split("/") if folder else ():
            if not state.active:
                break
            state, added = state.steps.get(segment) or self.step(state, segment)
            if added:
                accepted = join_accepted(accepted, added)
        return state, accepted

    def step(self, state: State, segment: str) -> Step:
        """Work out where one more segment leads; `State.steps` remembers it."""
        active: dict[Node, None] = {}
        accepted: list[Node] = []
        for node in state.active:
            if node.is_repeating:
                active[node] = None
            literal = node.literals.get(segment)
            if literal is not None:
                _enter(literal, active, accepted)
            if node.anything is not None:
                _enter(node.anything, active, accepted)
            if node.globs:
                self._enter_globs(node, segment, active, accepted)
        step = state.steps[segment] = (self._state(active), tuple(accepted))
        return step

    def _enter_globs(
        self, node: Node, segment: str, active: dict[Node, None], accepted: list[Node]
    ) -> None:
        found = self._found.get(segment)
        if found is None:
            found = self._found[segment] = self._table.find(segment)
        for number in found:
            if number in node.globs:
                _enter(node.globs[number], active, accepted)

    def _state(self, active: dict[Node, None]) -> State:
        key = tuple(active)
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = State(key)
        return state


def join_accepted(accepted: Accepted, added: Accepted) -> Accepted:
    """Both together, without repeats: below `**`, a node may be met by several segments."""
    return tuple(dict.fromkeys(accepted + added)) if accepted else added


def _enter(node: Node, active: dict[Node, None], accepted: list[Node]) -> None:
    """Make *node* count, and what stands behind a `**` that crosses no segment here."""
    if node.rules:
        accepted.append(node)
    if node.is_open:
        active[node] = None
    if node.below is not None:
        active[node.below] = None
