"""Which addresses may be reached: a webhook must not be a door into private networks."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

_Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Net: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOW_32: Final = 0xFFFFFFFF


class AddressRefusedError(Exception):
    """None of a host's addresses may be reached; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Networks:
    """What may be reached: every public address, and these networks."""

    allowed: tuple[_Net, ...] = ()

    @classmethod
    def of(cls, texts: Sequence[str]) -> Networks:
        """Read networks and single addresses.

        Raises:
            ValueError: a text is neither.
        """
        return cls(tuple(ipaddress.ip_network(text, strict=False) for text in texts))

    def permit(self, address: str) -> bool:
        """Tell whether *address* may be reached; whatever it embeds must be permitted, too."""
        found = ipaddress.ip_address(address.partition("%")[0])
        if any(found in network for network in self.allowed):
            return True
        inner = _embedded(found)
        if inner is not None:
            return self.permit(str(inner))
        return found.is_global and not found.is_multicast and not found.is_reserved


def resolve(host: str, port: int, networks: Networks) -> tuple[str, ...]:
    """Return the addresses of *host* that may be reached, each to be connected to as it is.

    Raises:
        AddressRefusedError: there are some, but none that may be reached.
        OSError: the name is not known.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    permitted = tuple(address for address in addresses if networks.permit(address))
    if not permitted:
        raise AddressRefusedError(
            f"{host} is at {', '.join(addresses)}, which is not public; "
            "if it is yours, name its network in `webhook.allow`"
        )
    return permitted


def _embedded(address: _Ip) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & _LOW_32)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
