"""Routing caches: IPv4 had one up to Linux 3.6; what IPv6 has is among its routes.

The columns of the classic text depend on the age of the kernel that wrote the tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from ...kernel.decode import addresses_from_hex, integers, numbers_from_hex, wide_addresses
from ...kernel.proc import Proc
from ...listing import Column, Layout, Listing, Piece, Report, Stop
from ...options import Options
from ...table import Remark, Table
from ..linux import routes6
from ..linux.headed import Heading, Lacking, read_lines
from ..linux.route_flags import flag_letters
from ..linux.routes import (
    Route,
    detail_level,
    names_or_texts,
    numeric,
    route_blocks,
    route_tail_columns,
    unsigned,
)

TITLE = "Kernel IP routing cache"
TITLE6 = "Kernel IPv6 routing cache"
NEIGHBOURS = "Kernel IPv6 Neighbour Cache"

# IPv4

BASE = (
    "Iface", "Destination", "Gateway", "Flags", "RefCnt", "Use", "Metric", "Source", "MTU",
    "Window", "IRTT",
)  # fmt: skip
NEW = (*BASE, "TOS", "HHRef", "HHUptod", "SpecDst")
OLD = (*BASE, "HH", "ARP")  # up to Linux 2.0

# netstat's letters, in its order; a `!` takes the place of those before it.
ROUTE = {0x2: "G", 0x200: "!", 0x8: "R", 0x10: "D", 0x20: "M"}
CACHE = {
    0x10000: "n", 0x20000: "d", 0x80000: "t", 0x200000: "f", 0x400000: "q", 0x800000: "Ns",
    0x1000000: "r", 0x4000000: "i", 0x8000000: "Nd", 0x10000000: "b", 0x20000000: "m",
    0x40000000: "#", 0x80000000: "l",
}  # fmt: skip
LETTERS_NEW = ROUTE | {0x1: "-", 0x4: "o"} | CACHE
LETTERS_OLD = {0x1: "U", 0x4: "H"} | ROUTE | CACHE


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Piece]:
    """/proc/net/rt_cache as rt_cache_seq_show() printed it; later kernels give no rows."""
    blocks = route_blocks(proc, "net/rt_cache", "INET (IPv4)")
    start = next(blocks, None)
    if start is None:
        yield Remark(TITLE)
        raise Stop(f"{proc.path('net/rt_cache')}: nothing in it", 255)
    line, _, rest = start.partition("\n")
    old = "ARP" in line and "TOS" not in line
    yield Layout(TITLE, list(columns(options, old)))
    yield Table(Route, 0)
    try:
        heading = Heading(line, OLD if old else NEW, least=12)
    except Lacking as lacking:
        path = proc.path("net/rt_cache")
        outcome.warn(f"warning: {path} does not contain required field {lacking}")
        return
    first = 1
    for block in chain([rest], blocks):
        rows = read_lines(outcome, "rt_cache", block, first, heading.read)
        first += block.count("\n")
        if rows:
            yield decode_route_cache(old, *zip(*rows))


def decode_route_cache(old: bool, *columns: Sequence[str]) -> Table:
    device, target, gateway, flags, ref, use, metric, source, mss, window, irtt, *rest = columns
    bits = unsigned(numbers_from_hex(flags))
    targets, hops, sources = map(addresses_from_hex, (target, gateway, source))
    table = Table(
        Route,
        len(bits),
        family=["inet"] * len(bits),
        destination=targets,
        next_hop=hops,
        origin=sources,
        dst=[f"{text}/32" for text in targets],
        gateway=[None if hop == "0.0.0.0" else hop for hop in hops],
        source=[f"{text}/32" for text in sources],
        dev=device,
        flags_str=flag_letters(bits, LETTERS_OLD if old else LETTERS_NEW, replace=True),
        bits=[0] * len(bits),  # no row of dashes here
        metric=unsigned(integers(metric)),
        ref=integers(ref),
        use=unsigned(integers(use)),
        mss=integers(mss),
        window=unsigned(integers(window)),
        irtt=unsigned(integers(irtt)),
    )
    if old:
        table.fields |= {"hh": integers(rest[0]), "arp": integers(rest[1])}
    else:
        values = {"tos": rest[0], "hh_ref": rest[1], "hh_uptodate": rest[2]}
        table.fields |= {name: integers(field) for name, field in values.items()}
        table.fields["spec_dst"] = addresses_from_hex(rest[3])
    return table


def names(options: Options) -> Mapping[str, tuple[str, str]]:
    if numeric(options) or options.structured:
        return {}
    sources = ("origin", "destination", "next_hop", "spec_dst")
    return {f"{source}_host": ("host", source) for source in sources}


def columns(options: Options, old: bool = False) -> Iterator[Column]:
    if detail_level(options) == 0:
        return
    for header, field in (
        ("Source", "origin"),
        ("Destination", "destination"),
        ("Gateway", "next_hop"),
    ):
        yield Column(f"{header:<15} ", "%-15s ", f"{field} {field}_host", names_or_texts, True)
    tail = list(route_tail_columns(options))
    if detail_level(options) < 3:
        yield from tail
        return
    yield from tail[:-1]
    yield tail[-1]._replace(format="%-5s")
    if old:
        yield Column("  HH", " %-3s", "hh")
        yield Column("  Arp", " %s", "arp")
        return
    yield Column("  TOS", " %-3s", "tos")
    yield Column(" HHRef", " %-3s", "hh_ref")
    yield Column(" HHUptod", "   %-3s", "hh_uptodate")
    yield Column("     SpecDst", " %15s", "spec_dst spec_dst_host", names_or_texts, True)


# IPv6

# An entry of /proc/net/ndisc, which kernels before 2.2 had: address, its kind, length and type,
# state, times of expiry, stamp, reachability and collection (1/100 s), references, flags, device,
# hardware address; all in hexadecimal, and on one line
#   fe800000000000000000000000000001 00 80 01 02 00000010 00000064 000003e8 07d0 0000 0080
#   eth0 020000000001
NEIGHBOUR = re.compile(
    r"\s*([0-9A-Fa-f]{32})\s+[0-9A-Fa-f]{2}\s+([0-9A-Fa-f]{2})\s+[0-9A-Fa-f]{2}"
    r"\s+([0-9A-Fa-f]{2})\s+[0-9A-Fa-f]{8}\s+([0-9A-Fa-f]{8})\s+([0-9A-Fa-f]{8})"
    r"\s+([0-9A-Fa-f]{4})\s+([0-9A-Fa-f]{4})\s+([0-9A-Fa-f]{4})\s+(\S{1,8})\s*([0-9A-Fa-f]{12})",
    re.ASCII,
)
NEIGHBOUR_LETTERS = {0x80: "R", 0x4: "x", 0x2: "h", 0x8: "P"}
REACHABLE = 0x2
STATES = {
    0: "NONE", 0x1: "INCOMPLETE", REACHABLE: "REACHABLE", 0x4: "STALE", 0x8: "DELAY",
    0x10: "PROBE", 0x20: "FAILED", 0x40: "NOARP", 0x80: "PERM",
}  # fmt: skip


def collect6(proc: Proc, options: Options, outcome: Report) -> Iterator[Piece]:
    """Neighbours where the kernel has a table of them here, or else the routes of the cache."""
    try:
        blocks = proc.blocks("net/ndisc")
    except OSError:
        yield from routes6.read_routes6(proc, outcome, cached=True)
        return
    yield Layout(NEIGHBOURS, list(neighbour_columns(options)))
    yield Table(Route, 0)
    first = 0
    for block in blocks:
        rows = read_lines(outcome, "ndisc", block, first, neighbour)
        first += block.count("\n")
        if rows:
            yield resolved_neighbours(*zip(*rows))


def neighbour(line: str) -> tuple[str, ...] | None:
    match = NEIGHBOUR.match(line)
    return match and match.groups()


def resolved_neighbours(*columns: Sequence[str]) -> Table:
    address, prefix, state, stamp, reachable, collected, ref, flags, device, hardware = columns
    states, stamps = numbers_from_hex(state), numbers_from_hex(stamp)
    stale = [
        until - since if number == REACHABLE else 0
        for number, until, since in zip(states, numbers_from_hex(reachable), stamps)
    ]
    gone = [until - since for until, since in zip(numbers_from_hex(collected), stamps)]
    destinations, prefixes = wide_addresses(address), numbers_from_hex(prefix)
    return Table(
        Route,
        len(address),
        family=["inet6"] * len(address),
        destination=destinations,
        prefix=prefixes,
        dst=routes6.route6_networks(destinations, prefixes),
        dev=device,
        flags_str=flag_letters(numbers_from_hex(flags), NEIGHBOUR_LETTERS, replace=False),
        ref=numbers_from_hex(ref),
        state=[STATES.get(number, f"UNKNOWN({number:02x})") for number in states],
        hardware=[":".join(re.findall("..", digits)) for digits in hardware],
        stale=[max(0, ticks) // 100 for ticks in stale],
        gone=[max(0, ticks) // 100 for ticks in gone],
    )


def neighbour_columns(options: Options) -> Iterator[Column]:
    yield routes6.destination_column("Neighbour", 43, options)
    yield Column(f"{'HW Address':<17} ", "%-17s ", "hardware")
    yield Column("Iface    ", "%-8s ", "dev")
    yield Column("Flags ", "%-5s ", "flags_str")
    yield Column("Ref ", "%-3s ", "ref")
    if detail_level(options) == 2:
        yield Column("State", "%-16s", "state")
        return
    yield Column(f"{'State':<16} ", "%-16s ", "state")
    yield Column("Stale(sec) ", "%-9s ", "stale")
    yield Column("Delete(sec)", "%s", "gone ref", lives)


def lives(gone: Sequence[int], refs: Sequence[int]) -> list[str]:
    """What is in use is not deleted."""
    return [" * " if ref else f" {seconds:<7} " for seconds, ref in zip(gone, refs)]


INET = Listing("route_cache", Route, collect, columns, lambda _: TITLE, names)
INET6 = Listing("route_cache", Route, collect6, routes6.columns, lambda _: TITLE6, routes6.names)
