"""What the kernel tells of routes, rules, addresses and interfaces by netlink (rtnetlink(7)).

Each function asks the network namespace that we are in; OSError where the kernel refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from socket import AF_INET, AF_INET6, AF_UNSPEC, inet_ntop
from struct import Struct, error, unpack
from typing import NamedTuple

from .netlink import ROUTE, attributes, malformed, whole_dump

NEWLINK, GETLINK = 16, 18
NEWADDR, GETADDR = 20, 22
NEWROUTE, GETROUTE = 24, 26
NEWRULE, GETRULE = 32, 34

FAMILIES = {AF_INET: "inet", AF_INET6: "inet6"}
WORD = Struct("=I")


def native_word(value: bytes | None) -> int | None:
    return WORD.unpack_from(value)[0] if value is not None and len(value) >= 4 else None


def address_text(packed: bytes | None) -> str | None:
    """An address of 4 or 16 bytes as text; None for another length."""
    family = {4: AF_INET, 16: AF_INET6}.get(len(packed or b""))
    return inet_ntop(family, packed) if family and packed else None


# Routes

# struct rtmsg: family, lengths of destination and source, tos, table, protocol, scope, type, flags
ROUTE_HEADER = Struct("=8BI")
HOP_HEADER = Struct("=HBBi")  # struct rtnexthop: length, flags, weight - 1, interface
CLONED = 0x200  # RTM_F_CLONED: of the cache
RTA_DST, RTA_SRC, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC = 1, 2, 4, 5, 6, 7
RTA_METRICS, RTA_MULTIPATH, RTA_TABLE, RTA_VIA, RTA_PREF, RTA_EXPIRES, RTA_NH_ID = (
    8, 9, 15, 18, 20, 23, 30,
)  # fmt: skip
METRICS = {
    2: "mtu", 3: "window", 4: "rtt", 5: "rttvar", 6: "ssthresh", 7: "cwnd", 8: "advmss",
    9: "reordering", 10: "hoplimit", 11: "initcwnd", 13: "rto_min", 14: "initrwnd",
    15: "quickack",
}  # fmt: skip


class Via(NamedTuple):
    """A gateway of another family than the route's."""

    family: str
    host: str


class Hop(NamedTuple):
    """A way that a route leads: a route has one, or several of which each packet takes one."""

    gateway: str | None
    via: Via | None
    ifindex: int | None  # of the interface
    weight: int
    flags: int  # RTNH_F_*


class KernelRoute(NamedTuple):
    """A route as the kernel has it. Addresses are text, `destination` without its length."""

    family: str
    destination: str
    length: int
    source: str | None
    kind: int
    table: int
    protocol: int
    scope: int
    metric: int
    prefsrc: str | None
    hops: list[Hop]
    several: bool  # was it given with a list of hops?
    nhid: int | None
    pref: int | None
    expires: int | None  # seconds
    metrics: dict[str, int]


def read_routes(family: int) -> list[KernelRoute]:
    """The routes of all tables, in the kernel's order; those of the cache are left out."""
    answers = whole_dump(ROUTE, GETROUTE, ROUTE_HEADER.pack(family, *[0] * 8), NEWROUTE)
    return [
        found for found in map(decode_kernel_route, answers) if found is not None and found.family
    ]


def decode_kernel_route(body: bytes) -> KernelRoute | None:
    if len(body) < ROUTE_HEADER.size:
        raise malformed("a route is cut off")
    header = ROUTE_HEADER.unpack_from(body)
    family, length, source_length, _, table, protocol, scope, kind, flags = header
    if flags & CLONED or family not in FAMILIES:
        return None
    found = attributes(body, ROUTE_HEADER.size)
    nowhere = "0.0.0.0" if family == AF_INET else "::"
    source = address_text(found.get(RTA_SRC))
    one = hop(found, native_word(found.get(RTA_OIF)), 1, flags & 0xFF)
    several = found.get(RTA_MULTIPATH)
    named = native_word(found.get(RTA_TABLE))
    pref = found.get(RTA_PREF)
    return KernelRoute(
        FAMILIES[family],
        address_text(found.get(RTA_DST)) or nowhere,
        length,
        f"{source}/{source_length}" if source and source_length else None,
        kind,
        table if named is None else named,
        protocol,
        scope,
        native_word(found.get(RTA_PRIORITY)) or 0,
        address_text(found.get(RTA_PREFSRC)),
        [one] if several is None else list(hops(several)),
        several is not None,
        native_word(found.get(RTA_NH_ID)),
        pref[0] if pref else None,
        native_word(found.get(RTA_EXPIRES)),
        metrics_of(found.get(RTA_METRICS)),
    )


def hop(found: Mapping[int, bytes], index: int | None, weight: int, flags: int) -> Hop:
    via = found.get(RTA_VIA)
    host = address_text(via[2:]) if via and len(via) > 2 else None
    family = FAMILIES.get(unpack("=H", via[:2])[0]) if via and host else None
    other = Via(family, host) if family and host else None
    return Hop(address_text(found.get(RTA_GATEWAY)), other, index, weight, flags)


def hops(field: bytes) -> Iterator[Hop]:
    at = 0
    while at + HOP_HEADER.size <= len(field):
        length, flags, weight, index = HOP_HEADER.unpack_from(field, at)
        if not HOP_HEADER.size <= length <= len(field) - at:
            raise malformed("a next hop is out of bounds")
        found = attributes(field[at : at + length], HOP_HEADER.size)
        yield hop(found, index, weight + 1, flags)
        at += length + 3 & ~3


def metrics_of(field: bytes | None) -> dict[str, int]:
    """The metrics of a route under the names of ip-route(8). Of the times the kernel keeps rtt
    in eighths and rttvar in quarters of a millisecond."""
    found: dict[str, int] = {}
    for kind, value in attributes(field or b"", 0).items():
        number = native_word(value)
        if kind in METRICS and number is not None:
            parts = {"rtt": 8, "rttvar": 4}.get(METRICS[kind], 1)
            found[METRICS[kind]] = number // parts
    return found


# Rules, which say whose packets are looked up in which table

# struct fib_rule_hdr: family, lengths, tos, table, two reserved, action, flags
RULE_HEADER = Struct("=8BI")
FRA_PRIORITY, FRA_TABLE = 6, 15


class Rule(NamedTuple):
    family: str
    priority: int
    table: int
    plain: bool  # does it hold for every packet?


def rules(family: int) -> list[Rule]:
    """The rules of policy routing, in their order."""
    answers = whole_dump(ROUTE, GETRULE, RULE_HEADER.pack(family, *[0] * 8), NEWRULE)
    return [found for found in map(rule, answers) if found is not None]


def rule(body: bytes) -> Rule | None:
    if len(body) < RULE_HEADER.size:
        raise malformed("a rule is cut off")
    family, to, source, tos, table, _, _, action, flags = RULE_HEADER.unpack_from(body)
    if family not in FAMILIES:
        return None
    found = attributes(body, RULE_HEADER.size)
    named = native_word(found.get(FRA_TABLE))
    # Of the attributes those are conditions that are none of these: priority, table, suppressed
    # prefix lengths (-1: none), the protocol that made the rule, and padding.
    conditions = found.keys() - {FRA_PRIORITY, FRA_TABLE, 13, 14, 18, 21}
    plain = action == 1 and not (to or source or tos or conditions or flags & 2)
    return Rule(
        FAMILIES[family],
        native_word(found.get(FRA_PRIORITY)) or 0,
        table if named is None else named,
        plain,
    )


# Addresses

# struct ifaddrmsg: family, length of the prefix, flags, scope, interface
ADDRESS_HEADER = Struct("=4BI")
IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_BROADCAST = 1, 2, 3, 4


class KernelAddress(NamedTuple):
    """An address of an interface; `peer` is the peer of a point-to-point connection."""

    ifindex: int
    family: str
    local: str
    length: int
    scope: int
    broadcast: str | None
    peer: str | None
    label: str | None


def interface_addresses() -> list[KernelAddress]:
    """All addresses of all interfaces, in the kernel's order."""
    answers = whole_dump(ROUTE, GETADDR, ADDRESS_HEADER.pack(AF_UNSPEC, *[0] * 4), NEWADDR)
    return [found for found in map(interface_address, answers) if found is not None]


def interface_address(body: bytes) -> KernelAddress | None:
    if len(body) < ADDRESS_HEADER.size:
        raise malformed("an address is cut off")
    family, length, _, scope, index = ADDRESS_HEADER.unpack_from(body)
    found = attributes(body, ADDRESS_HEADER.size)
    address = address_text(found.get(IFA_ADDRESS))
    local = address_text(found.get(IFA_LOCAL)) or address
    if family not in FAMILIES or local is None:
        return None
    return KernelAddress(
        index,
        FAMILIES[family],
        local,
        length,
        scope,
        address_text(found.get(IFA_BROADCAST)),
        address if address != local else None,
        string(found.get(IFA_LABEL)),
    )


def string(value: bytes | None) -> str | None:
    return None if value is None else value.partition(b"\0")[0].decode("latin-1")


# Interfaces

LINK_HEADER = Struct("=BxHiII")  # struct ifinfomsg: family, kind, index, flags, changed
IFLA_IFNAME, IFLA_STATS64 = 3, 23
# struct rtnl_link_stats64 (linux/if_link.h), with the names of `ip -j -s -s link`.
LINK_COUNTERS = (
    ("rx", "packets"), ("tx", "packets"), ("rx", "bytes"), ("tx", "bytes"),
    ("rx", "errors"), ("tx", "errors"), ("rx", "dropped"), ("tx", "dropped"),
    ("rx", "multicast"), ("tx", "collisions"),
    ("rx", "length_errors"), ("rx", "over_errors"), ("rx", "crc_errors"), ("rx", "frame_errors"),
    ("rx", "fifo_errors"), ("rx", "missed_errors"),
    ("tx", "aborted_errors"), ("tx", "carrier_errors"), ("tx", "fifo_errors"),
    ("tx", "heartbeat_errors"), ("tx", "window_errors"),
    ("rx", "compressed"), ("tx", "compressed"),
)  # fmt: skip
COUNTERS = Struct(f"={len(LINK_COUNTERS)}Q")


class KernelLink(NamedTuple):
    ifindex: int
    name: str
    stats: dict[str, dict[str, int]] | None


def interface_links() -> list[KernelLink]:
    """All interfaces with their counters, in the kernel's order."""
    answers = whole_dump(ROUTE, GETLINK, LINK_HEADER.pack(AF_UNSPEC, *[0] * 4), NEWLINK)
    return [interface_link(body) for body in answers]


def interface_link(body: bytes) -> KernelLink:
    if len(body) < LINK_HEADER.size:
        raise malformed("an interface is cut off")
    index = LINK_HEADER.unpack_from(body)[2]
    found = attributes(body, LINK_HEADER.size)
    try:
        values = COUNTERS.unpack_from(found.get(IFLA_STATS64, b""))
    except error:  # shorter: an older kernel
        values = None
    stats: dict[str, dict[str, int]] | None = None
    if values:
        stats = {"rx": {}, "tx": {}}
        for (side, name), value in zip(LINK_COUNTERS, values):
            stats[side][name] = value
    return KernelLink(index, string(found.get(IFLA_IFNAME)) or "", stats)
