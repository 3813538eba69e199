"""How many requests of one client address are refused with a 401 before it is told to slow down.

What counts is a refusal: a signature or token that is missing, malformed or wrong. Every address
has a bucket of them that fills up again with time. While it is empty:

- A request that shows no proof of the right form, or a wrong token, is answered 429, before its
  body is read. (A token is compared before the body; a right one passes.)
- A request whose signature has the right form is read and verified all the same, and answered on
  its merits. Many providers, or all of them, may share one address: behind a NAT, or an Ingress
  that is not among the trusted proxies. Were they refused for a stranger's requests, anybody could
  stop their deliveries.
- Such bodies share a part of the memory for bodies, so that what an address under doubt sends,
  which everybody can give the form of a signature, leaves room for the others.

So the limit does not keep anybody from guessing: secrets are too long for that. It keeps refusals
cheap, in the log as well, where a 429 is told for debugging only. What it leaves is the cost of
verifying: a body of 25 MiB takes about 20 ms of one thread beside the event loop, less than sending
it does. An IPv6 address counts by its /64, which is what one host has.
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from router.web.limits import (
    MAX_REFUSING_ADDRESSES,
    REFUSALS_AT_ONCE,
    REFUSALS_PER_SECOND,
)

if TYPE_CHECKING:
    from collections.abc import Callable

IPV6_HOST_BITS = 64


class RefusalLimit:
    """A token bucket for each address that had requests refused, the latest ones only."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Address → refusals left, and when that was so; the address refused last at the end."""

    def charge(self, address: str) -> None:
        """Count a refusal; of too many addresses the one refused longest ago is forgotten."""
        key = _host(address)
        left = max(self._left(key) - 1.0, 0.0)
        self._buckets[key] = (left, self._monotonic())
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_REFUSING_ADDRESSES:
            self._buckets.popitem(last=False)

    def wait_seconds(self, address: str) -> float:
        """Until *address* may have a request refused with a 401 again; 0 while it may."""
        return max(0.0, (1.0 - self._left(_host(address))) / REFUSALS_PER_SECOND)

    def _left(self, key: str) -> float:
        left, since = self._buckets.get(key, (REFUSALS_AT_ONCE, 0.0))
        refilled = (self._monotonic() - since) * REFUSALS_PER_SECOND
        return min(REFUSALS_AT_ONCE, left + refilled)


def _host(address: str) -> str:
    """What a bucket is kept for: an IPv4 address, or the /64 of an IPv6 address."""
    if ":" not in address:
        return address
    parsed = ip_address(address)
    assert isinstance(parsed, IPv6Address)
    return f"{int(parsed) >> IPV6_HOST_BITS:x}::/64"
