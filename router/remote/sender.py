"""Sends a delivery to a hook, as a Git provider or a registry does."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

SEND_DEADLINE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HookAnswer:
    """What a hook answered."""

    status: int | None
    """None when there was no answer."""
    detail: str

    @property
    def is_accepted(self) -> bool:
        return self.status in {200, 202}

    def __str__(self) -> str:
        return f"{self.status or 'no answer'}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How a secret proves its sender where the provider cannot sign: a hook's `auth`."""

    kind: Literal["basic", "header", "path", "bearer"]
    name: str = ""
    """The user name for basic, the header's name for header."""

    def add(
        self, url: str, headers: Mapping[str, str], secret: bytes
    ) -> tuple[str, dict[str, str]]:
        """The URL and the headers to send, with *secret* where the hook looks for it."""
        value = secret.decode("latin-1")
        match self.kind:
            case "path":
                return f"{url.rstrip('/')}/{value}", dict(headers)
            case "header":
                return url, {**headers, self.name: value}
            case "basic":
                pair = b64encode(self.name.encode() + b":" + secret).decode()
                return url, {**headers, "Authorization": f"Basic {pair}"}
            case "bearer":
                return url, {**headers, "Authorization": f"Bearer {value}"}


def send_delivery(url: str, headers: Mapping[str, str], body: bytes) -> HookAnswer:
    """POST a delivery once. Whatever happens is an answer; nothing is raised."""
    try:
        response = httpx.post(
            url, headers=dict(headers), content=body, timeout=SEND_DEADLINE_SECONDS
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return HookAnswer(status=None, detail=explain(error))
    return HookAnswer(status=response.status_code, detail=_describe(response))


def explain(error: Exception) -> str:
    """Why there was no answer, in the words of the system where it has some."""
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return "the hook's URL is not one: it must begin with http:// or https://"
    if isinstance(error, httpx.TimeoutException):
        return f"nothing came within {SEND_DEADLINE_SECONDS:g} s"
    return str(error) or type(error).__name__


def _describe(response: httpx.Response) -> str:
    try:
        answer = response.json()
        if response.status_code == 202:
            again = " (a duplicate)" if answer["duplicate"] else ""
            updates = [_update(update) for update in answer["updates"]]
            if answer.get("updatesLeftOut"):
                updates.append(f"and {answer['updatesLeftOut']} more updates")
            return f"delivery {answer['delivery']}{again}: {'; '.join(updates)}"
        return str(answer.get("reason") or answer.get("detail") or answer)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return "not the answer of a flux-router hook"


def _update(update: dict[str, Any]) -> str:
    """A status without a reason is that of git mode, where the Git host is asked afterwards."""
    reason = f" ({update['reason']})" if update["reason"] else ""
    if update["status"] != "routed":
        return f"{update['status']}{reason}"
    names = [layer["name"] for layer in update["layers"]]
    if update.get("layersLeftOut"):
        names.append(f"{update['layersLeftOut']} {'more ' if names else ''}layers")
    return f"routed to {', '.join(names) or 'no layer'}{reason}"
