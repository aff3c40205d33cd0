"""Which addresses are of the public internet, and which are this machine or somebody's own network in other clothes."""

from ipaddress import ip_address

import pytest

from callsheet.hosts import is_loopback, is_public, literal


@pytest.mark.parametrize("host", ["93.184.215.14", "2606:2800:21f:cb07::1", "198.18.0.7", "64:ff9b::5db8:d70e"])
def test_public_addresses_are_public(host: str) -> None:
    assert is_public(ip_address(host))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.9.9",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "64:ff9b::a9fe:a9fe",
        "2002:0a00:0001::",
        "fec0::1",
        "64:ff9b:1::a00:1",
        "::10.0.0.1",
    ],
)
def test_private_addresses_are_not_in_whatever_clothes(host: str) -> None:
    assert not is_public(ip_address(host))


def test_an_ipv4_address_in_ipv6_clothes_is_ipv4() -> None:
    assert literal("[::ffff:10.0.0.1]") == ip_address("10.0.0.1")
    assert literal("example.com") is None
    assert literal("2130706433") is None


@pytest.mark.parametrize(
    ("host", "here"), [("localhost", True), ("127.8.9.9", True), ("::1", True), ("10.0.0.1", False)]
)
def test_this_machine_is_known_by_its_plain_spellings(host: str, here: bool) -> None:
    assert is_loopback(host) is here
