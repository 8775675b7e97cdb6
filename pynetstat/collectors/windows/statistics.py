"""Statistics of Windows: GetTcpStatisticsEx() and its like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from struct import Struct

from ...kernel.proc import Proc
from ...listing import Report
from ...options import Options
from ...table import Table
from ..linux import statistics
from ..portable import (
    counters,
)
from . import iphlpapi

AF_INET, AF_INET6 = 2, 23
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


def named_counters(names: Sequence[str], layout: Struct, data: bytes) -> dict[str, int]:
    if len(data) < layout.size:
        raise ValueError("fewer counters than Windows has")
    return {name: value for name, value in zip(names, layout.unpack_from(data)) if name}


def windows_tcp(data: bytes) -> dict[str, int]:
    """MIB_TCPSTATS2 or MIB_TCPSTATS"""
    return named_counters(TCP, TCP2 if len(data) >= TCP2.size else TCP1, data)


def windows_udp(data: bytes) -> dict[str, int]:
    """MIB_UDPSTATS2 or MIB_UDPSTATS"""
    return named_counters(UDP, UDP2 if len(data) >= UDP2.size else UDP1, data)


def windows_ip(data: bytes) -> dict[str, int]:
    """MIB_IPSTATS"""
    return named_counters(IP, IP1, data)


def windows_icmp_types(
    data: bytes,
) -> tuple[tuple[int, int, Sequence[int]], tuple[int, int, Sequence[int]]]:
    """MIB_ICMP_EX: messages, errors and messages by type, received and sent"""
    if len(data) < ICMP1.size:
        raise ValueError("fewer counters than Windows has")
    count = ICMP1.unpack_from(data)
    return (count[0], count[1], count[2:258]), (count[258], count[259], count[260:516])


def windows_icmp(data: bytes, version: str) -> dict[str, int]:
    received, sent = windows_icmp_types(data)
    names, prefix = (counters.ICMP6, "Icmp6") if version else (counters.ICMP, "")
    came, went = counters.histogram(names, prefix, received[2], sent[2])
    here = {f"{prefix}InMsgs": received[0], f"{prefix}InErrors": received[1]}
    there = {f"{prefix}OutMsgs": sent[0], f"{prefix}OutErrors": sent[1]}
    if not version:
        return here | came | there | went
    return here | there | came | went | counters.by_type(prefix, received[2], sent[2])


def windows_icmp_messages(data: bytes) -> dict[str, int]:
    received, sent = windows_icmp_types(data)
    return counters.by_type("", received[2], sent[2])


Ask = Callable[[str, int, int], "bytes | None"]


def collect(
    proc: Proc, options: Options, outcome: Report, ask: Ask = iphlpapi.statistics_structure
) -> Iterator[Table]:
    yield from counters.collect(proc, options, outcome, partial(windows_sections, ask))


def windows_sections(ask: Ask, version: str) -> counters.Sections:
    """In the order of Linux' files."""
    family = AF_INET6 if version else AF_INET

    def icmp_data() -> bytes:
        return ask("GetIcmpStatisticsEx", ICMP1.size, family) or b""

    def ip_data() -> bytes:
        return ask("GetIpStatisticsEx", 92, family) or b""

    tcp_section = ("Tcp", lambda: tcp_both(ask))
    if version:
        return [
            ("Ip6", lambda: windows_ip6(ip_data())),
            ("Icmp6", lambda: windows_icmp(icmp_data(), version)),
            ("Udp6", lambda: udp6(udp_data(ask, family))),
            tcp_section,
        ]
    return [
        ("Ip", lambda: windows_ip(ip_data())),
        ("Icmp", lambda: windows_icmp(icmp_data(), version)),
        ("IcmpMsg", lambda: windows_icmp_messages(icmp_data())),
        tcp_section,
        ("Udp", lambda: windows_udp(udp_data(ask, family))),
    ]


def tcp_both(ask: Ask) -> dict[str, int]:
    """Windows counts tcp apart for IPv4 and IPv6, Linux together."""
    parts = [windows_tcp(tcp_data(ask, family)) for family in (AF_INET, AF_INET6)]
    return counters.sum_of_parts(parts) | {name: parts[0][name] for name in SETTINGS}


def tcp_data(ask: Ask, family: int) -> bytes:
    wide = ask("GetTcpStatisticsEx2", TCP2.size, family)
    return wide or ask("GetTcpStatisticsEx", TCP1.size, family) or b""


def udp_data(ask: Ask, family: int) -> bytes:
    wide = ask("GetUdpStatisticsEx2", UDP2.size, family)
    return wide or ask("GetUdpStatisticsEx", UDP1.size, family) or b""


def windows_ip6(data: bytes) -> dict[str, int]:
    found = windows_ip(data)
    renamed = {"ForwDatagrams": "OutForwDatagrams"}
    return {f"Ip6{renamed.get(name, name)}": found[name] for name in IP6}


def udp6(data: bytes) -> dict[str, int]:
    return {f"Udp6{name}": number for name, number in windows_udp(data).items()}


STATISTICS = statistics.STATISTICS._replace(collect=collect)
