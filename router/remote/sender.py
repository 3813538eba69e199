"""Sends a delivery to a hook, as a Git provider does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

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


def send_delivery(url: str, headers: Mapping[str, str], body: bytes) -> HookAnswer:
    """POST a delivery once. Whatever happens is an answer; nothing is raised."""
    try:
        response = httpx.post(
            url, headers=dict(headers), content=body, timeout=SEND_DEADLINE_SECONDS
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return HookAnswer(status=None, detail=type(error).__name__)
    return HookAnswer(status=response.status_code, detail=_describe(response))


def _describe(response: httpx.Response) -> str:
    try:
        answer = response.json()
        if response.status_code == 202:
            return f"delivery {answer['delivery']}: " + "; ".join(
                f"{update['status']} to {_names(update['layers'])}" for update in answer["updates"]
            )
        return str(answer.get("reason") or answer.get("detail") or answer)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return "not the answer of a flux-router hook"


def _names(layers: list[dict[str, str]]) -> str:
    return ", ".join(layer["name"] for layer in layers) or "no layer"
