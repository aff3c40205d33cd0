"""Which addresses we talk to: the bases of a route, and the hosts that results come from.

A result link comes from outside. Following it must not make this machine read its own network for someone else (cloud
metadata, an intranet page): names and literal addresses are checked before, and the address that was really connected
to is checked before anything is sent, so a name that resolves differently the second time gains nothing.
"""

import re
from collections.abc import Mapping
from typing import Any

import httpx

from callsheet.errors import ProviderError, ResultDamaged
from callsheet.hosts import Address, is_loopback, is_public, literal

LAST_PORT = 65535


def base(text: str, *, what: str) -> str:
    """A base URL without a trailing slash: https, or http for loopback. ProviderError says what is wrong with it.

    what: the name of the setting, for the message. The message shows no part of the URL but its host: a mistyped base
    may hold a key.
    """
    try:
        url = httpx.URL(text.strip())
    except (httpx.InvalidURL, TypeError):
        raise ProviderError(f"{what} is not a URL.", hint="Write it as https://api.example.com.") from None
    if url.scheme not in ("http", "https") or not _is_host(url):
        raise ProviderError(f"{what} is not an http(s) URL.", hint="Write it as https://api.example.com.")
    if url.userinfo or url.query or url.fragment:
        raise ProviderError(
            f"{what} ({url.host}) holds a user, a query or a fragment.", hint="Give the key as EVOLINK_API_KEY."
        )
    if url.scheme == "http" and not is_loopback(url.host):
        hint = f"The key would travel readable by anyone. Use https://{url.host}; plain http is for loopback only."
        raise ProviderError(f"{what} is plain http to {url.host}.", hint=hint)
    return str(url).rstrip("/")


def host_of(url: str) -> str:
    return httpx.URL(url).host


def result(text: str, *, loopback: bool) -> httpx.URL:
    """A link that may be followed: https, or http on this machine where the route is too. ResultDamaged otherwise.

    loopback: is the route itself on this machine?
    """
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise _refused("it is not a URL") from None
    if url.scheme not in ("http", "https") or not _is_host(url):
        raise _refused("it is not an http(s) URL")
    if url.userinfo:
        raise _refused(f"it holds a user name or password for {url.host}")
    here = is_loopback(url.host)
    if url.scheme == "http" and not here:
        raise _refused(f"it is plain http to {url.host}")
    address = literal(url.host)
    if here or address is not None:
        _check(address, url.host, loopback=loopback)
    return url


class DirectPeer:
    """httpcore's trace hook: closes a connection to a private address before a byte of the request is sent.

    A connection to the proxy of the environment is the user's own choice and is not judged: then the proxy resolves.
    """

    def __init__(self, host: str, *, loopback: bool) -> None:
        self._host = host
        self._loopback = loopback
        self._is_direct = False

    async def __call__(self, event: str, facts: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.started":
            self._is_direct = facts["host"] == self._host
        elif event == "connection.connect_tcp.complete" and self._is_direct:
            stream = facts["return_value"]
            try:
                _check(_peer_of(stream), self._host, loopback=self._loopback)
            except ResultDamaged:
                await stream.aclose()
                raise


def _peer_of(stream: Any) -> Address | None:
    peer = stream.get_extra_info("server_addr")
    return literal(str(peer[0])) if isinstance(peer, tuple) else None


def _check(address: Address | None, host: str, *, loopback: bool) -> None:
    is_here = host == "localhost" if address is None else address.is_loopback
    if is_here and loopback:
        return
    if is_here:
        raise _refused(f"{host} is this machine")
    if address is None:
        raise _refused(f"the address of {host} cannot be told")
    if not is_public(address):
        raise _refused(f"{host} is a private address")


def _is_host(url: httpx.URL) -> bool:
    """httpx escapes what cannot be in a host instead of refusing it, reads a name that is no IDNA only when it is asked for,
    and a port as any number."""
    host = url.raw_host.decode("ascii")
    try:
        url.host  # noqa: B018 it is decoded here
    except ValueError:
        return False
    if url.port is not None and url.port > LAST_PORT:
        return False
    return literal(host) is not None or re.fullmatch(r"[A-Za-z0-9._-]{1,253}", host) is not None


def _refused(why: str) -> ResultDamaged:
    return ResultDamaged(
        f"The link of the result is not followed: {why}.",
        retry="never",
        hint="Nothing was fetched. The job keeps its result at the provider for 24 h; fetch it from there by hand.",
    )
