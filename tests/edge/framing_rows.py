"""What is wrong before a delivery is one: HTTP itself, paths, methods, sizes."""

from __future__ import annotations

import gzip

from router.web.limits import MAX_BODY_BYTES, MAX_HEADERS_BYTES
from tests.edge.canaries import PATH_TOKEN
from tests.edge.wire import FORM, JSON, Row, delivery, head, sign

BODY = b"{}"
SIGNED = ("x-hub-signature-256", f"sha256={sign(BODY)}")
TYPED = ("content-type", JSON)
CHUNKED = ("transfer-encoding", "chunked")
LENGTH = ("content-length", "2")
POST = "POST /hooks/github HTTP/1.1"
TOO_LONG = str(MAX_BODY_BYTES + 1)
BOMB = gzip.compress(b"[" * 10_000_000)


def bad(name: str, sent: bytes) -> Row:
    """Refused by the HTTP parser, in plain text."""
    return Row(name=name, sent=sent, status=400)


def lost(name: str, path: str) -> Row:
    return Row(name=name, sent=delivery(path=path), status=404, error="not_found")


SMUGGLING = [
    bad("length and chunked", head(POST, SIGNED, LENGTH, CHUNKED) + b"0\r\n\r\n"),
    bad("chunked and length", head(POST, SIGNED, CHUNKED, LENGTH) + b"0\r\n\r\n"),
    bad("two lengths that differ", head(POST, SIGNED, LENGTH, ("content-length", "3")) + BODY),
    bad("two lengths that agree", head(POST, SIGNED, LENGTH, LENGTH) + BODY),
    bad("a list of lengths", head(POST, SIGNED, ("content-length", "2, 2")) + BODY),
    bad("a length with a sign", head(POST, SIGNED, ("content-length", "+2")) + BODY),
    bad("a length below zero", head(POST, SIGNED, ("content-length", "-2")) + BODY),
    bad("a hexadecimal length", head(POST, SIGNED, ("content-length", "0x2")) + BODY),
    bad("an empty length", head(POST, SIGNED, ("content-length", "")) + BODY),
    bad("a length of 2^64", head(POST, SIGNED, ("content-length", str(2**64))) + BODY),
    bad("folded headers", head(POST, ("x-a", "1\r\n folded"), SIGNED, LENGTH) + BODY),
    bad("bare line feeds", b"POST /hooks/github HTTP/1.1\nhost: a\ncontent-length: 2\n\n{}"),
    bad("a space before the colon", head(POST, ("content-length ", "2")) + BODY),
    bad("a header without a name", head(POST, ("", "2")) + BODY),
    bad("a header without a colon", b"POST /hooks/github HTTP/1.1\r\nhost a\r\n\r\n"),
    bad("NUL in a header", head(POST, ("x-a", "a\0b")) + BODY),
    bad("a bare CR in a header", head(POST, ("x-a", "a\rcontent-length: 2")) + BODY),
    bad("an unknown coding", head(POST, SIGNED, ("transfer-encoding", "xchunked")) + BODY),
    bad("identity as coding", head(POST, SIGNED, ("transfer-encoding", "identity")) + BODY),
    bad("chunked before gzip", head(POST, SIGNED, ("transfer-encoding", "chunked, gzip")) + BODY),
    bad("chunked with a vertical tab", head(POST, SIGNED, ("transfer-encoding", "\x0bchunked"))),
]

CHUNKS = [
    bad("a chunk size that is no number", head(POST, SIGNED, TYPED, CHUNKED) + b"xyz\r\n{}\r\n"),
    bad("a chunk size below zero", head(POST, SIGNED, TYPED, CHUNKED) + b"-2\r\n{}\r\n"),
    bad("a chunk size of 2^68", head(POST, SIGNED, TYPED, CHUNKED) + b"f" * 17 + b"\r\n{}\r\n"),
    bad("a chunk with 0x", head(POST, SIGNED, TYPED, CHUNKED) + b"0x2\r\n{}\r\n0\r\n\r\n"),
    bad(
        "a chunk longer than it says", head(POST, SIGNED, TYPED, CHUNKED) + b"1\r\n{}\r\n0\r\n\r\n"
    ),
    Row(
        name="chunks without end",
        sent=head(POST, SIGNED, TYPED, CHUNKED) + b"100000\r\n%b\r\n" % (b"x" * 0x100000) * 27,
        status=413,
        error="too_large",
    ),
    Row(
        name="a body of one-byte chunks",
        sent=head(POST, SIGNED, TYPED, CHUNKED) + b"1\r\nx\r\n" * 40_000,
        status=431,
    ),
    Row(
        name="a chunk extension without end",
        sent=head(POST, SIGNED, TYPED, CHUNKED) + b"2;x=" + b"a" * 3 * MAX_HEADERS_BYTES,
        status=431,
    ),
    Row(
        name="trailers without end",
        sent=head(POST, SIGNED, TYPED, CHUNKED) + b"2\r\n{}\r\n0\r\n" + b"x-a: b\r\n" * 30_000,
        status=431,
    ),
    Row(
        name="chunks that end too soon",
        sent=head(POST, SIGNED, TYPED, CHUNKED) + b"5\r\n{}",
        status=0,
        is_cut=True,
    ),
]

SIZES = [
    Row(
        name="a byte more than 25 MiB",
        sent=head(POST, SIGNED, TYPED, ("content-length", TOO_LONG)) + b"x" * (MAX_BODY_BYTES + 1),
        status=413,
        error="too_large",
    ),
    Row(
        name="25 MiB that are only announced",
        sent=head(POST, SIGNED, TYPED, ("content-length", TOO_LONG)),
        status=413,
        error="too_large",
    ),
    Row(name="a header of 100 KB", sent=head(POST, ("x-a", "a" * 100_000)), status=431),
    Row(name="5000 headers", sent=head(POST, *[("x-a", "b" * 20)] * 5000), status=431),
    Row(name="a path of 100 KB", sent=head(f"POST /{'a' * 100_000} HTTP/1.1"), status=431),
    Row(
        name="a body that ends too soon",
        sent=head(POST, SIGNED, TYPED, LENGTH) + b"{",
        status=0,
        is_cut=True,
    ),
    Row(
        name="a gzip bomb",
        sent=delivery(BOMB, changed={"content-encoding": "gzip"}),
        status=415,
        error="unsupported_media_type",
    ),
    *(
        Row(
            name=f"a body packed as {coding}",
            sent=delivery(BOMB, changed={"content-encoding": coding}),
            status=415,
            error="unsupported_media_type",
        )
        for coding in ("GZIP", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "x")
    ),
    Row(
        name="a form on a hook without forms",
        sent=delivery(hook="generic", changed={"content-type": FORM}),
        status=415,
        error="unsupported_media_type",
    ),
    Row(
        name="no content type",
        sent=delivery(changed={"content-type": None}),
        status=415,
        error="unsupported_media_type",
    ),
    Row(
        name="two content types",
        sent=delivery(changed={"content-type": "text/plain"}, more=(("content-type", JSON),)),
        status=415,
        error="unsupported_media_type",
    ),
]

PATHS = [
    lost("a folder up", "/hooks/../hooks/other"),
    lost("a folder up, encoded", "/hooks/..%2fgithub"),
    lost("a folder up behind the hook", "/hooks/github/..%2f..%2fhealthz"),
    lost("two slashes at the start", "//hooks/github"),
    lost("two slashes in between", "/hooks//github"),
    lost("a slash at the end", "/hooks/github/"),
    lost("NUL at the end", "/hooks/github%00"),
    lost("bytes that are not UTF-8", "/hooks/github%ff"),
    lost("a line break, encoded", "/hooks/github%0d%0aset-cookie:a"),
    lost("a backslash", "/hooks\\github"),
    lost("another case", "/hooks/GitHub"),
    lost("a hook that is not there", "/hooks/" + "a" * 30_000),
    lost("a token on a hook without one", "/hooks/github/token"),
    lost("the admin API", "/api/v1/layers"),
    lost("metrics", "/metrics"),
    Row(
        name="a wrong token in the path",
        sent=delivery(hook="by-path", path="/hooks/by-path/canary"),
        status=401,
        error="unauthorized",
    ),
    Row(
        name="no token in the path",
        sent=delivery(hook="by-path"),
        status=401,
        error="unauthorized",
    ),
    Row(
        name="a token in the path that is longer than it",
        sent=delivery(hook="by-path", path=f"/hooks/by-path/{PATH_TOKEN.decode()}x"),
        status=401,
        error="unauthorized",
    ),
    lost("a right token with a slash", f"/hooks/by-path/{PATH_TOKEN.decode()}/"),
    Row(
        name="a token that is not UTF-8",
        sent=delivery(hook="by-path", path="/hooks/by-path/%ff%fe"),
        status=401,
        error="unauthorized",
    ),
    bad("a path that is not ASCII", b"POST /hooks/\xff HTTP/1.1\r\nhost: a\r\n\r\n"),
    bad("a space in the path", head("POST /hooks/ github HTTP/1.1")),
]

METHODS = [
    *(
        Row(
            name=f"{method} on a hook",
            sent=delivery(line=f"{method} /hooks/github HTTP/1.1"),
            status=405,
            error="method_not_allowed",
        )
        for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
    ),
    bad("a method that is none", head("PUSH /hooks/github HTTP/1.1")),
    bad("a method in lower case", head("post /hooks/github HTTP/1.1")),
    bad("CONNECT", head("CONNECT router.test:443 HTTP/1.1")),
    bad("HTTP/2 without being asked", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 30),
    bad("HTTP/3.0 in the line", head("POST /hooks/github HTTP/3.0")),
    Row(
        name="no version, not signed",
        sent=b"POST /hooks/github\r\nhost: a\r\n\r\n",
        status=401,
        error="unauthorized",
    ),
    bad("a TLS hello", bytes.fromhex("16030100f8010000f40303") + b"\x11" * 200),
    bad("SSH", b"SSH-2.0-OpenSSH_9.6\r\n"),
    bad("a Redis command", b"*1\r\n$4\r\nPING\r\n"),
    bad("nothing but line ends and noise", b"\r\n\r\n\x00\x01"),
    bad("a PROXY line", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n" + head(POST)),
    Row(
        name="HTTP/1.0 without a Host, not signed",
        sent=b"POST /hooks/github HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}",
        status=401,
        error="unauthorized",
    ),
    Row(
        name="an absolute target of another host, not signed",
        sent=delivery(
            line="POST http://evil.test/hooks/github HTTP/1.1",
            changed={"x-hub-signature-256": None},
        ),
        status=401,
        error="unauthorized",
    ),
    Row(
        name="waiting for 100 without a signature",
        sent=head(POST, ("expect", "100-continue"), ("content-length", "20000000")),
        status=401,
        error="unauthorized",
    ),
    Row(
        name="an upgrade to WebSocket",
        sent=head(
            "GET /hooks/github HTTP/1.1", ("connection", "upgrade"), ("upgrade", "websocket")
        ),
        status=405,
        error="method_not_allowed",
    ),
    Row(
        name="an upgrade to HTTP/2, not signed",
        sent=head(POST, ("connection", "upgrade, http2-settings"), ("upgrade", "h2c"), LENGTH)
        + BODY,
        status=401,
        error="unauthorized",
    ),
    Row(
        name="an upgrade on a delivery that is signed: what follows the headers is no body",
        sent=delivery(b"{}", changed={"connection": "upgrade", "upgrade": "h2c"}),
        status=401,
        error="unauthorized",
    ),
]

FRAMING = [*SMUGGLING, *CHUNKS, *SIZES, *PATHS, *METHODS]
