"""Whose address counts: nobody can choose it but a proxy that is trusted."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.web.clients import NOBODY, client_address

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),  # not a proxy: what it says does not count
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),  # the left one is made up
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),  # two proxies
        ("10.0.0.1", "198.51.100.1,10.0.0.2 , 10.0.0.3", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),  # a client among the proxies
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", ", , ,", "10.0.0.1"),
        ("10.0.0.1", ", ".join(["10.0.0.1"] * 9000), "10.0.0.1"),
        ("", "198.51.100.1", NOBODY),
        ("/run/socket", "198.51.100.1", NOBODY),
    ],
)
def test_addresses_are_believed_from_the_right(peer: str, forwarded: str, expected: str) -> None:
    assert client_address(peer, forwarded, trusted=TRUSTED) == expected


@given(forwarded=st.text(max_size=80))
def test_no_text_changes_who_a_stranger_is(forwarded: str) -> None:
    assert client_address("192.0.2.1", forwarded, trusted=TRUSTED) == "192.0.2.1"
    assert client_address("10.0.0.1", forwarded, trusted=()) == "10.0.0.1"


@given(forwarded=st.text(alphabet="0123456789.:[],a ", max_size=80))
def test_what_a_proxy_adds_counts_whatever_stands_before_it(forwarded: str) -> None:
    told = f"{forwarded}, 198.51.100.1"
    assert client_address("10.0.0.1", told, trusted=TRUSTED) == "198.51.100.1"
