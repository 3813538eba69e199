"""Pushes as GitHub sends them, about 8 KB each, and the routing file that they are for."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

SECRET = b"bench"
BODY_BYTES = 8 * 1024

_ROUTING = """\
apiVersion: flux-router/v1
hooks:
  - {{name: github, provider: github, secrets: [{{file: secret}}]}}
clusters:
  - name: prod
    url: {flux_url}
    suspend: {suspend}
    receiver: {{namespace: flux-system, name: "{{layer}}", token: {{file: secret}}}}
repositories:
"""
_ENTRY = """\
  - name: {name}
    hook: github
    url: https://github.com/acme/{name}
    ref: main
    layers:
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """So many repositories with so many layers each, every layer with a receiver of its own."""

    entry_count: int
    layers_each: int

    def write(self, folder: Path, *, flux_url: str | None) -> Path:
        """Write the routing file and its secret; without a URL the cluster is suspended."""
        (folder / "secret").write_bytes(SECRET)
        text = _ROUTING.format(
            flux_url=flux_url or "http://127.0.0.1:9", suspend=str(flux_url is None).lower()
        )
        for entry in range(self.entry_count):
            text += _ENTRY.format(name=f"fleet-{entry}")
            for layer in range(self.layers_each):
                text += (
                    f"      - {{name: layer-{entry}-{layer},"
                    f" paths: [apps/app{layer}/, infra/{layer}/]}}\n"
                )
        file = folder / "router.yaml"
        file.write_text(text)
        return file


class Pushes:
    """The pushes of one repository, one after the other: each starts where the last one ended."""

    def __init__(self, fleet: Fleet, entry: int, *, path_count: int) -> None:
        self._fleet = fleet
        self._entry = entry
        self._path_count = path_count
        self._number = 0

    def skip(self) -> None:
        """Lose a push."""
        self._number += 1

    def next(self) -> bytes:
        """The next push as the bytes of an HTTP request, for one layer of the repository."""
        before, self._number = self._commit(), self._number + 1
        content = json.dumps(self._payload(before), separators=(",", ":"))
        body = content[:-1] + _filler(BODY_BYTES - len(content)) + "}"
        return github_request(body.encode(), delivery=f"{self._entry}-{self._number}")

    def _commit(self) -> str:
        return f"{self._entry:08x}{self._number:032x}"

    def _payload(self, before: str) -> dict[str, Any]:
        name = f"acme/fleet-{self._entry}"
        web = f"https://github.com/{name}"
        layer = self._number % self._fleet.layers_each
        paths = [
            f"apps/app{layer}/overlays/production/part-{number}.yaml"
            for number in range(self._path_count)
        ]
        commit = {
            "id": self._commit(), "distinct": True, "message": "Raise the limits of the app",
            "timestamp": "2026-01-01T00:00:00Z", "url": f"{web}/commit/{self._commit()}",
            "author": {"name": "A. Developer", "email": "user@example.com", "username": "dev"},
            "added": paths[:1], "removed": [], "modified": paths[1:],
        }  # fmt: skip
        api = f"https://api.github.com/repos/{name}"
        links = "forks keys teams hooks events tags languages contents merges branches labels"
        return {
            "ref": "refs/heads/main", "before": before, "after": self._commit(),
            "created": False, "deleted": False, "forced": False, "base_ref": None,
            "compare": f"{web}/compare/{before[:12]}...{self._commit()[:12]}",
            "repository": {
                "id": 1, "name": name, "full_name": name, "private": True, "html_url": web,
                "url": web, "clone_url": f"{web}.git", "git_url": f"git://github.com/{name}.git",
                "ssh_url": f"git@github.com:{name}.git", "default_branch": "main",
                **{f"{link}_url": f"{api}/{link}" for link in links.split()},
            },
            "pusher": {"name": "dev", "email": "user@example.com"},
            "commits": [commit], "head_commit": commit,
        }  # fmt: skip


def _filler(size: int) -> str:
    """So many bytes of fields such as a payload is full of, which nobody reads."""
    fields = ""
    while len(fields) < size - 80:
        number = len(fields)
        fields += f',"field_{number}_url":"https://api.github.com/users/dev/{number}{{/id}}"'
    return fields + f',"padding":"{"x" * (size - len(fields) - 13)}"'


def github_request(body: bytes, *, delivery: str, secret: bytes = SECRET) -> bytes:
    """The bytes of a signed request to the hook `github`."""
    signature = hmac.digest(secret, body, hashlib.sha256).hex()
    return (
        "POST /hooks/github HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: GitHub-Hookshot/bench\r\n"
        "Accept: */*\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\n"
        f"X-GitHub-Delivery: {delivery}\r\nX-GitHub-Hook-ID: 1\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
