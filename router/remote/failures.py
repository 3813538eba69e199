"""Why a call failed, in our own words: a library's exception may hold the secret URL path."""

from __future__ import annotations

import os
import socket
import ssl
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterator

_CERTIFICATE_PROBLEMS = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is self-signed and not in the CA file",
    19: "the certificate's CA is not trusted",
    20: "the certificate's CA is not trusted",
    62: "the certificate is for another host name",
    64: "the certificate is for another IP address",
}
"""By OpenSSL's verify code (https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/)."""


class CannotCall(Exception):
    """A call cannot be made as things are configured; the message says why, without secrets."""


def explain(error: Exception) -> str:
    """Why a call got no answer, in one phrase; empty of anything that *error* itself says."""
    causes = list(_causes(error))
    # aiohttp's exceptions are OSErrors and SSLErrors too, but only their causes have the details.
    origins = (cause for cause in causes if not isinstance(cause, aiohttp.ClientError))
    reasons = [system_reason(origin) for origin in origins]
    reasons += [_library_reason(cause) for cause in causes]
    return next(filter(None, reasons), f"the call failed ({type(error).__name__})")


def _causes(error: BaseException) -> Iterator[BaseException]:
    yield error
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _causes(inner)
    following = error.__cause__ or error.__context__
    if following is not None:
        yield from _causes(following)


def system_reason(error: BaseException) -> str:
    """Why the operating system or TLS refused; empty where *error* does not say."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = error.verify_code
        return _CERTIFICATE_PROBLEMS.get(code, f"the certificate was not accepted (code {code})")
    if isinstance(error, ssl.SSLError):
        return "the TLS handshake failed; is the cluster's url rightly https?"
    if isinstance(error, socket.gaierror):
        return "the host name of the cluster's url was not found"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return ""


def _library_reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection could be made"
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError):
        return "the connection broke before the answer was complete"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return "the proxy refused"
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer was not HTTP"
    return ""
