from __future__ import annotations

import errno
import os
import socket
import ssl

import httpx
import pytest

from router.remote.failures import explain

SECRET = "http://flux/hook/0123456789abcdef"


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (caused(httpx.ConnectError(SECRET), OSError(errno.EHOSTUNREACH, SECRET)), "no route"),
        (caused(httpx.ReadError(SECRET), ConnectionResetError(errno.ECONNRESET, SECRET)), "reset"),
        (caused(httpx.ConnectError(SECRET), socket.gaierror(-2, SECRET)), "host name"),
        (caused(httpx.ConnectError(SECRET), ssl.SSLError(1, SECRET)), "TLS"),
        # Several addresses were tried: the first reason is told.
        (
            caused(
                httpx.ConnectError(SECRET),
                ExceptionGroup(SECRET, [OSError(errno.ECONNREFUSED, SECRET), OSError(SECRET)]),
            ),
            os.strerror(errno.ECONNREFUSED).lower(),
        ),
        (caused(httpx.ConnectError(SECRET), OSError(SECRET)), "no connection could be made"),
        (httpx.ReadError(SECRET), "broke"),
        (httpx.WriteError(SECRET), "broke"),
        (httpx.RemoteProtocolError(SECRET), "not HTTP"),
        (httpx.ProxyError(SECRET), "ProxyError"),
        (RuntimeError(SECRET), "RuntimeError"),
    ],
)
def test_a_failure_is_told_in_our_own_words(error: Exception, word: str) -> None:
    assert word in explain(error)
    assert "hook" not in explain(error)
