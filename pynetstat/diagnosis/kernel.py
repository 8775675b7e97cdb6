"""Rules about what the kernel has only so much of: memory for sockets, entries of its tables."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from .host import Host
from .rule import (
    Blind,
    Finding,
    Limit,
    Limits,
    Owner,
    Rule,
    Value,
    finding_of,
    percent,
    plural,
    value,
)


def memory_pressure(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    full: list[tuple[str, int, int, int]] = []
    seen = 0
    page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
    for protocol in ("TCP", "UDP"):
        try:
            allowed = host.setting(f"ipv4/{protocol.lower()}_mem")
            used = host.after.value(protocol, "mem")
        except Blind:
            continue
        seen += 1
        if len(allowed) == 3:
            most = allowed[2] * page
            yield value(f"{protocol.lower()}_bytes", used * page, allowed[1] * page, most)
            if used >= min(allowed[1], allowed[2]):
                full.append((protocol, used, allowed[1], allowed[2]))
    steps = ["pynetstat -tanp --sort -recv_q", "sysctl net.ipv4.tcp_mem net.ipv4.udp_mem"]
    if full:
        protocol, used, pressure, most = full[0]
        held = [{"holder": one[0], "bytes": one[1] * page} for one in full]
        yield finding_of(
            "critical" if used >= limits["critical"] * most else "warning",
            f"{protocol} takes {plural(used * page, 'byte')} of memory; from {pressure * page:,} on"
            f" the system saves, and {most * page:,} is the most",
            [*held, *waiting(host)],
            steps,
        )
    elif seen < 2:  # limits of the whole host, which no network namespace but its own sees
        pressed = host.grew("TcpExt", "TCPMemoryPressures")
        cut = host.grew("TcpExt", "TCPAbortOnMemory")
        if pressed + cut >= limits["pressures"]:
            text = f"The memory for tcp ran short {plural(pressed, 'time')}"
            text += f", and {plural(cut, 'connection')} were cut off" if cut else ""
            yield finding_of("critical" if cut else "warning", text, waiting(host), steps)


def waiting(host: Host) -> list[dict[str, Any]]:
    """The five programs that have most data in their queues."""
    sizes: Counter[Owner] = Counter()
    for protocol in ("tcp", "udp"):
        for name in ("recv_q", "send_q"):
            names, busy = f"pid program {name}", {"ESTABLISHED", "CLOSE_WAIT", None}
            for row in host.rows(names, busy, having=name, protocol=protocol):
                sizes[row[:2]] += row[2]
    return [{"holder": host.who(owner), "bytes": size} for owner, size in sizes.most_common(5)]


MEMORY_PRESSURE = Rule(
    "memory-pressure",
    memory_pressure,
    whole_machine=True,
    limits=(
        Limit(
            "pressures",
            1,
            "from {:,} time that memory ran short between the samples, or where"
            " the second number of tcp_mem or udp_mem is reached",
        ),
        Limit("critical", 0.9, "critical from {:.0%} of the third"),
    ),
    means=(
        "The memory that the system grants to all sockets together (net.ipv4.tcp_mem, udp_mem) is"
        " nearly used up. Beyond the second of its three numbers the system makes buffers smaller"
        " and drops packets, and beyond the third it cuts connections off."
    ),
    causes=(
        "Programs that do not read what arrives. Other ends that do not take what is sent. Very"
        " many connections with full buffers."
    ),
    advice=(
        "Look at the programs that have most data waiting: `pynetstat -tanp --sort -recv_q` lists"
        " their connections. If the machine has memory to spare, raise `sysctl net.ipv4.tcp_mem`."
    ),
)


def conntrack_full(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    try:
        number = host.setting("netfilter/nf_conntrack_count")[0]
        limit = host.setting("netfilter/nf_conntrack_max")[0]
    except Blind:
        if os.path.isdir(host.proc.path("sys/net")):
            return  # nothing is tracked here
        raise
    dropped = 0
    with suppress(Blind):
        dropped = host.grown("conntrack", "drop") + host.grown("conntrack", "early_drop")
    yield value("entries", number, limits["share"] * limit, limits["critical"] * limit)
    if limit > 0 and (number >= limits["share"] * limit or dropped):
        text = f"The firewall's table of connections is {percent(number / limit)} full"
        text += f" ({number:,} of {limit:,})"
        text += f", and {plural(dropped, 'packet')} found no room" if dropped else ""
        evidence = [{"entries": number, "limit": limit, "dropped": dropped}]
        critical = dropped or number >= limits["critical"] * limit
        steps = ["sysctl net.netfilter.nf_conntrack_max", "conntrack -L | head"]
        yield finding_of("critical" if critical else "warning", text, evidence, steps)


CONNTRACK_FULL = Rule(
    "conntrack-full",
    conntrack_full,
    limits=(
        Limit("share", 0.8, "from {:.0%} of net.netfilter.nf_conntrack_max"),
        Limit("critical", 0.95, "critical from {:.0%}, or where packets found no room"),
    ),
    means=(
        "The firewall's table of connections (conntrack) is nearly full. It has an entry for each"
        " connection that passes; when there is no room, the packets of new ones are dropped: some"
        " connections do not come about, without any message to those who try."
    ),
    causes=(
        "More connections than the table was made for. A scan or an attack. Entries that are kept"
        " for too long (five days for tcp connections that are idle)."
    ),
    advice=(
        "`sysctl net.netfilter.nf_conntrack_max` makes it larger (an entry takes some 320 bytes);"
        " `net.netfilter.nf_conntrack_tcp_timeout_established` forgets idle ones earlier; rules"
        " with NOTRACK spare what needs no tracking. `conntrack -L` lists the entries."
    ),
)
