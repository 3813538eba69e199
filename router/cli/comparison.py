"""In what the manifests of one cluster differ from a routing file, as findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.cli.survey import Finding
from router.cli.tables import counted
from router.config.manifests import read_manifests
from router.core.differences import list_differences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from router.core.flux_objects import ImpliedObjects
    from router.core.model import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A routing file beside the manifests of one cluster."""

    cluster: str
    receiver_count: int
    """Receivers that the manifests have."""
    differences: tuple[Problem, ...]

    def findings(self) -> Iterator[Finding]:
        """What to look at: at its manifest, or at the layer that has none."""
        for problem in self.differences:
            yield Finding(level="warning" if problem.is_warning else "error", problem=problem)

    def summary(self) -> str:
        told = counted(self.receiver_count, "Receiver")
        count = counted(len(self.differences), "difference")
        return f"{self.cluster}: {told} in the manifests, {count}"

    def view(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "cluster": self.cluster,
            "receiverCount": self.receiver_count,
            "differences": [
                {
                    "level": finding.level,
                    "file": finding.problem.file,
                    "line": finding.problem.line,
                    "column": finding.problem.column,
                    "message": finding.problem.message,
                }
                for finding in self.findings()
            ],
        }


def compare_manifests(file: str, implied: ImpliedObjects, manifests: Path) -> Comparison:
    """Hold what *manifests*, a folder or a file, has against what the routing file *file* implies.

    What names no namespace is taken to be where the first Receiver is.
    """
    namespace = implied.receivers[0].namespace if implied.receivers else ""
    found, unread = read_manifests(manifests, namespace=namespace)
    return Comparison(
        cluster=implied.cluster,
        receiver_count=len(found.receivers),
        differences=(*unread, *list_differences(file, implied, found)),
    )
