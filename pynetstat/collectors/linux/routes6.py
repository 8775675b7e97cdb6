"""The routing table of IPv6."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ...cells import host_texts
from ...kernel.decode import numbers_from_hex, wide_addresses
from ...kernel.proc import Proc
from ...listing import Column, Listing, Report
from ...options import Options
from ...table import Table
from .headed import read_lines
from .route_flags import ANYCAST, CACHE, LETTERS6, LOCAL, REJECT, flag_letters, flag_names
from .routes import Route, ints, numeric, route_blocks, with_kernel

# A row of /proc/net/ipv6_route as rt6_info_route() prints it: destination and source, each with
# the length of its prefix, next hop, metric, references, uses, flags, device; on one line
#   20010db8000100000000000000000000 30 00000000000000000000000000000000 00
#   fe800000000000000000000000000001 00000400 00000002 00000005 00000003     eth0
ROW = re.compile(
    r"^([0-9a-f]{32}) ([0-9a-f]{2}) ([0-9a-f]{32}) ([0-9a-f]{2}) ([0-9a-f]{32}) ([0-9a-f]{8}) "
    r"([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{8}) +([^\s\0]{1,15})\n",
    re.ASCII | re.MULTILINE,
)


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table]:
    return with_kernel(proc, options, "6", partial(read_routes6, proc, outcome, cached=False))


def read_routes6(proc: Proc, outcome: Report, cached: bool) -> Iterator[Table]:
    """/proc/net/ipv6_route: the routes of all tables, or else those of the cache."""
    blocks = route_blocks(proc, "net/ipv6_route", "INET6 (IPv6)")
    yield Table(Route, 0)
    first = 0
    for block in blocks:
        rows = ROW.findall(block)
        if len(rows) != block.count("\n") or not block.endswith("\n"):
            rows = read_lines(outcome, "ipv6_route", block, first, loose())
        first += block.count("\n")
        if rows:
            yield decode_routes6(cached, *zip(*rows))


def loose() -> Any:
    """Reads a line with all the freedom that netstat allows; compiled when it is needed."""
    address, word = r"\s*([0-9A-Fa-f]{32})", r"\s+([0-9A-Fa-f]{1,8})"
    length = r"\s+([0-9A-Fa-f]{1,2})"
    row = f"{address}{length}{address}{length}{address}{word * 4}" + r"\s+(\S{1,15})"
    match = re.compile(row, re.ASCII).match
    return lambda line: (found := match(line)) and found.groups()


def decode_routes6(cached: bool, *columns: Sequence[str]) -> Table:
    destination, prefix, source, within, gateway, metric, ref, use, flags, device = columns
    bits = numbers_from_hex(flags)
    found = route6_table(
        bits,
        destination=lambda: wide_addresses(destination),
        prefix=lambda: numbers_from_hex(prefix),
        next_hop=lambda: wide_addresses(gateway),
        source=lambda: sources(wide_addresses(source), numbers_from_hex(within)),
        dev=device,
        metric=lambda: numbers_from_hex(metric),
        ref=lambda: numbers_from_hex(ref),
        use=lambda: numbers_from_hex(use),
    )
    kept = {number: bool(number & CACHE) is cached for number in set(bits)}
    return found if all(kept.values()) else found.keep(map(kept.__getitem__, bits))


def route6_table(bits: Sequence[int], **fields: Any) -> Table:
    """IPv6 routes of these flags, with what is implied by `destination`, `prefix` and
    `next_hop` (:: for none)."""
    found = Table(Route, len(bits), family=["inet6"] * len(bits), bits=bits)
    found.fields |= {
        "dst": lambda: route6_networks(found["destination"], found["prefix"]),
        "gateway": lambda: [None if hop == "::" else hop for hop in found["next_hop"]],
        "type": lambda: route6_types(bits, found["destination"]),
        "flags": lambda: flag_names(bits),
        "flags_str": lambda: flag_letters(bits, LETTERS6, replace=False),
        **fields,
    }
    return found


def route6_networks(destinations: Sequence[str], prefixes: Sequence[int]) -> list[str]:
    texts = [f"{text}/{prefix}" for text, prefix in zip(destinations, prefixes)]
    return ["default" if text == "::/0" else text for text in texts]


def sources(texts: Sequence[str], lengths: Sequence[int]) -> list[str | None]:
    return [f"{text}/{length}" if length else None for text, length in zip(texts, lengths)]


def route6_types(bits: Sequence[int], destinations: Sequence[str]) -> list[str | None]:
    """Routes that reject are unreachable, prohibit or blackhole."""
    known = {REJECT: None, LOCAL: "local", ANYCAST: "anycast"}
    names = {
        number: next((name for bit, name in known.items() if number & bit), "unicast")
        for number in set(bits)
    }
    return [
        "multicast" if text[:2] == "ff" and names[number] == "unicast" else names[number]
        for number, text in zip(bits, destinations)
    ]


# The classic text


def columns(options: Options) -> Iterator[Column]:
    def hops(texts: Sequence[str], hosts: Sequence[str | None]) -> list[str]:
        shown = host_texts(texts, hosts, numeric(options))
        return list(map(shown.__getitem__, texts))

    yield destination_column("Destination", 30, options)
    fields = "next_hop gateway_host"
    yield Column(f"{'Next Hop':<26} ", "%-26s ", fields, hops, not numeric(options))
    yield Column("Flag ", "%-4s ", "flags_str")
    yield Column("Met ", "%-3s ", "metric", ints)
    yield Column("Ref ", "%s ", "ref", ints)
    yield Column(" Use ", "%6s ", "use", ints)
    yield Column("If", "%s", "dev", untrusted=True)


def destination_column(header: str, width: int, options: Options) -> Column:
    def cells(
        texts: Sequence[str], hosts: Sequence[str | None], prefixes: Sequence[int]
    ) -> list[str]:
        shown = host_texts(texts, hosts, numeric(options))
        return [f"{shown[text]}/{prefix}" for text, prefix in zip(texts, prefixes)]

    fields = "destination dst_host prefix"
    return Column(f"{header:<{width}} ", f"%-{width}s ", fields, cells, not numeric(options))


def names(options: Options) -> Mapping[str, tuple[str, str]]:
    if numeric(options) or options.structured:
        return {}
    return {"dst_host": ("host", "destination"), "gateway_host": ("host", "next_hop")}


INET6 = Listing("routes", Route, collect, columns, lambda _: "Kernel IPv6 routing table", names)
