"""Which addresses may be fetched: those of the internet, and others only if the user allows it."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ToolError
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses that stand for IPv4 ones where a network translates them (NAT64)."""
_COMPATIBLE = ipaddress.ip_network("::/96")


async def addresses_of(host: str, port: int, *, local: bool = False) -> list[str]:
    """Return the addresses of a host, to which a connection may be made.

    One that is not of the internet refuses the host, as its name may stand for another address a moment later.

    Args:
        host: Its name or address.
        port: The port.
        local: Whether addresses of this machine and its network are allowed.

    Raises `ToolError` if it has none, or one that is not allowed.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ToolError(f"no address was found for {_shown(host)}; check its name") from error
    addresses = list(dict.fromkeys(str(where[0]) for *_, where in found))
    if not local:
        for address in addresses:
            check_public(host, address)
    return addresses


def check_public(host: str, address: str) -> None:
    """Raise `ToolError` if an address is one of this machine, of its network or of no machine at all."""
    if not is_public(address):
        problem = f"{_shown(host)} is an address of this machine or its network ({address})"
        raise ToolError(f"{problem}, which is not fetched unless the user allows it")


def is_public(address: str) -> bool:
    """Return whether an address is one of the internet, and so is every address that it stands for."""
    whole = ipaddress.ip_address(address.partition("%")[0])
    return all(each.is_global and not each.is_multicast for each in _meant_by(whole))


def _meant_by(address: Address) -> Iterator[Address]:
    """Yield the addresses that packets to an address reach: IPv6 addresses may hold IPv4 ones."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _TRANSLATED or address in _COMPATIBLE:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    held = [each for each in inner if each is not None]
    if address.ipv4_mapped is None and address not in _TRANSLATED:
        yield address
    yield from held


def _shown(host: str) -> str:
    return shortened(printable(host))
