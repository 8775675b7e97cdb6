"""What macOS counts (the sysctls net.*.stats), under Linux's names.

Bytes in, counters out; nothing here asks the system. Layouts: xnu bsd/netinet/tcp_var.h,
udp_var.h, ip_var.h, icmp_var.h, bsd/netinet6/ip6_var.h, icmp6.h. Only their beginnings are read,
which have been the same since 2013: a later system may have more behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import unpack_from

from ..portable.counters import ICMP, ICMP6, by_type, histogram

WORD, LONG = 4, 8
TYPES, TYPES6 = 41, 256  # message types that are counted


def first_counters(data: bytes, count: int, size: int = WORD) -> Sequence[int]:
    """The first counters of a structure, all of one size."""
    if len(data) < count * size:
        raise ValueError("fewer counters than this system has had so far")
    return unpack_from(f"<{count}{'I' if size == WORD else 'Q'}", data)


def macos_tcp(data: bytes, established: int | None) -> dict[str, int]:
    """struct tcpstat; resets that were sent are not counted, and of the number of connections
    the list of sockets tells."""
    count = first_counters(data, 32)
    found = {
        "ActiveOpens": count[0],
        "PassiveOpens": count[1],
        "AttemptFails": count[4],
        "EstabResets": count[3],
    }
    if established is not None:
        found["CurrEstab"] = established
    return (
        found
        | {
            "InSegs": count[25],
            "OutSegs": (count[15] - count[18]) & 0xFFFFFFFF,  # without those sent again
            "RetransSegs": count[18],
            "InErrs": sum(count[28:32]),
        }
    )


def macos_udp(data: bytes) -> dict[str, int]:
    """struct udpstat, IPv4 and IPv6 together"""
    count = first_counters(data, 10)
    errors = sum(count[1:4])
    return {
        "InDatagrams": max(count[0] - errors, 0),
        "NoPorts": count[4] + count[5],
        "InErrors": errors,
        "OutDatagrams": count[9],
        "RcvbufErrors": count[6],
    }


def macos_ip(data: bytes) -> dict[str, int]:
    """struct ipstat"""
    count = first_counters(data, 26)
    return {
        "InReceives": count[0],
        "InHdrErrors": sum(count[1:6]) + count[23] + count[25],
        "InAddrErrors": count[11],
        "ForwDatagrams": count[9],
        "InUnknownProtos": count[13],
        "InDelivers": count[14],
        "OutRequests": count[15],
        "OutDiscards": count[16],
        "OutNoRoutes": count[22],
        "ReasmReqds": count[6],
        "ReasmOKs": count[17],
        "ReasmFails": count[7] + count[8],
        "FragOKs": count[18],
        "FragFails": count[20],
        "FragCreates": count[19],
    }


def macos_icmp_types(data: bytes) -> tuple[Sequence[int], Sequence[int], int]:
    """struct icmpstat: messages received and sent by type, and those that were no good."""
    count = first_counters(data, 49 + TYPES)
    return count[49 : 49 + TYPES], count[3 : 3 + TYPES], sum(count[44:48])


def macos_icmp(data: bytes) -> dict[str, int]:
    received, sent, errors = macos_icmp_types(data)
    came, went = histogram(ICMP, "", received, sent)
    return {
        "InMsgs": sum(received) + errors,
        "InErrors": errors,
        **came,
        "OutMsgs": sum(sent),
        **went,
    }


def macos_icmp_messages(data: bytes) -> dict[str, int]:
    received, sent, _ = macos_icmp_types(data)
    return by_type("", received, sent)


def macos_ip6(data: bytes) -> dict[str, int]:
    """struct ip6stat"""
    count = first_counters(data, 23, LONG)
    return {
        "Ip6InReceives": count[0],
        "Ip6InHdrErrors": count[2] + count[18] + count[21],
        "Ip6InAddrErrors": count[8] + count[22],
        "Ip6InTruncatedPkts": count[1],
        "Ip6InDelivers": count[10],
        "Ip6OutForwDatagrams": count[7],
        "Ip6OutRequests": count[11],
        "Ip6OutDiscards": count[12],
        "Ip6OutNoRoutes": count[19],
        "Ip6ReasmTimeout": count[5],
        "Ip6ReasmReqds": count[3],
        "Ip6ReasmOKs": count[13],
        "Ip6ReasmFails": count[4] + count[5],
        "Ip6FragOKs": count[14],
        "Ip6FragFails": count[17],
        "Ip6FragCreates": count[15],
    }


def icmp6(data: bytes) -> dict[str, int]:
    """struct icmp6stat"""
    count = first_counters(data, 264 + TYPES6, LONG)
    sent, received = count[3 : 3 + TYPES6], count[264 : 264 + TYPES6]
    errors = sum(count[259:263])
    came, went = histogram(ICMP6, "Icmp6", received, sent)
    return {
        "Icmp6InMsgs": sum(received) + errors,
        "Icmp6InErrors": errors,
        "Icmp6OutMsgs": sum(sent),
        **came,
        **went,
        **by_type("Icmp6", received, sent),
    }
