"""Which addresses a model may have fetched."""

import asyncio
import socket

import pytest

from sessionmagic.exceptions import ToolError
from sessionmagic.tools.toolsets.addresses import addresses_of, is_public

OWN = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "2002:7f00:1::",
    "2002:0a00:0001::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "2001:0:7f00:1::",
]
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", OWN)
def test_address_of_this_machine_or_its_network_is_not_public_however_it_is_written(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_address_of_the_internet_is_public(address):
    assert is_public(address)


@pytest.fixture
def names(monkeypatch):
    """Names with their addresses, in place of those of the internet."""
    known = {}

    async def getaddrinfo(_loop, host, port, **_options):
        if host not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return known


def found(host, **options):
    return asyncio.run(addresses_of(host, 80, **options))


def test_host_has_the_addresses_that_were_checked(names):
    names["a.example"] = ["1.1.1.1", "1.1.1.1", "1.0.0.1"]
    assert found("a.example") == ["1.1.1.1", "1.0.0.1"]


def test_host_with_one_address_that_is_not_public_is_refused_as_a_whole(names):
    names["a.example"] = ["1.1.1.1", "10.0.0.1"]
    with pytest.raises(ToolError, match=r"a\.example is an address of this machine or its network \(10\.0\.0\.1\)"):
        found("a.example")
    assert found("a.example", local=True) == ["1.1.1.1", "10.0.0.1"]


def test_host_without_an_address_is_an_error_in_one_line(names):
    assert names == {}
    for host in ("nowhere.example", "a" * 300):
        with pytest.raises(ToolError, match="no address was found for") as refused:
            found(host)
        assert len(str(refused.value)) < 200


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1", "0177.0.0.1"])
def test_this_machine_is_recognized_in_every_way_to_write_it(host):
    with pytest.raises(ToolError, match=r"of this machine|no address was found"):
        found(host)
