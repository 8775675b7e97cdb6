"""The counters of -s in the words of Windows and of BSD. What a system does not count is `-` in the
columns of Windows, and has no line in BSD's prose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ...table import Table

Counts = Mapping[str, Mapping[str, int]]  # by section and name, the kernel's names

IP_OF_WINDOWS = {
    "Packets Received": "InReceives",
    "Received Header Errors": "InHdrErrors",
    "Received Address Errors": "InAddrErrors",
    "Datagrams Forwarded": "ForwDatagrams",
    "Unknown Protocols Received": "InUnknownProtos",
    "Received Packets Discarded": "InDiscards",
    "Received Packets Delivered": "InDelivers",
    "Output Requests": "OutRequests",
    "Routing Discards": "",
    "Discarded Output Packets": "OutDiscards",
    "Output Packet No Route": "OutNoRoutes",
    "Reassembly Required": "ReasmReqds",
    "Reassembly Successful": "ReasmOKs",
    "Reassembly Failures": "ReasmFails",
    "Datagrams Successfully Fragmented": "FragOKs",
    "Datagrams Failing Fragmentation": "FragFails",
    "Fragments Created": "FragCreates",
}
IP6_OF_WINDOWS = {**IP_OF_WINDOWS, "Datagrams Forwarded": "OutForwDatagrams"}
# Two columns: received and sent
ICMP_OF_WINDOWS = {
    "Messages": "Msgs",
    "Errors": "Errors",
    "Destination Unreachable": "DestUnreachs",
    "Time Exceeded": "TimeExcds",
    "Parameter Problems": "ParmProbs",
    "Source Quenches": "SrcQuenchs",
    "Redirects": "Redirects",
    "Echo Replies": "EchoReps",
    "Echos": "Echos",
    "Timestamps": "Timestamps",
    "Timestamp Replies": "TimestampReps",
    "Address Masks": "AddrMasks",
    "Address Mask Replies": "AddrMaskReps",
}
ICMP6_OF_WINDOWS = {
    "Messages": "Msgs",
    "Errors": "Errors",
    "Destination Unreachable": "DestUnreachs",
    "Packet Too Big": "PktTooBigs",
    "Time Exceeded": "TimeExcds",
    "Parameter Problems": "ParmProblems",
    "Echos": "Echos",
    "Echo Replies": "EchoReplies",
    "MLD Queries": "GroupMembQueries",
    "MLD Reports": "GroupMembResponses",
    "MLD Dones": "GroupMembReductions",
    "Router Solicitations": "RouterSolicits",
    "Router Advertisements": "RouterAdvertisements",
    "Neighbor Solicitations": "NeighborSolicits",
    "Neighbor Advertisements": "NeighborAdvertisements",
    "Redirects": "Redirects",
}
TCP_OF_WINDOWS = {
    "Active Opens": "ActiveOpens",
    "Passive Opens": "PassiveOpens",
    "Failed Connection Attempts": "AttemptFails",
    "Reset Connections": "EstabResets",
    "Current Connections": "CurrEstab",
    "Segments Received": "InSegs",
    "Segments Sent": "OutSegs",
    "Segments Retransmitted": "RetransSegs",
}
UDP_OF_WINDOWS = {
    "Datagrams Received": "InDatagrams",
    "No Ports": "NoPorts",
    "Receive Errors": "InErrors",
    "Datagrams Sent": "OutDatagrams",
}
# A section: title, width of its words, the kernel's section, the prefix of the names there, words
WINDOWS: Sequence[tuple[str, int, str, str, Mapping[str, str]]] = (
    ("IPv4 Statistics", 34, "Ip", "", IP_OF_WINDOWS),
    ("IPv6 Statistics", 34, "Ip6", "Ip6", IP6_OF_WINDOWS),
    ("ICMPv4 Statistics", 0, "Icmp", "", ICMP_OF_WINDOWS),
    ("ICMPv6 Statistics", 0, "Icmp6", "Icmp6", ICMP6_OF_WINDOWS),
    # no system that is read counts the versions apart
    ("TCP Statistics for IPv4 and IPv6", 35, "Tcp", "", TCP_OF_WINDOWS),
    ("UDP Statistics for IPv4", 21, "Udp", "", UDP_OF_WINDOWS),
    ("UDP Statistics for IPv6", 21, "Udp6", "Udp6", UDP_OF_WINDOWS),
)  # fmt: skip

# BSD: the line, its section and its name. An indented line is a part of the one above it.
BSD: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "tcp": (
        ("\t{} packets sent", "Tcp", "OutSegs"),
        ("\t\t{} data packets retransmitted", "Tcp", "RetransSegs"),
        ("\t{} packets received", "Tcp", "InSegs"),
        ("\t\t{} discarded for bad checksums", "Tcp", "InCsumErrors"),
        ("\t{} connection requests", "Tcp", "ActiveOpens"),
        ("\t{} connection accepts", "Tcp", "PassiveOpens"),
        ("\t{} listen queue overflows", "TcpExt", "ListenOverflows"),
        ("\t{} embryonic connections dropped", "Tcp", "AttemptFails"),
        ("\t{} retransmit timeouts", "TcpExt", "TCPTimeouts"),
        ("\t{} SACK recovery episodes", "TcpExt", "TCPSackRecovery"),
    ),
    "udp": (
        ("\t{} datagrams received", "Udp", "InDatagrams"),
        ("\t\t{} with bad checksum", "Udp", "InCsumErrors"),
        ("\t\t{} dropped due to no socket", "Udp", "NoPorts"),
        ("\t\t{} dropped due to full socket buffers", "Udp", "RcvbufErrors"),
        ("\t{} datagrams output", "Udp", "OutDatagrams"),
    ),
    "ip": (
        ("\t{} total packets received", "Ip", "InReceives"),
        ("\t\t{} with bad headers", "Ip", "InHdrErrors"),
        ("\t\t{} fragments received", "Ip", "ReasmReqds"),
        ("\t\t\t{} dropped after timeout", "Ip", "ReasmTimeout"),
        ("\t\t\t{} reassembled ok", "Ip", "ReasmOKs"),
        ("\t\t{} packets for this host", "Ip", "InDelivers"),
        ("\t\t{} packets for unknown/unsupported protocol", "Ip", "InUnknownProtos"),
        ("\t\t{} packets forwarded", "Ip", "ForwDatagrams"),
        ("\t{} packets sent from this host", "Ip", "OutRequests"),
        ("\t\t{} output packets dropped due to no bufs, etc.", "Ip", "OutDiscards"),
        ("\t\t{} output packets discarded due to no route", "Ip", "OutNoRoutes"),
        ("\t\t{} output datagrams fragmented", "Ip", "FragOKs"),
        ("\t\t{} fragments created", "Ip", "FragCreates"),
        ("\t\t{} datagrams that can't be fragmented", "Ip", "FragFails"),
    ),
    "icmp": (
        ("\t{} input messages", "Icmp", "InMsgs"),
        ("\t\t{} messages with bad checksum", "Icmp", "InCsumErrors"),
        ("\t\t{} destination unreachable", "Icmp", "InDestUnreachs"),
        ("\t\t{} time exceeded", "Icmp", "InTimeExcds"),
        ("\t\t{} echo", "Icmp", "InEchos"),
        ("\t\t{} echo reply", "Icmp", "InEchoReps"),
        ("\t{} output messages", "Icmp", "OutMsgs"),
        ("\t\t{} destination unreachable", "Icmp", "OutDestUnreachs"),
        ("\t\t{} echo", "Icmp", "OutEchos"),
        ("\t\t{} echo reply", "Icmp", "OutEchoReps"),
    ),
    "ip6": (
        ("\t{} total packets received", "Ip6", "Ip6InReceives"),
        ("\t\t{} fragments received", "Ip6", "Ip6ReasmReqds"),
        ("\t\t\t{} reassembled ok", "Ip6", "Ip6ReasmOKs"),
        ("\t\t{} packets for this host", "Ip6", "Ip6InDelivers"),
        ("\t\t{} packets forwarded", "Ip6", "Ip6OutForwDatagrams"),
        ("\t{} packets sent from this host", "Ip6", "Ip6OutRequests"),
        ("\t\t{} output packets discarded due to no route", "Ip6", "Ip6OutNoRoutes"),
        ("\t\t{} multicast packets received", "Ip6", "Ip6InMcastPkts"),
    ),
    "icmp6": (
        ("\t{} input messages", "Icmp6", "Icmp6InMsgs"),
        ("\t\t{} unreach", "Icmp6", "Icmp6InDestUnreachs"),
        ("\t\t{} neighbor solicitation", "Icmp6", "Icmp6InNeighborSolicits"),
        ("\t\t{} neighbor advertisement", "Icmp6", "Icmp6InNeighborAdvertisements"),
        ("\t{} output messages", "Icmp6", "Icmp6OutMsgs"),
        ("\t\t{} neighbor solicitation", "Icmp6", "Icmp6OutNeighborSolicits"),
        ("\t\t{} neighbor advertisement", "Icmp6", "Icmp6OutNeighborAdvertisements"),
    ),
}


def counts_of_tables(tables: Iterable[Table]) -> Counts:
    found: dict[str, dict[str, int]] = {}
    for table in tables:
        for section, name, value in zip(table["section"], table["name"], table["value"]):
            found.setdefault(section, {})[name] = value
    return found


def windows_statistics(counts: Counts) -> Iterator[str]:
    for title, width, section, prefix, words in WINDOWS:
        known = counts.get(section)
        if known is None:  # of a version or protocol that was not asked for
            continue
        yield from ("", title, "")
        if not width:
            yield f"{'':28}{'Received':<12}Sent"
        for word, name in words.items():
            if width:
                yield f"  {word:<{width}} = {known.get(prefix + name, '-')}"
            else:
                came, went = (known.get(f"{prefix}{way}{name}", "-") for way in ("In", "Out"))
                yield f"  {word:<26}{came:<12}{went}"


def bsd_statistics(counts: Counts) -> Iterator[str]:
    for title, lines in BSD.items():
        found = [
            text.format(counts[section][name])
            for text, section, name in lines
            if name in counts.get(section, {})
        ]
        if found:
            yield from (f"{title}:", *found)
