"""Whose address a request comes from: its peer's, or what trusted proxies say of it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

MAX_PROXIES = 16
"""Addresses of an X-Forwarded-For that are looked at, from the right."""

NOBODY = "unknown"
"""Stands for a peer without an IP address."""


def client_address(peer: str, forwarded_for: str, *, trusted: Collection[Network]) -> str:
    """The address of who sent a request that came from *peer* with that X-Forwarded-For.

    Every proxy adds the address it was asked from at the right, and a sender may have written
    anything at the left. So the addresses are walked from the right, and each is believed only
    while the one that told it is a trusted proxy.
    """
    if not trusted and ":" not in peer:
        return peer or NOBODY
    address = _parse(peer)
    if address is None:
        return NOBODY
    told = forwarded_for.rsplit(",", MAX_PROXIES)[-MAX_PROXIES:] if trusted else []
    for hop in reversed(told):
        before = _parse(hop.strip())
        if before is None or not any(address in network for network in trusted):
            break
        address = before
    return str(address)


def _parse(text: str) -> Address | None:
    """An address, also one with a port, as some proxies write it."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address
