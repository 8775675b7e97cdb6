"""Windows: routes, groups and counters, as iphlpapi.dll tells them.

The functions that take bytes ask nothing of the system. Layouts: netioapi.h, iptypes.h, ipmib.h,
the same on 32 and 64 bit but for the pointers in the list of adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from struct import Struct, unpack_from
from typing import NamedTuple

from ...kernel.proc import Proc
from ...listing import Report
from ...options import Options
from ...table import Table
from ..linux import statistics
from . import calls, counters, wide_text

AF_INET, AF_INET6 = 2, 23

# Interfaces


class Adapter(NamedTuple):
    """An interface: its number in each IP version, name, metrics, and multicast groups."""

    interface: int
    interface6: int
    name: str
    metric: int
    metric6: int
    groups: list[tuple[int, bytes]]


def adapters(data: bytes, start: int, pointer: int) -> list[Adapter]:
    """The list that GetAdaptersAddresses() leaves at the address `start`: each adapter points to
    the next, to its name and to its groups, all of them within these bytes."""
    word = "Q" if pointer == 8 else "I"
    # IP_ADAPTER_ADDRESSES: IfIndex, 9 pointers (Next first, FirstMulticastAddress the fifth,
    # FriendlyName the last), ..., Ipv6IfIndex, ..., Ipv4Metric, Ipv6Metric
    layout = Struct(f"<4xI 9{word} 28x I 64x {word} 16x 2{word} II")
    found = []
    for at in chain(data, start, layout, 1):
        interface, *pointers, interface6, _, _, _, metric, metric6 = layout.unpack_from(data, at)
        name = wide_text(data, pointers[8] - start) if pointers[8] >= start else ""
        groups = multicast(data, start, pointer, pointers[4])
        found.append(Adapter(interface, interface6, name, metric, metric6, groups))
    return found


def chain(data: bytes, start: int, layout: Struct, place: int, first: int = 0) -> Iterator[int]:
    """Where each structure of a linked list begins; ValueError where the list is no list."""
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


# Routes


class Route(NamedTuple):
    """A route of MIB_IPFORWARD_ROW2; `gateway` is None where there is none."""

    family: int
    interface: int
    destination: bytes
    prefix: int
    gateway: bytes | None
    metric: int
    protocol: int


# luid, index, destination and its prefix, next hop, site prefix, two lives, metric, protocol
FORWARD = Struct("<8x I 28s B 3x 28s B 3x 4x 4x I I 12x")
ROWS = 8  # where they begin, after their number
REDIRECT = 4  # MIB_IPPROTO_ICMP: learnt from a redirect


def forward_rows(data: bytes) -> list[Route]:
    """GetIpForwardTable2(); families other than IPv4 and IPv6 are passed over."""
    count = unpack_from("<I", data)[0] if len(data) >= ROWS else 0
    if len(data) < ROWS + count * FORWARD.size:
        raise ValueError("the table of routes is cut short")
    found = []
    for row in FORWARD.iter_unpack(data[ROWS : ROWS + count * FORWARD.size]):
        interface, destination, prefix, hop, _, metric, protocol = row
        target, gateway = socket_address(destination), socket_address(hop)
        if target is None:
            continue
        near = gateway[1] if gateway and any(gateway[1]) else None
        found.append(Route(target[0], interface, target[1], prefix, near, metric, protocol))
    return found


# Statistics

TCP = (
    "RtoAlgorithm", "RtoMin", "RtoMax", "MaxConn", "ActiveOpens", "PassiveOpens", "AttemptFails",
    "EstabResets", "CurrEstab", "InSegs", "OutSegs", "RetransSegs", "InErrs", "OutRsts",
)  # fmt: skip
SETTINGS = TCP[:4]  # of the protocol, not counters: they have no sum
UDP = ("InDatagrams", "NoPorts", "InErrors", "OutDatagrams")
# "" is what Linux has not
IP = (
    "Forwarding", "DefaultTTL", "InReceives", "InHdrErrors", "InAddrErrors", "ForwDatagrams",
    "InUnknownProtos", "InDiscards", "InDelivers", "OutRequests", "", "OutDiscards",
    "OutNoRoutes", "ReasmTimeout", "ReasmReqds", "ReasmOKs", "ReasmFails", "FragOKs",
    "FragFails", "FragCreates",
)  # fmt: skip
# The same for IPv6, in the order of /proc/net/snmp6
IP6 = (
    "InReceives", "InHdrErrors", "InAddrErrors", "InUnknownProtos", "InDiscards", "InDelivers",
    "ForwDatagrams", "OutRequests", *IP[11:],
)  # fmt: skip

# The structures with 64 bit counters, where Windows has them, and those with 32 bit
TCP2, TCP1 = Struct("<9I4x 2Q 3I4x"), Struct("<14I4x")
UDP2, UDP1 = Struct("<Q 2I Q 4x4x"), Struct("<4I4x")
IP1 = Struct("<20I12x")
ICMP1 = Struct("<2I 256I 2I 256I")


def named(names: Sequence[str], layout: Struct, data: bytes) -> dict[str, int]:
    if len(data) < layout.size:
        raise ValueError("fewer counters than Windows has")
    return {name: value for name, value in zip(names, layout.unpack_from(data)) if name}


def tcp(data: bytes) -> dict[str, int]:
    """MIB_TCPSTATS2 or MIB_TCPSTATS"""
    return named(TCP, TCP2 if len(data) >= TCP2.size else TCP1, data)


def udp(data: bytes) -> dict[str, int]:
    """MIB_UDPSTATS2 or MIB_UDPSTATS"""
    return named(UDP, UDP2 if len(data) >= UDP2.size else UDP1, data)


def ip(data: bytes) -> dict[str, int]:
    """MIB_IPSTATS"""
    return named(IP, IP1, data)


def icmp_types(
    data: bytes,
) -> tuple[tuple[int, int, Sequence[int]], tuple[int, int, Sequence[int]]]:
    """MIB_ICMP_EX: messages, errors and messages by type, received and sent"""
    if len(data) < ICMP1.size:
        raise ValueError("fewer counters than Windows has")
    count = ICMP1.unpack_from(data)
    return (count[0], count[1], count[2:258]), (count[258], count[259], count[260:516])


def icmp(data: bytes, version: str) -> dict[str, int]:
    received, sent = icmp_types(data)
    names, prefix = (counters.ICMP6, "Icmp6") if version else (counters.ICMP, "")
    came, went = counters.histogram(names, prefix, received[2], sent[2])
    here = {f"{prefix}InMsgs": received[0], f"{prefix}InErrors": received[1]}
    there = {f"{prefix}OutMsgs": sent[0], f"{prefix}OutErrors": sent[1]}
    if not version:
        return here | came | there | went
    return here | there | came | went | counters.by_type(prefix, received[2], sent[2])


def icmp_messages(data: bytes) -> dict[str, int]:
    received, sent = icmp_types(data)
    return counters.by_type("", received[2], sent[2])


Ask = Callable[[str, int, int], "bytes | None"]


def collect_statistics(
    proc: Proc, options: Options, outcome: Report, ask: Ask = calls.statistics
) -> Iterator[Table]:
    yield from counters.collect(proc, options, outcome, partial(sections, ask))


def sections(ask: Ask, version: str) -> counters.Sections:
    """In the order of Linux' files."""
    family = AF_INET6 if version else AF_INET

    def icmp_data() -> bytes:
        return ask("GetIcmpStatisticsEx", ICMP1.size, family) or b""

    def ip_data() -> bytes:
        return ask("GetIpStatisticsEx", 92, family) or b""

    tcp_section = ("Tcp", lambda: tcp_both(ask))
    if version:
        return [
            ("Ip6", lambda: ip6(ip_data())),
            ("Icmp6", lambda: icmp(icmp_data(), version)),
            ("Udp6", lambda: udp6(udp_data(ask, family))),
            tcp_section,
        ]
    return [
        ("Ip", lambda: ip(ip_data())),
        ("Icmp", lambda: icmp(icmp_data(), version)),
        ("IcmpMsg", lambda: icmp_messages(icmp_data())),
        tcp_section,
        ("Udp", lambda: udp(udp_data(ask, family))),
    ]


def tcp_both(ask: Ask) -> dict[str, int]:
    """Windows counts tcp apart for IPv4 and IPv6, Linux together."""
    parts = [tcp(tcp_data(ask, family)) for family in (AF_INET, AF_INET6)]
    return counters.total(parts) | {name: parts[0][name] for name in SETTINGS}


def tcp_data(ask: Ask, family: int) -> bytes:
    wide = ask("GetTcpStatisticsEx2", TCP2.size, family)
    return wide or ask("GetTcpStatisticsEx", TCP1.size, family) or b""


def udp_data(ask: Ask, family: int) -> bytes:
    wide = ask("GetUdpStatisticsEx2", UDP2.size, family)
    return wide or ask("GetUdpStatisticsEx", UDP1.size, family) or b""


def ip6(data: bytes) -> dict[str, int]:
    found = ip(data)
    renamed = {"ForwDatagrams": "OutForwDatagrams"}
    return {f"Ip6{renamed.get(name, name)}": found[name] for name in IP6}


def udp6(data: bytes) -> dict[str, int]:
    return {f"Udp6{name}": number for name, number in udp(data).items()}


STATISTICS = statistics.STATISTICS._replace(collect=collect_statistics)
