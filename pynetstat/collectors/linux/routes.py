"""The routing table of IPv4, and the record of all routes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import add
from socket import inet_aton
from struct import unpack
from typing import TYPE_CHECKING, Any, NamedTuple

from ...kernel.decode import addresses_from_hex, integers, numbers_from_hex
from ...kernel.proc import Proc, reason
from ...listing import Column, Listing, Report, Stop
from ...options import Misuse, Options
from ...table import Table, joined
from ...tuples import content_hash, plain_dict
from .headed import Heading, Lacking, read_lines
from .route_flags import HOST, LETTERS, REJECT, UP, Names, flag_letters, flag_names

if TYPE_CHECKING:
    from ...kernel.rtnetlink import Via
    from .route_records import NextHop


class Route(NamedTuple):
    """A route, its fields named as `ip -j route` names them.

    `dst` is a network (10.0.0.0/8) or "default", `source` the network that packets must come
    from; without a gateway the destination is on the link. `flags_str` is what netstat prints.
    mss and window (bytes) and irtt (ms) are 0 where the route sets none. Of a route with several
    `nexthops`, `gateway` and `dev` are those of the first. What only netlink tells (from `table`
    on) is None where /proc alone was read, and so is `type` where /proc does not tell unreachable,
    prohibit, blackhole and throw apart.
    """

    family: str
    dst: str | None = None
    gateway: str | None = None
    dev: str | None = None
    type: str | None = None
    source: str | None = None
    metric: int | None = None
    flags: Names | None = None
    flags_str: str | None = None
    genmask: str | None = None
    mss: int | None = None
    window: int | None = None
    irtt: int | None = None
    ref: int | None = None
    use: int | None = None
    table: str | None = None
    protocol: str | None = None
    scope: str | None = None
    prefsrc: str | None = None
    via: Via | None = None
    nexthops: list[NextHop] | None = None
    nhid: int | None = None
    pref: str | None = None
    metrics: dict[str, int] | None = None
    netns: str | None = None

    def __hash__(self) -> int:
        return content_hash(self)

    def to_dict(self) -> dict[str, Any]:
        return plain_dict(self)


def route_blocks(proc: Proc, name: str, family: str) -> Iterator[str]:
    try:
        return proc.blocks(name)
    except OSError as error:
        message = f"{proc.path(name)}: {reason(error)}"
        raise Stop(message, remark=f"{family} not configured in this system.") from error


NEEDED = (
    "Iface", "Destination", "Gateway", "Flags", "RefCnt", "Use", "Metric", "Mask", "MTU",
    "Window", "IRTT",
)  # fmt: skip

# A row of /proc/net/route as fib_route_seq_show() prints it, padded with blanks:
#   Iface   Destination     Gateway         Flags   RefCnt  Use     Metric  Mask  MTU  Window  IRTT
#   eth0    00000000        0100000A        0003    0       0       100     00000000  0  0  0
ROW = re.compile(
    r"^([^\s\0]{1,15})\t([0-9A-F]{8})\t([0-9A-F]{8})\t([0-9A-F]{4,8})\t(-?\d+)\t(\d+)\t(-?\d+)\t"
    r"([0-9A-F]{8})\t(-?\d+)\t(\d+)\t(\d+) *\n",
    re.ASCII | re.MULTILINE,
)


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table]:
    return with_kernel(proc, options, "", partial(main_table, proc, outcome))


def with_kernel(
    proc: Proc, options: Options, version: str, read: Callable[[], Iterator[Table]]
) -> Iterator[Table]:
    """The routes for records, and those of a table that was named, from the kernel where it may
    be asked; otherwise what `read` finds in /proc."""
    if not (options.structured or options.table is not None):
        yield from read()
        return
    tables: list[Table] = []
    failure: Exception | None = None
    try:
        tables = list(read())
    except Stop as stop:
        failure = stop
    refusal = "it is asked of the kernel, which speaks of this network namespace alone"
    if options.source in ("auto", "netlink") and proc.own:
        from .route_records import kernel_routes

        shown = joined(Route, tables) if tables else None
        try:
            found = kernel_routes(version, options.table, shown)
        except OSError as error:
            refusal = reason(error)
        except ValueError as error:
            raise Misuse(str(error)) from error
        else:
            yield Table(Route, 0)
            yield found
            return
    if options.table is not None:
        raise Stop(f"pynetstat: --table: {refusal}") from failure
    if failure:
        raise failure
    yield from tables


def main_table(proc: Proc, outcome: Report) -> Iterator[Table]:
    """/proc/net/route: the main table, of several hops the first alone."""
    blocks = route_blocks(proc, "net/route", "INET (IPv4)")
    yield Table(Route, 0)
    heading, first = None, 1
    for block in blocks:
        if heading is None:
            line, _, block = block.partition("\n")
            heading = heading_of(proc, line)
        rows = ROW.findall(block) if heading.plain else []
        if block and (len(rows) != block.count("\n") or not block.endswith("\n")):
            rows = read_lines(outcome, "route", block, first, heading.read)
        first += block.count("\n")
        if rows:
            yield decode_routes(*zip(*rows))
    if heading is None:
        raise Stop("")


def heading_of(proc: Proc, line: str) -> Heading:
    try:
        return Heading(line, NEEDED, least=10)
    except Lacking as lacking:
        path = proc.path("net/route")
        raise Stop(f"warning: {path} does not contain required field {lacking}") from lacking


def decode_routes(*columns: Sequence[str]) -> Table:
    device, destination, gateway, flags, ref, use, metric, mask, mss, window, irtt = columns
    bits = unsigned(numbers_from_hex(flags))
    found = route_table(
        bits,
        destination=lambda: addresses_from_hex(destination),
        genmask=lambda: addresses_from_hex(mask),
        next_hop=lambda: addresses_from_hex(gateway),
        dev=lambda: [None if name == "*" else name for name in device],
        metric=lambda: unsigned(integers(metric)),
        ref=lambda: integers(ref),
        use=lambda: unsigned(integers(use)),
        mss=lambda: integers(mss),
        window=lambda: unsigned(integers(window)),
        irtt=lambda: unsigned(integers(irtt)),
    )
    kept = {number: number & UP for number in set(bits)}
    return found if all(kept.values()) else found.keep(map(kept.__getitem__, bits))


def unsigned(field: Sequence[int]) -> list[int]:
    return [number & 0xFFFFFFFF for number in field]


def route_table(bits: Sequence[int], **fields: Any) -> Table:
    """IPv4 routes of these flags (RTF_*), with what is implied by `destination`, `genmask` and
    `next_hop` (dotted, 0.0.0.0 for none)."""
    found = Table(Route, len(bits), family=["inet"] * len(bits), bits=bits)
    found.fields |= {
        "dst": lambda: route_networks(found["destination"], found["genmask"]),
        "gateway": lambda: [None if hop == "0.0.0.0" else hop for hop in found["next_hop"]],
        "type": lambda: route_types(bits, found["dev"]),
        "flags": lambda: flag_names(bits),
        "flags_str": lambda: flag_letters(bits, LETTERS, replace=True),
        "as_host": lambda: lookups(found, hosts=True),
        "as_network": lambda: lookups(found, hosts=False),
        **fields,
    }
    return found


def route_networks(destinations: Sequence[str], masks: Sequence[str]) -> list[str]:
    """10.0.0.0 and 255.0.0.0 -> 10.0.0.0/8"""
    lengths = {mask: "/" + length(mask) for mask in set(masks)}
    texts = map(add, destinations, map(lengths.__getitem__, masks))
    return ["default" if text == "0.0.0.0/0" else text for text in texts]


def length(mask: str) -> str:
    """255.255.0.0 -> 16; a mask with holes stays as it is."""
    bits = f"{int.from_bytes(inet_aton(mask), 'big'):032b}".rstrip("0")
    return mask if "0" in bits else str(len(bits))


def route_types(bits: Sequence[int], devices: Sequence[str | None]) -> list[str | None]:
    """Routes that reject are unreachable or prohibit, those to nowhere blackhole or throw; one
    over lo may be a next hop that is a blackhole."""
    pairs = zip(bits, devices)
    return [
        "unicast" if name and name != "lo" and not number & REJECT else None
        for number, name in pairs
    ]


def lookups(found: Table, hosts: bool) -> list[str | None]:
    """The destinations that netstat takes for hosts, or those that it takes for networks: a
    host has the flag for it, or bits outside its mask."""
    texts = found["destination"]
    rows = zip(texts, found["bits"], packed(texts), packed(found["genmask"]))
    return [
        text if number and bool(bits & HOST or number & ~mask) is hosts else None
        for text, bits, number, mask in rows
    ]


def packed(texts: Sequence[str]) -> tuple[int, ...]:
    return unpack(f">{len(texts)}I", b"".join(map(inet_aton, texts)))


# The classic text


def numeric(options: Options) -> bool:
    """-N, which asks for names of hardware, makes routes numeric."""
    return options.numeric_hosts or options.symbolic


def names(options: Options) -> Mapping[str, tuple[str, str]]:
    if numeric(options) or options.structured:
        return {}
    return {
        "dst_host": ("host", "as_host"),
        "dst_network": ("network", "as_network"),
        "gateway_host": ("host", "next_hop"),
    }


def detail_level(options: Options) -> int:
    """What -e, given so many times, shows: 1 metric, 2 MSS, 3 both, 0 nothing at all."""
    return 2 - options.extend if options.extend < 2 else (options.extend + 1) % 4


def columns(options: Options) -> Iterator[Column]:
    if detail_level(options) == 0:
        return
    if numeric(options):
        yield Column("Destination     ", "%-15s ", "destination")
        yield Column("Gateway         ", "%-15s ", "next_hop bits", unless_rejected)
    else:
        fields = "destination genmask dst_host dst_network"
        yield Column("Destination     ", "%-15s ", fields, named_destinations, untrusted=True)
        fields = "next_hop gateway_host bits"
        yield Column("Gateway         ", "%-15s ", fields, named_hops, untrusted=True)
    yield Column("Genmask         ", "%-15s ", "genmask")
    yield from route_tail_columns(options)


def route_tail_columns(options: Options) -> Iterator[Column]:
    """What follows the addresses, in the table and in the cache alike."""
    shown = detail_level(options)
    yield Column("Flags ", "%-5s ", "flags_str")
    if shown == 2:
        yield Column("  MSS ", "%5s ", "mss bits", route_metrics)
        yield Column("Window ", "%-5s ", "window bits", route_metrics)
        yield Column(" irtt ", "%6s ", "irtt bits", route_metrics)
    else:
        yield Column("Metric ", "%-6s ", "metric", ints)
    if shown == 1:
        yield Column("Ref    ", "%-2s ", "ref bits", route_metrics)
        yield Column("Use ", "%7s ", "use", ints)
    if shown < 3:
        yield Column("Iface", "%s", "dev bits", route_devices, untrusted=True)
        return
    yield Column("Ref    Use ", "%s ", "ref use bits", references)
    yield Column("Iface    ", "%-6s   ", "dev bits", short_devices, untrusted=True)
    yield Column("MSS   ", "%-5s ", "mss bits", route_metrics)
    yield Column("Window ", "%-6s ", "window bits", route_metrics)
    yield Column("irtt", "%s", "irtt bits", route_metrics)


def named_destinations(
    texts: Sequence[str],
    masks: Sequence[str],
    hosts: Sequence[str | None],
    networks: Sequence[str | None],
) -> list[str]:
    """Names are cut to the width of an address."""
    return [
        "default" if text == mask == "0.0.0.0" else cell[:15]
        for text, mask, cell in zip(
            texts, masks, names_or_texts(names_or_texts(texts, networks), hosts)
        )
    ]


def names_or_texts(texts: Sequence[str], names: Sequence[str | None]) -> list[str]:
    """The names, and the texts of those without one; a name may be empty."""
    return [text if name is None else name for text, name in zip(texts, names)]


def named_hops(texts: Sequence[str], hosts: Sequence[str | None], bits: Sequence[int]) -> list[str]:
    return unless_rejected([cell[:15] for cell in names_or_texts(texts, hosts)], bits)


def unless_rejected(cells: Sequence[Any], bits: Sequence[int]) -> list[Any]:
    """A route that rejects has dashes for gateway, device and metrics."""
    return ["-" if number & REJECT else cell for cell, number in zip(cells, bits)]


def ints(field: Sequence[int | None]) -> list[Any]:
    """Numbers as C's int has them: a metric of 4294967295 is -1."""
    if None not in field and max(field, default=0) < 1 << 31:  # type: ignore[type-var, operator]
        return list(field)
    return [
        "-" if number is None else ((number + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
        for number in field
    ]


def route_metrics(field: Sequence[int | None], bits: Sequence[int]) -> list[Any]:
    return unless_rejected(ints(field), bits)


def references(
    refs: Sequence[int | None], uses: Sequence[int | None], bits: Sequence[int]
) -> list[str]:
    return [
        f"-  {use:>7}" if number & REJECT else f"{ref:<3} {use:>6}"
        for ref, use, number in zip(ints(refs), ints(uses), bits)
    ]


def route_devices(field: Sequence[str | None], bits: Sequence[int]) -> list[str]:
    return unless_rejected([name or "*" for name in field], bits)


def short_devices(field: Sequence[str | None], bits: Sequence[int]) -> list[str]:
    return [name[:6] for name in route_devices(field, bits)]


INET = Listing("routes", Route, collect, columns, lambda _: "Kernel IP routing table", names)


# Families without routes


def refuse(proc: Proc, options: Options, outcome: Report) -> Iterator[Table]:
    """The first of the families named that has none; those before it were listed."""
    family = next(name for name in options.families if name in ("unix", "ec", "ash", "bluetooth"))
    if family == "bluetooth":
        raise Stop("Address family `bluetooth' not supported.", 3)
    raise Stop(f"No routing for address family `{family}'.", 3)
    yield  # a collector gives tables


NONE = Listing("routes", Route, refuse, columns, lambda _: "", names)
