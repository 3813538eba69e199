"""The routing file of a soak: repositories, layers that share receivers, two clusters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from router.core.flux import receiver_path
from router.core.model import Secret
from router.core.routing import Receiver

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECRET = b"soak"
NAMESPACE = "flux-system"
GROUP_REPOSITORIES = 5
"""So many repositories share the receiver of one of their layers."""

_TOP = """\
apiVersion: flux-router/v1
hooks:
  - {name: github, provider: github, secrets: [{file: secret}]}
clusters:
"""
_CLUSTER = """\
  - name: {name}
    url: {url}
    receiver: {{namespace: {namespace}, name: "{{layer}}", token: {{file: secret}}}}
"""
_REPOSITORY = """\
  - name: repo-{number}
    hook: github
    url: https://github.com/acme/repo-{number}
    ref: main
    layers:
"""


@dataclass(frozen=True)
class Fleet:
    """So many repositories with so many layers each.

    Of each repository, the first layer is on both clusters, the last two share a receiver, and the
    one before them shares its receiver with those of other repositories.
    """

    repositories: int
    layers_each: int

    def layer(self, repository: int, number: int) -> str:
        return f"layer-{repository}-{number}"

    def layers(self, repository: int) -> frozenset[str]:
        return frozenset(self.layer(repository, number) for number in range(self.layers_each))

    @cached_property
    def receivers(self) -> Mapping[str, frozenset[str]]:
        """The keys of each layer's receivers."""
        return {
            self.layer(repository, number): frozenset(
                f"{cluster}/{NAMESPACE}/{self._receiver(repository, number)}"
                for cluster in self._clusters(number)
            )
            for repository in range(self.repositories)
            for number in range(self.layers_each)
        }

    def paths(self, cluster: str) -> dict[str, str]:
        """The URL path of each of a cluster's receivers → its key."""
        keys = {key for found in self.receivers.values() for key in found}
        return {receiver_path(_receiver(key)): key for key in keys if key.startswith(f"{cluster}/")}

    def write(self, folder: Path, urls: Mapping[str, str]) -> Path:
        """Write the routing file and its secret; *urls* are those of the two clusters."""
        (folder / "secret").write_bytes(SECRET)
        text = _TOP
        for name, url in urls.items():
            text += _CLUSTER.format(name=name, url=url, namespace=NAMESPACE)
        text += "repositories:\n"
        for repository in range(self.repositories):
            text += _REPOSITORY.format(number=repository)
            for number in range(self.layers_each):
                text += self._layer_line(repository, number)
        file = folder / "router.yaml"
        file.write_text(text)
        return file

    def _layer_line(self, repository: int, number: int) -> str:
        return (
            f"      - {{name: {self.layer(repository, number)}, paths: [apps/app{number}/],"
            f" clusters: [{', '.join(self._clusters(number))}],"
            f" receiver: {{name: {self._receiver(repository, number)}}}}}\n"
        )

    def _receiver(self, repository: int, number: int) -> str:
        from_end = self.layers_each - number
        if from_end <= 2:
            return f"shared-{repository}"
        if from_end == 3:
            return f"group-{repository // GROUP_REPOSITORIES}"
        return self.layer(repository, number)

    def _clusters(self, number: int) -> tuple[str, ...]:
        return ("prod", "edge") if number == 0 else ("prod",)


def _receiver(key: str) -> Receiver:
    cluster, namespace, name = key.split("/")
    return Receiver(
        cluster=cluster,
        namespace=namespace,
        name=name,
        type="generic-hmac",
        token=Secret(SECRET),
    )
