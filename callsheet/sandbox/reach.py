"""Out to an address that a client named: judged when it is connected to, so the connection goes to exactly what was judged.

For the inputs of a submission and for callbacks. A name is resolved once; a name that means another address a moment
later gains nothing. No proxy, no cookie, no redirect is followed here.
"""

import asyncio
import ssl
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

from callsheet.hosts import Address, is_public, literal


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Which addresses may be connected to: those of the public internet, and those of this machine."""

    public: bool
    loopback: bool

    def may(self, address: Address) -> bool:
        return self.loopback if address.is_loopback else self.public and is_public(address)

    async def address(self, host: str, port: int) -> Address:
        """What the name means now. ValueError where none of it may be connected to, OSError where it means nothing."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port)
        for *_, peer in found:
            address = literal(str(peer[0]).partition("%")[0])
            if address is not None and self.may(address):
                return address
        raise ValueError("is an internal address")


@cache
def _trust() -> ssl.SSLContext:
    """Whose certificates are believed. Read once: it takes 30 ms, in which nothing else is answered (measured)."""
    return httpx.create_ssl_context(trust_env=False)


def client(limit: float) -> httpx.AsyncClient:
    """limit: seconds to connect, and between two pieces of an answer."""
    # No connection is kept: one that was opened for a host must not serve another one of the same address.
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(verify=_trust(), trust_env=False, timeout=limit, limits=limits, follow_redirects=False)


async def request(
    browser: httpx.AsyncClient, reach: Reach, method: str, url: httpx.URL, *, headers: dict[str, str], **more: Any
) -> httpx.Request:
    """To this very address, in the name of the host. ValueError, OSError as `Reach.address`."""
    port = url.port or (443 if url.scheme == "https" else 80)
    address = await reach.address(url.host, port)
    named = {**headers, "Host": url.netloc.decode("ascii")}
    extensions = {"sni_hostname": url.raw_host.decode("ascii").strip("[]")}
    return browser.build_request(method, url.copy_with(host=str(address)), headers=named, extensions=extensions, **more)
