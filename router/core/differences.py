"""In what manifests differ from the Flux objects that a routing file implies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.flux import EVENTS
from router.core.flux_found import ANY_NAME
from router.core.flux_objects import SECRET_KEY
from router.core.model import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.core.flux_found import FoundAt, FoundObjects, FoundReceiver
    from router.core.flux_objects import (
        ImpliedKustomization,
        ImpliedObjects,
        ImpliedReceiver,
        Resource,
    )

PUSHED_KINDS = frozenset({"GitRepository", "OCIRepository", "Bucket"})
"""Sources that a push may change: a Receiver for one of these is one that the router may call."""


def list_differences(
    routing_file: str, implied: ImpliedObjects, found: FoundObjects
) -> Sequence[Problem]:
    """Everything in which *found* is not what *routing_file* implies.

    What is no warning keeps calls from arriving, has them do nothing, or is for a Receiver that
    nobody calls.
    """
    return _Comparison(routing_file, implied, found).told


class _Comparison:
    def __init__(self, routing_file: str, implied: ImpliedObjects, found: FoundObjects) -> None:
        self._file = routing_file
        self._implied = implied
        self._found = found
        self._free = list(found.receivers)
        """Receivers of the manifests that are none of the routing file's so far."""
        pairs = [(receiver, self._take(receiver)) for receiver in implied.receivers]
        rules = [*self._pairs(pairs), *self._unexpected(), *self._kustomizations()]
        self.told = tuple(dict.fromkeys(rules))

    def _take(self, receiver: ImpliedReceiver) -> tuple[FoundReceiver, ...]:
        same = tuple(
            each
            for each in self._free
            if each.name == receiver.name and each.namespace in {receiver.namespace, None}
        )
        self._free = [each for each in self._free if each not in same]
        return same

    def _pairs(
        self, pairs: Sequence[tuple[ImpliedReceiver, Sequence[FoundReceiver]]]
    ) -> Iterator[Problem]:
        secrets: dict[tuple[str, str | None], ImpliedReceiver] = {}
        for receiver, same in pairs:
            if not same:
                yield self._missing(receiver)
                continue
            first = same[0]
            for other in same[1:]:
                yield _error(other.at, f"Receiver `{other.key}` stands at {first.at}, too")
            yield from _compare_spec(receiver, first)
            yield from _compare_wildcards(first)
            yield from self._compare_resources(receiver, first)
            if first.secret is not None:
                yield from self._missing_key(receiver.namespace, first.secret)
                user = secrets.setdefault((receiver.namespace, first.secret), receiver)
                yield from _compare_users(user, receiver, first)

    def _missing(self, receiver: ImpliedReceiver) -> Problem:
        """Tells of the same Receiver in another namespace, or under another name, if there is."""
        wanted = {each for one_of in self._sources(receiver) for each in one_of}
        wanted |= set(receiver.resources)
        for each in self._free:
            if each.name == receiver.name or wanted & set(each.resources):
                self._free.remove(each)
                return _error(
                    each.at,
                    f"Receiver `{each.key}` is `{receiver.key}` in the routing file, and its URL "
                    "depends on that",
                )
        told = f"no manifest has Receiver `{receiver.key}` of {_layers(receiver)}"
        return self._at_layer(receiver, f"{told}: `flux-router manifests` prints it")

    def _compare_resources(
        self, receiver: ImpliedReceiver, found: FoundReceiver
    ) -> Iterator[Problem]:
        namespace = found.namespace or receiver.namespace
        for each in found.resources:
            if each.namespace != namespace:
                yield _warning(
                    found.at,
                    f"Receiver `{found.key}` triggers {each}, in another namespace: Flux answers "
                    "500 where its controllers run with --no-cross-namespace-refs",
                )
        sources = self._sources(receiver)
        if not sources or any(each.name == ANY_NAME for each in found.resources):
            return
        for one_of in sources:
            if not set(one_of) & set(found.resources):
                yield _error(
                    found.at,
                    f"Receiver `{found.key}` does not trigger {one_of[0]}, which the Kustomization "
                    f"of {_layers(receiver)} reads: a call applies nothing of it",
                )
        wanted = {each for one_of in sources for each in one_of}
        for each in found.resources:
            if each not in wanted:
                told = f"Receiver `{found.key}` triggers {each}, which none of its layers reads"
                yield _warning(found.at, told)

    def _sources(self, receiver: ImpliedReceiver) -> Sequence[tuple[Resource, ...]]:
        """For each of its layers what may be triggered; none unless all layers' are known."""
        implied = [self._implied.by_layer[layer] for layer in receiver.layers]
        found = [self._found.by_key.get((each.namespace, each.name)) for each in implied]
        sources = [() if each is None else self._found.triggers(each) for each in found]
        return tuple(dict.fromkeys(sources)) if all(sources) else ()

    def _missing_key(self, namespace: str, name: str) -> Iterator[Problem]:
        for each in self._found.secrets:
            is_it = each.name == name and each.namespace == namespace
            if is_it and SECRET_KEY not in each.keys:
                yield _error(each.at, f"Secret `{each.name}` has no key `{SECRET_KEY}`")

    def _unexpected(self) -> Iterator[Problem]:
        for each in self._free:
            told = f"Receiver `{each.key}` is of no layer of the routing file on this cluster"
            if {resource.kind for resource in each.resources} & PUSHED_KINDS:
                yield _error(each.at, f"{told}: the router never calls it")
            else:
                yield _warning(each.at, told)

    def _kustomizations(self) -> Iterator[Problem]:
        """Nothing where the manifests have no Kustomizations at all: they are kept elsewhere."""
        for each in self._implied.kustomizations if self._found.kustomizations else ():
            found = self._found.by_key.get((each.namespace, each.name))
            if found is None:
                told = f"no manifest has Kustomization `{each.key}` of layer `{each.layer}`"
                yield self._at_layer(self._receiver_of(each), told, is_warning=True)
                continue
            for key in each.depends_on:
                if key not in found.depends_on:
                    yield _warning(
                        found.at,
                        f"Kustomization `{each.key}` does not depend on `{key[0]}/{key[1]}`, as "
                        f"layer `{each.layer}` does",
                    )

    def _receiver_of(self, kustomization: ImpliedKustomization) -> ImpliedReceiver:
        receivers = self._implied.receivers
        return next(each for each in receivers if kustomization.layer in each.layers)

    def _at_layer(
        self, receiver: ImpliedReceiver, message: str, *, is_warning: bool = False
    ) -> Problem:
        return Problem(
            file=self._file,
            line=receiver.first.line,
            column=receiver.first.column,
            message=message,
            is_warning=is_warning,
        )


def _compare_spec(receiver: ImpliedReceiver, found: FoundReceiver) -> Iterator[Problem]:
    if found.namespace is None:
        yield _warning(
            found.at,
            f"Receiver `{found.name}` names no namespace, and belongs in `{receiver.namespace}`: "
            "check what `kubectl kustomize` makes of it",
        )
    if found.type != receiver.type:
        yield _error(
            found.at,
            f"Receiver `{found.key}` is of type `{found.type}`; the routing file has "
            f"`{receiver.type}`",
        )
    if found.secret != receiver.secret:
        yield _error(found.at, f"Receiver `{found.key}` {_other_secret(receiver, found)}")
    event = EVENTS.get(found.type)
    if event and found.events and event.lower() not in {each.lower() for each in found.events}:
        told = f"Receiver `{found.key}` does not list `{event}` among its events: Flux answers 400"
        yield _error(found.at, told)
    if found.is_suspended:
        told = f"Receiver `{found.key}` is suspended: Flux answers every call of it 503"
        yield _error(found.at, told)


def _compare_wildcards(found: FoundReceiver) -> Iterator[Problem]:
    """The API server takes such a Receiver, and it is Ready; notification-controller then fails."""
    for each in found.unlabelled:
        yield _error(
            found.at,
            f"Receiver `{found.key}` triggers every {each.kind} (`name: '{ANY_NAME}'`) without "
            "`matchLabels`: Flux answers 500, and triggers none of them",
        )


def _other_secret(receiver: ImpliedReceiver, found: FoundReceiver) -> str:
    if receiver.secret is None:
        return f"has a secretRef, which Flux refuses for type `{receiver.type}`"
    if found.secret is None:
        return f"has no secretRef; type `{receiver.type}` needs one, such as `{receiver.secret}`"
    return (
        f"reads Secret `{found.secret}`, not `{receiver.secret}`; --secret-name tells how Secrets "
        "are called here"
    )


def _compare_users(
    user: ImpliedReceiver, receiver: ImpliedReceiver, found: FoundReceiver
) -> Iterator[Problem]:
    """Receivers that read one Secret have one token."""
    if user.first.token != receiver.first.token:
        yield _error(
            found.at,
            f"Receivers `{user.key}` and `{receiver.key}` read one Secret, `{found.secret}`; the "
            "routing file has a token for each of them",
        )


def _layers(receiver: ImpliedReceiver) -> str:
    names = ", ".join(f"`{name}`" for name in receiver.layers)
    return f"layer {names}" if len(receiver.layers) == 1 else f"layers {names}"


def _error(at: FoundAt, message: str) -> Problem:
    return Problem(file=at.file, line=at.line, column=at.column, message=message)


def _warning(at: FoundAt, message: str) -> Problem:
    return Problem(file=at.file, line=at.line, column=at.column, message=message, is_warning=True)
