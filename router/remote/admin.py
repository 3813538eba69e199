"""The admin API of a running service, as the command line asks it."""

from __future__ import annotations

import json
import re
import ssl
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import quote, urlsplit

import httpx

from router import __version__
from router.core.errors import OperatorError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.core.model import Secret

Json: TypeAlias = dict[str, Any]

ANSWER_DEADLINE_SECONDS = 30.0
"""How long the service may keep silent; its slowest answers read a few hundred deliveries."""

PAGE = 200
"""Deliveries asked for at once: as many as the API gives."""

SEARCHED_DELIVERIES = 5 * PAGE
"""How many of the newest deliveries are searched for one whose id begins with a prefix."""

WHOLE_ID = 36
"""Characters of an id; what is shorter may be the beginning of one."""

_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

_NO_ENDPOINT: Final = "no such resource or method"
"""What the service tells of a path that is no endpoint, unlike of a delivery that is not there."""


class AdminRefused(OperatorError):
    """The service answered, and the answer is no; or it is not the service that was meant."""


class AdminUnknown(AdminRefused):
    """The service knows no such delivery or layer."""


class AdminUnavailable(Unavailable):
    """There was no answer, or the service cannot answer now."""


class AdminClient:
    """Asks one service. Every method raises AdminRefused and AdminUnavailable.

    Answers are the API's JSON as it is. No redirect is followed: the token is for one service only.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Secret | None,
        deadline_seconds: float = ANSWER_DEADLINE_SECONDS,
    ) -> None:
        self._url = url
        self._deadline_seconds = deadline_seconds
        self._has_token = token is not None
        try:
            self._http = httpx.Client(
                headers=_headers(token),
                timeout=deadline_seconds,
                follow_redirects=False,
                trust_env=not _is_loopback(url),  # a proxy would look for it on its own machine
                # Loading the system's CAs takes longer than all the rest of a command.
                verify=url.startswith("https:") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            )
        except (ValueError, httpx.InvalidURL, OSError):
            raise AdminRefused(
                "the proxy or the certificates that the environment names cannot be used"
            ) from None

    def close(self) -> None:
        self._http.close()

    def deliveries(self, limit: int) -> list[Json]:
        """The newest *limit* deliveries, newest first; over as many pages as that takes."""
        found: list[Json] = []
        for page in self._pages(min(limit, PAGE)):
            found += page
            if len(found) >= limit:
                break
        return found[:limit]

    def delivery(self, delivery_id: str) -> Json:
        """One delivery's whole story."""
        return self._ask("GET", f"/deliveries/{_segment(delivery_id)}", holds="plans")

    def find_id(self, given: str) -> str:
        """The id that is *given*; or that of one of the newest SEARCHED_DELIVERIES.

        Of these, the beginning of the id is enough, or of the one that the provider gave.
        """
        if len(given) >= WHOLE_ID:
            with suppress(AdminUnknown):
                return str(self.delivery(given)["id"])
        rows = self.deliveries(SEARCHED_DELIVERIES)
        found = [str(row["id"]) for row in rows if _is_meant(row, given)]
        if given in found:
            return given
        if not found:
            hint = "" if len(given) >= WHOLE_ID else "; an older one needs its whole id"
            raise AdminUnknown(f"no delivery {given} among the newest {SEARCHED_DELIVERIES}{hint}")
        if len(found) > 1:
            told = " and ".join(found[:2])
            raise AdminRefused(f"{len(found)} deliveries begin with {given}, such as {told}")
        return found[0]

    def layers(self) -> list[Json]:
        """Every layer, in file order."""
        return _rows(self._ask("GET", "/layers", holds="layers")["layers"])

    def layer(self, name: str) -> Json:
        """One layer, with the newest deliveries that affected it."""
        return self._ask("GET", f"/layers/{_segment(name)}", holds="receivers")

    def replay(self, delivery_id: str) -> Json:
        """Want what a delivery affected once more."""
        path = f"/deliveries/{_segment(delivery_id)}/replay"
        return self._ask("POST", path, holds="layers")

    def notify(self, layer: str) -> Json:
        """Have a layer's receivers called once more."""
        return self._ask("POST", f"/layers/{_segment(layer)}/notify", holds="receivers")

    def explain(self, delivery_id: str) -> Json:
        """What a delivery's changed paths affect under the routing file in force there."""
        body = {"delivery": delivery_id}
        return self._ask("POST", "/explain", holds="explanations", body=body)

    def _pages(self, limit: int) -> Iterator[list[Json]]:
        query = f"limit={limit}"
        while True:
            page = self._ask("GET", f"/deliveries?{query}", holds="deliveries")
            yield _rows(page["deliveries"])
            following = page.get("next")
            if not isinstance(following, int):
                return
            query = f"limit={limit}&before={following}"

    def _ask(self, method: str, path: str, *, holds: str, body: Json | None = None) -> Json:
        """The answer, an object that has the key *holds*."""
        try:
            response = self._http.request(method, f"{self._url}/api/v1{path}", json=body)
        except httpx.TimeoutException:
            told = f"nothing came within {self._deadline_seconds:g} s"
            raise AdminUnavailable(f"{self._url} does not answer: {told}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AdminUnavailable(
                f"cannot reach the admin API at {self._url}: {_why(error)}"
                " (--admin-url or ROUTER_ADMIN_URL tells where it is)"
            ) from None
        answer = _parse(response)
        if not response.is_success:
            raise self._refusal(response.status_code, answer, f"{method} {path.partition('?')[0]}")
        if answer is None or holds not in answer:
            raise AdminRefused(
                f"{self._url} answered with {_kind(response)}, not with the JSON of the admin API:"
                " is it the address of the admin listener?"
            )
        return answer

    def _refusal(self, status: int, answer: Json | None, asked: str) -> Exception:
        detail = str(answer.get("detail", "")) if answer else ""
        told = f"{status}: {detail}" if detail else str(status)
        if status in {401, 403}:
            return AdminRefused(f"{self._url} refused ({told}); {self._about_token()}")
        if status == 404 and detail and detail != _NO_ENDPOINT:
            return AdminUnknown(detail)
        if status in {404, 405}:
            return AdminRefused(
                f"{self._url} has no {asked} of the admin API: it is a service older than this"
                " command, or not the address of an admin listener"
            )
        if status >= 500:
            return AdminUnavailable(f"{self._url} cannot answer now ({told})")
        if 300 <= status < 400:
            return AdminRefused(f"{self._url} answered with a redirect ({status}), not followed")
        return AdminRefused(f"{self._url} refused ({told})")

    def _about_token(self) -> str:
        if self._has_token:
            return "the token given is not the service's"
        return "give the token's file with --token-file or ROUTER_ADMIN_TOKEN_FILE"


def _headers(token: Secret | None) -> dict[bytes, bytes]:
    """Refuses a token that no header can carry here, as the HTTP client's own error would show it.

    https://www.rfc-editor.org/rfc/rfc9110#section-5.5
    """
    headers = {
        b"User-Agent": f"flux-router/{__version__}".encode(),
        b"Accept": b"application/json",
    }
    if token is not None:
        if token.value != token.value.strip() or _CONTROL.search(token.value):
            raise AdminRefused("the token has bytes that no HTTP header can carry")
        headers[b"Authorization"] = b"Bearer " + token.value
    return headers


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _segment(text: str) -> str:
    """*text* as one segment of a path. Refuses what leads elsewhere: no name is like that."""
    if not text or "/" in text or not text.strip("."):
        raise AdminRefused(f"nothing there is named {text!r}")
    return quote(text, safe="", errors="replace")


def _why(error: Exception) -> str:
    """In the words of the system where it has some; never what the request was."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _parse(response: httpx.Response) -> Json | None:
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _rows(value: Any) -> list[Json]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise AdminRefused("the answer is not one of the admin API")
    return value


def _is_meant(row: Json, given: str) -> bool:
    ids = (row["id"], row.get("providerDeliveryId"))
    return any(str(each).startswith(given) for each in ids if each)


def _kind(response: httpx.Response) -> str:
    kind = response.headers.get("content-type", "").partition(";")[0].strip()
    return kind or "something without a content type"
