"""The kernel's table of neighbours: which hardware address belongs to an address next to us."""

from __future__ import annotations

import socket
from struct import Struct
from typing import NamedTuple

from . import netlink

RTM_NEWNEIGH, RTM_GETNEIGH = 28, 30
# struct ndmsg (linux/neighbour.h): family, interface, state, flags, type
MESSAGE = Struct("=BxxxiHBB")
NDA_DST, NDA_CACHEINFO = 1, 3
INCOMPLETE, FAILED = 0x01, 0x20
# struct nda_cacheinfo: since it was confirmed, used, updated; all in hundredths of a second
CACHE_INFO = Struct("=III")


class Neighbour(NamedTuple):
    """An address next to us: does it answer, and how many seconds ago was it last needed?"""

    address: str
    silent: bool
    used: float


def read_neighbours() -> list[Neighbour]:
    """All of our own network namespace. OSError where the kernel refuses."""
    found = []
    request = MESSAGE.pack(0, 0, 0, 0, 0)
    for body in netlink.whole_dump(netlink.ROUTE, RTM_GETNEIGH, request, RTM_NEWNEIGH):
        if len(body) < MESSAGE.size:
            raise netlink.malformed("a neighbour cut off")
        family, _, state, _, _ = MESSAGE.unpack_from(body)
        told = netlink.attributes(body, MESSAGE.size)
        address, times = told.get(NDA_DST, b""), told.get(NDA_CACHEINFO, b"")
        lengths = {socket.AF_INET: 4, socket.AF_INET6: 16}
        if not address or lengths.get(family) != len(address) or len(times) < CACHE_INFO.size:
            continue
        _, used, _ = CACHE_INFO.unpack_from(times)
        silent = bool(state & (INCOMPLETE | FAILED))
        found.append(Neighbour(socket.inet_ntop(family, address), silent, used / 100))
    return found
