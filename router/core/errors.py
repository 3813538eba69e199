"""Every error this package raises on purpose, cut by who must act.

RouterError
├── OperatorError            the operator mends a file, a setting or a command
│   ├── ConfigInvalid        the routing file does not load; carries every problem at once
│   └── SettingsInvalid      an environment variable or a command-line value is wrong
├── SenderError              the sender of a request must change it; carries the HTTP status
│   ├── MalformedPayload     400
│   ├── InvalidSignature     401
│   ├── NotFound             404
│   ├── BodyTimeout          408
│   ├── BodyTooLarge         413
│   ├── UnsupportedMedia     415
│   └── TooManyRefused       429; carries how long to wait
├── Unavailable              nobody's fault: try again later (503)
│   ├── StoreUnavailable     nothing was saved
│   ├── GitUnavailable       a repository could not be read
│   ├── RoutingUnusable      another replica's routing file is in force, and is of no use here
│   └── Overloaded           more in flight than may: bodies, or deliveries not on disk yet
├── StaleGeneration          the plan was made under a routing file that is no longer in force
└── StaleCursor              the plan was made against a commit that is no longer the cursor

A message never holds a secret, a receiver's path, or bytes of a body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.model import Problem


class RouterError(Exception):
    """Any error this package raises on purpose."""


class OperatorError(RouterError):
    """The operator mends a file, a setting or a command."""


class ConfigInvalid(OperatorError):
    """The routing file does not load; *problems* holds every error found, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class SettingsInvalid(OperatorError):
    """An environment variable or a command-line value is wrong."""


class SenderError(RouterError):
    """The sender of a request must change it."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"


class MalformedPayload(SenderError):
    """The body is not what the hook's provider sends."""

    code = "malformed"


class InvalidSignature(SenderError):
    """The signature or token is missing or wrong."""

    status = 401
    code = "unauthorized"


class NotFound(SenderError):
    """No such hook, delivery or layer."""

    status = 404
    code = "not_found"


class BodyTimeout(SenderError):
    """The body did not arrive in time."""

    status = 408
    code = "timeout"


class BodyTooLarge(SenderError):
    """The body is over the limit."""

    status = 413
    code = "too_large"


class UnsupportedMedia(SenderError):
    """The content type or content encoding is not one that the hook's provider sends."""

    status = 415
    code = "unsupported_media_type"


class TooManyRefused(SenderError):
    """Too many requests of this client were refused; it may try again in *wait_seconds*."""

    status = 429
    code = "too_many_refused"

    def __init__(self, message: str, *, wait_seconds: float) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class Unavailable(RouterError):
    """Nothing was done; the same request may succeed later."""

    code: ClassVar[str] = "unavailable"


class StoreUnavailable(Unavailable):
    """The store could not be read or written; nothing of the request was saved."""

    code = "store_unavailable"


class GitUnavailable(Unavailable):
    """A repository could not be read; the message says why, without secrets."""

    code = "git_unavailable"


class KeysUnavailable(Unavailable):
    """The keys of an OIDC issuer could not be read, so that no bearer token can be checked."""

    code = "keys_unavailable"


class RoutingUnusable(Unavailable):
    """The routing file in force is another replica's, and cannot be used here."""

    code = "routing_unusable"


class Overloaded(Unavailable):
    """More is in flight than the limits allow: bytes of bodies, or deliveries to be saved."""

    code = "overloaded"


class StaleCursor(RouterError):
    """The plan was made against a commit that is no longer the ref's cursor; plan again."""


class StaleGeneration(RouterError):
    """The plan was made under a routing file that is no longer in force; plan again."""
