"""What macOS tells of routes and multicast groups (the sysctls NET_RT_*), taken apart.

Bytes in, tuples out; nothing here asks the system. Layouts: xnu bsd/net/route.h, if.h, if_dl.h,
if_var.h, the same on Intel and ARM.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from .pcblist import has_zone

VERSION = 5
RTM_GET2, RTM_NEWMADDR2 = 0x14, 0x13

HEADER = Struct("<HBB")  # of every message: length, version, type
# struct rt_msghdr2: interface, flags, addresses that follow, references, flags of the parent,
# uses; then its metrics, which are those of the link
ROUTE = Struct("<4x H 2x 3i i 4x i 60x")
# struct ifma_msghdr2: addresses that follow, interface, references
GROUP = Struct("<4x i 4x H 2x i")

# The addresses that follow a header, by their bits and in this order
DST, GATEWAY, NETMASK, IFP, IFA = 0x1, 0x2, 0x4, 0x10, 0x20
AF_INET, AF_LINK, AF_INET6 = 2, 18, 30
SOCKADDR_DL = Struct("<2x H B 3B")  # interface, type, lengths of name, address and selector

# Flags of a route
UP, HOST, REJECT, DYNAMIC = 0x1, 0x4, 0x8, 0x10
BLACKHOLE, PRCLONING, WASCLONED, IFSCOPE = 0x1000, 0x10000, 0x20000, 0x1000000


class Route(NamedTuple):
    """A route: addresses as 4 or 16 bytes. `gateway` is None where the link itself is meant;
    `zone` is the interface that a link-local destination belongs to."""

    family: int
    flags: int
    parent_flags: int
    interface: int
    destination: bytes
    prefix: int
    gateway: bytes | None
    references: int
    uses: int
    zone: int

    @property
    def cloned(self) -> bool:
        """Made by the kernel for one host, and hidden by Apple's netstat too."""
        return bool(self.flags & WASCLONED and self.parent_flags & PRCLONING)


class Group(NamedTuple):
    interface: int
    family: int
    address: bytes
    references: int
    name: str


def messages(data: bytes, kind: int) -> Iterator[bytes]:
    """The messages of this kind; ValueError where one is cut short."""
    at = 0
    while at < len(data):
        if at + HEADER.size > len(data):
            raise ValueError("a message of the routing socket is cut short")
        length, version, found = HEADER.unpack_from(data, at)
        if not length:
            return
        if length < HEADER.size or at + length > len(data):
            raise ValueError("a message of the routing socket is cut short")
        if version == VERSION and found == kind:
            yield data[at : at + length]
        at += length


def sockaddrs(message: bytes, start: int, bits: int) -> dict[int, bytes]:
    """The addresses after a header. Each says its own length and is padded to 4 bytes; one of
    length 0 takes 4."""
    found = {}
    at = start
    for place in range(8):
        bit = 1 << place
        if not bits & bit:
            continue
        if at >= len(message):
            raise ValueError("an address of the routing socket is cut short")
        length = message[at]
        if at + length > len(message):
            raise ValueError("an address of the routing socket is cut short")
        found[bit] = message[at : at + length]
        at += (length + 3) & ~3 or 4
    return found


def decode_routes_list(data: bytes) -> list[Route]:
    """NET_RT_DUMP2; families other than IPv4 and IPv6 are passed over."""
    found = (decode_route(message) for message in messages(data, RTM_GET2))
    return [entry for entry in found if entry is not None]


def decode_route(message: bytes) -> Route | None:
    if len(message) < ROUTE.size:
        raise ValueError("a message of the routing socket is cut short")
    interface, flags, bits, references, parent, uses = ROUTE.unpack_from(message)
    parts = sockaddrs(message, ROUTE.size, bits)
    target = decode_sockaddr(parts.get(DST, b""))
    if target is None:
        return None
    family, packed, zone = target
    gateway = decode_sockaddr(parts.get(GATEWAY, b""))
    mask = parts.get(NETMASK)
    full = len(packed) * 8
    prefix = full if flags & HOST or mask is None else prefix_length(mask, family)
    hop = gateway[1] if gateway else None
    return Route(family, flags, parent, interface, packed, prefix, hop, references, uses, zone)


def decode_sockaddr(data: bytes) -> tuple[int, bytes, int] | None:
    """A sockaddr_in or sockaddr_in6 as (family, address, zone); None for any other.

    The kernel keeps the zone of a link-local address in its bytes 2 and 3.
    """
    family = data[1] if len(data) > 1 else 0
    if family == AF_INET:
        return family, data[4:8].ljust(4, b"\0"), 0
    if family == AF_INET6:
        packed = data[8:24].ljust(16, b"\0")
        zone = int.from_bytes(packed[2:4], "big") if has_zone(packed) else 0
        return family, packed[:2] + b"\0\0" + packed[4:] if zone else packed, zone
    return None


def prefix_length(mask: bytes, family: int) -> int:
    """A netmask ends with its last byte that is not zero; its family is not filled in."""
    size, start = (4, 4) if family == AF_INET else (16, 8)
    return int.from_bytes(mask[start : start + size], "big").bit_count()


def decode_groups_list(data: bytes) -> list[Group]:
    """The multicast groups in NET_RT_IFLIST2."""
    found = []
    for message in messages(data, RTM_NEWMADDR2):
        if len(message) < GROUP.size:
            raise ValueError("a message of the routing socket is cut short")
        bits, interface, references = GROUP.unpack_from(message)
        parts = sockaddrs(message, GROUP.size, bits)
        target = decode_sockaddr(parts.get(IFA, b""))
        if target is not None:
            name = link_name(parts.get(IFP, b""))
            found.append(Group(interface, target[0], target[1], references, name))
    return found


def link_name(data: bytes) -> str:
    """The interface that a sockaddr_dl names."""
    if len(data) < SOCKADDR_DL.size or data[1] != AF_LINK:
        return ""
    length = SOCKADDR_DL.unpack_from(data)[2]
    return data[8 : 8 + length].decode("latin-1")
