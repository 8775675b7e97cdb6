"""Adapters of Windows and their groups: GetAdaptersAddresses()."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from ..portable import (
    wide_text,
)

AF_INET, AF_INET6 = 2, 23  # as Windows numbers them


class Adapter(NamedTuple):
    """An interface: its number in each IP version, name, metrics, multicast groups, the kind of
    its hardware (ifdef.h), and the prefix lengths of its own IPv6 addresses."""

    interface: int
    interface6: int
    name: str
    metric: int
    metric6: int
    groups: list[tuple[int, bytes]]
    kind: int
    lengths: dict[bytes, int]


def adapters(data: bytes, start: int, pointer: int) -> list[Adapter]:
    """The list that GetAdaptersAddresses() leaves at the address `start`: each adapter points to
    the next, to its name and to its groups, all of them within these bytes."""
    word = "Q" if pointer == 8 else "I"
    # IP_ADAPTER_ADDRESSES: IfIndex, 9 pointers (Next first, FirstUnicastAddress the third,
    # FirstMulticastAddress the fifth, FriendlyName the last), ..., IfType, ..., Ipv6IfIndex, ...,
    # Ipv4Metric, Ipv6Metric. A pointer to the hardware's address lies before IfType.
    layout = Struct(f"<4xI 9{word} 20x I 4x I 64x {word} 16x 2{word} II")
    found = []
    for at in chain(data, start, layout, 1):
        row = layout.unpack_from(data, at)
        interface, *pointers, kind, interface6, _, _, _, metric, metric6 = row
        name = wide_text(data, pointers[8] - start) if pointers[8] >= start else ""
        groups = multicast(data, start, pointer, pointers[4])
        lengths = prefixes(data, start, pointer, pointers[2])
        row = Adapter(interface, interface6, name, metric, metric6, groups, kind, lengths)
        found.append(row)
    return found


def prefixes(data: bytes, start: int, pointer: int, first: int) -> dict[bytes, int]:
    """IP_ADAPTER_UNICAST_ADDRESS: Next, a SOCKET_ADDRESS, ..., OnLinkPrefixLength; IPv6 alone"""
    if not first:
        return {}
    word = "Q" if pointer == 8 else "I"
    layout = Struct(f"<8x 2{word} i {'4x' if pointer == 8 else ''} 24x B")
    found = {}
    for at in chain(data, start, layout, 0, first - start):
        _, place, size, length = layout.unpack_from(data, at)
        target = socket_address(data[max(place - start, 0) :][:size])
        if target is not None and target[0] == AF_INET6:
            found[target[1]] = length
    return found


def chain(data: bytes, start: int, layout: Struct, place: int, first: int = 0) -> Iterator[int]:
    """Where each structure of a linked list begins; ValueError where the list is damaged."""
    at = first
    for _ in range(len(data) + 1):
        if at < 0 or at + layout.size > len(data):
            raise ValueError("the list of adapters is cut short")
        yield at
        following = layout.unpack_from(data, at)[place]
        if not following:
            return
        at = following - start


def multicast(data: bytes, start: int, pointer: int, first: int) -> list[tuple[int, bytes]]:
    """IP_ADAPTER_MULTICAST_ADDRESS: Next, and a SOCKET_ADDRESS (sockaddr, its length)"""
    if not first:
        return []
    word = "Q" if pointer == 8 else "I"
    layout = Struct(f"<8x 2{word} i")
    found = []
    for at in chain(data, start, layout, 0, first - start):
        _, place, length = layout.unpack_from(data, at)
        target = socket_address(data[max(place - start, 0) :][:length])
        if target is not None:
            found.append(target)
    return found


def socket_address(data: bytes) -> tuple[int, bytes] | None:
    """A sockaddr_in or sockaddr_in6; what stands behind an IPv4 address is garbage."""
    family = int.from_bytes(data[:2], "little")
    if family == AF_INET and len(data) >= 8:
        return family, data[4:8]
    if family == AF_INET6 and len(data) >= 24:
        return family, data[8:24]
    return None
