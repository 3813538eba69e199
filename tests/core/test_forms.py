"""A form is decoded the same in pieces as at once."""

from __future__ import annotations

from urllib.parse import quote_plus, unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.errors import MalformedPayload
from router.core.forms import PIECE_BYTES, form_payload, form_pieces
from tests.thoroughness import examples


@settings(max_examples=examples(15), deadline=None)
@given(text=st.binary(min_size=1, max_size=60), shift=st.integers(min_value=0, max_value=5))
def test_pieces_never_cut_an_escape(text: bytes, shift: int) -> None:
    payload = b"x" * shift + text * (2 * PIECE_BYTES // len(text))
    body = b"payload=" + quote_plus(payload).encode() + b"&b=2"
    assert b"".join(form_pieces(body)) == payload
    assert form_payload(body) == payload


def test_escapes_of_everything_over_several_pieces_are_decoded() -> None:
    body = b"payload=" + b"%7B%2f+" * PIECE_BYTES
    expected = unquote_to_bytes(body[8:].replace(b"+", b" "))
    assert form_payload(body) == expected


def test_a_bytearray_is_given_up_and_bytes_are_kept() -> None:
    body = b"payload=%7B%7D"
    grown = bytearray(body)
    assert form_payload(grown) == b"{}" == form_payload(body)
    assert not grown
    assert body == b"payload=%7B%7D"


@pytest.mark.parametrize("body", [b"", b"a=b", b"payload", b"xpayload=1", b"payload=a=b"])
def test_what_holds_no_payload_is_malformed_before_anything_is_decoded(body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        form_pieces(body)
