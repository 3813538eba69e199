from __future__ import annotations

import errno
import os
import socket
import ssl

import aiohttp
import httpx
import pytest
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from router.remote.failures import explain

SECRET = "http://flux/hook/0123456789abcdef"


KEY = ConnectionKey("flux", 443, True, True, None, None, None)
REQUEST = RequestInfo(URL(SECRET), "POST", CIMultiDictProxy(CIMultiDict()), URL(SECRET))


def caused(error: Exception, *causes: BaseException) -> Exception:
    effect: BaseException = error
    for cause in causes:
        effect.__cause__ = cause
        effect = cause
    return error


def no_connection(cause: OSError) -> Exception:
    error = aiohttp.ClientConnectorError(KEY, cause)
    return caused(httpx.ConnectError(SECRET), error, cause)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (no_connection(OSError(errno.EHOSTUNREACH, SECRET)), "no route"),
        (no_connection(socket.gaierror(-2, SECRET)), "host name"),
        (no_connection(ssl.SSLError(1, SECRET)), "TLS"),
        (no_connection(OSError(SECRET)), "no connection could be made"),
        # aiohttp's own error is an SSL error too, but lacks the code.
        (
            caused(
                httpx.ConnectError(SECRET),
                aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError(SECRET)),
            ),
            "no connection could be made",
        ),
        # Several addresses were tried: the first reason is told.
        (
            caused(
                httpx.ConnectError(SECRET),
                ExceptionGroup(SECRET, [OSError(errno.ECONNREFUSED, SECRET), OSError(SECRET)]),
            ),
            os.strerror(errno.ECONNREFUSED).lower(),
        ),
        # A connection that broke, whatever the error around it is called.
        (
            caused(
                httpx.ConnectTimeout(SECRET),
                aiohttp.ClientOSError(errno.ECONNRESET, SECRET),
                ConnectionResetError(errno.ECONNRESET, SECRET),
            ),
            "reset",
        ),
        (caused(httpx.ConnectTimeout(SECRET), aiohttp.ServerDisconnectedError(SECRET)), "broke"),
        (caused(httpx.ReadError(SECRET), aiohttp.ClientPayloadError(SECRET)), "broke"),
        (aiohttp.ClientResponseError(REQUEST, (), message=SECRET), "not HTTP"),
        (
            caused(httpx.ProxyError(SECRET), aiohttp.ClientHttpProxyError(REQUEST, ())),
            "proxy refused",
        ),
        (httpx.ReadError(SECRET), "ReadError"),
        (RuntimeError(SECRET), "RuntimeError"),
    ],
)
def test_a_failure_is_told_in_our_own_words(error: Exception, word: str) -> None:
    assert word in explain(error)
    assert "hook" not in explain(error)
