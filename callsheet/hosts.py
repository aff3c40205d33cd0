"""Addresses of the network: which of them are this machine, and which are of the public internet. Nothing is asked here.

What a link from outside names must not make this machine read its own network for someone else (cloud metadata, an
intranet page), so whoever follows one judges the address first.
"""

import ipaddress
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Local proxies that hand out made-up addresses (Clash and its kin) use the benchmarking range; no host lives there.
MADE_UP = ipaddress.ip_network("198.18.0.0/15")
#: Where a gateway of an IPv6 network reaches IPv4 addresses, the private ones included (RFC 6052).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
#: All that is given out of IPv6 for the public internet (IANA). What lies outside may lead anywhere: site-local addresses,
#: IPv4 addresses in old clothes, gateways of somebody's own network (RFC 8215).
_GIVEN_OUT = ipaddress.ip_network("2000::/3")


def literal(host: str) -> Address | None:
    """The address that a host is written as, else None for a name. An IPv4 address in IPv6's clothes is IPv4."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_loopback(host: str) -> bool:
    """Is this name or literal address this machine? Only the plain spellings count."""
    address = literal(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def is_public(address: Address) -> bool:
    """Is it of the public internet, also where it only carries another address to a gateway?"""
    if address in MADE_UP:
        return True
    carried = _carried(address)
    if isinstance(address, ipaddress.IPv6Address) and address not in _GIVEN_OUT and address not in _NAT64:
        return False
    return address.is_global and not address.is_multicast and (carried is None or is_public(carried))


def _carried(address: Address) -> Address | None:
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour
