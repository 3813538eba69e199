"""Addresses to listen on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

_BIND = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^\[\]:\s/]*)):(?P<port>[0-9]{1,5})\Z")
_ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - what `:port` means, and only when it is written
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Bind:
    """A host and a port; port 0 lets the system choose one."""

    host: str
    port: int

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            address = ip_address(self.host.partition("%")[0])
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return (mapped or address).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_bind(text: str) -> Bind:
    """`host:port`, `[IPv6]:port`, or `:port` for all IPv4 addresses. Raises ValueError."""
    match = _BIND.match(text)
    if match is None or int(match["port"]) > _MAX_PORT:
        raise ValueError("must be host:port, [IPv6 address]:port or :port")
    if match["v6"] is None:
        return Bind(match["host"] or _ALL_ADDRESSES, int(match["port"]))
    try:
        IPv6Address(match["v6"])
    except ValueError:
        raise ValueError("must have an IPv6 address between the brackets") from None
    return Bind(match["v6"], int(match["port"]))
