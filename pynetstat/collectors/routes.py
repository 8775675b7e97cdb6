"""Routing tables of IPv4 and IPv6; the caches of old kernels have a file of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import add
from socket import inet_aton
from struct import unpack
from typing import Any, NamedTuple

from ..options import Options
from ..proc import Proc, Stop, addresses, integers, lines_of, numbers, reason, wide_addresses
from ..table import Column, Listing, Table, host_texts, known, signed

Names = tuple[str, ...]


class Route(NamedTuple):
    """A route, its fields named as `ip -j route` names them.

    `dst` is a network (10.0.0.0/8) or "default", `source` the network that packets must come
    from; without a gateway the destination is a neighbour. `flags_str` is what netstat prints.
    `type` is None where the kernel's table does not tell unreachable, prohibit, blackhole and
    throw apart. mss, window (bytes) and irtt (ms) are 0 where the route sets none.
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


# linux/route.h and linux/ipv6_route.h
UP, GATEWAY, HOST, REJECT = 0x1, 0x2, 0x4, 0x200
CACHE, ANYCAST, LOCAL = 0x1000000, 0x100000, 0x80000000
FLAGS = {
    UP: "up",
    GATEWAY: "gateway",
    HOST: "host",
    0x8: "reinstate",
    0x10: "dynamic",
    0x20: "modified",
    0x40: "mtu",
    0x80: "window",
    0x100: "irtt",
    REJECT: "reject",
    0x400: "notcached",
    0x10000: "default",
    0x20000: "allonlink",
    0x40000: "addrconf",
    0x80000: "prefix_rt",
    ANYCAST: "anycast",
    0x200000: "nonexthop",
    0x400000: "expires",
    0x800000: "routeinfo",
    CACHE: "cache",
    0x2000000: "flow",
    0x4000000: "policy",
    0x40000000: "pcpu",
    LOCAL: "local",
}

# netstat's letters, in its order: two flags share the c.
LETTERS = {
    UP: "U", GATEWAY: "G", REJECT: "!", HOST: "H", 0x8: "R", 0x10: "D", 0x20: "M", 0x10000: "d",
    0x20000: "a", 0x40000: "c", 0x200000: "o", 0x400000: "e", CACHE: "c", 0x2000000: "f",
    0x4000000: "p", LOCAL: "l", 0x40: "u", 0x80: "w", 0x100: "i", 0x400: "n",
}  # fmt: skip
LETTERS6 = {
    UP: "U", REJECT: "!", GATEWAY: "G", HOST: "H", 0x10000: "D", 0x40000: "A", CACHE: "C",
    0x20000: "a", 0x400000: "e", 0x20: "m", 0x200000: "n", 0x2000000: "f",
}  # fmt: skip


def flag_names(field: Sequence[int]) -> list[Names]:
    names = {
        bits: tuple(name for bit, name in FLAGS.items() if bits & bit) for bits in set(field)
    }
    return list(map(names.__getitem__, field))


def flag_texts(
    field: Sequence[int], letters: Mapping[int, str], replace: bool = True
) -> list[str]:
    """Letters for flags; where `!` replaces, the ones before it are gone."""
    texts = {}
    for bits in set(field):
        text = "".join(letter for bit, letter in letters.items() if bits & bit)
        texts[bits] = text[text.find("!") :] if replace and "!" in text else text
    return list(map(texts.__getitem__, field))


# Tables that name their columns in the first line

WORDS = re.compile(r"[^ \t|]+")
WORD = re.compile(r"\s*(\S+)", re.ASCII)
PIECES = {
    "Iface": re.compile(r"\s*(\S{1,15})", re.ASCII),
    "Flags": re.compile(r"\s*([0-9A-Fa-f]+)", re.ASCII),
    "address": re.compile(r"\s*([0-9A-Fa-f]{1,8})(?!\S)", re.ASCII),
    "number": re.compile(r"\s*([-+]?\d+)", re.ASCII),
}
ADDRESSES = ("Destination", "Gateway", "Mask", "Source", "SpecDst")


class Lacking(LookupError):
    """A column that is not there, or not where it belongs."""


class Heading:
    """The columns of a table by its first line: the needed ones must be there, in this order,
    others may stand among them."""

    def __init__(self, line: str, needed: Sequence[str], least: int) -> None:
        self.needed, self.least = needed, least
        self.pieces: list[tuple[bool, re.Pattern[str]]] = []
        awaited = iter(needed)
        name = next(awaited, None)
        for word in WORDS.findall(line):
            if word == name:
                kind = "address" if word in ADDRESSES else word
                self.pieces.append((True, PIECES.get(kind, PIECES["number"])))
                name = next(awaited, None)
            elif name is not None:
                self.pieces.append((False, WORD))
        if name is not None:
            raise Lacking(name)
        self.plain = len(self.pieces) == len(needed)

    def read(self, line: str) -> tuple[str, ...] | None:
        """The needed words of a line, with zeros for those that lack at its end; None where
        too many lack."""
        found = []
        position = 0
        for wanted, piece in self.pieces:
            match = piece.match(line, position)
            if match is None:
                break
            position = match.end()
            if wanted:
                found.append(match[1])
        if len(found) < self.least:
            return None
        return (*found, *("0" * (len(self.needed) - len(found))))


def read_lines(
    proc: Proc, name: str, block: str, first: int, read: Callable[[str], Any]
) -> list[Any]:
    """Line by line, where a block holds something that no kernel of today prints."""
    rows = []
    for number, line in enumerate(lines_of(block), first):
        row = read(line)
        if row is not None:
            rows.append(row)
        elif line.strip(" \t\n\v\f\r"):
            proc.warn(f"warning, got bogus {name} line {number}.")
    return rows


# IPv4

NEEDED = (
    "Iface", "Destination", "Gateway", "Flags", "RefCnt", "Use", "Metric", "Mask", "MTU",
    "Window", "IRTT",
)  # fmt: skip

# A row of /proc/net/route as fib_route_seq_show() prints it, padded with blanks:
#   Iface   Destination     Gateway         Flags   RefCnt  Use     Metric  Mask  MTU  Window  IRTT
#   eth0    00000000        0100000A        0003    0       0       100     00000000  0  0  0
ROW = re.compile(
    r"([^\s\0]{1,15})\t([0-9A-F]{8})\t([0-9A-F]{8})\t([0-9A-F]{4,8})\t(-?\d+)\t(\d+)\t(-?\d+)\t"
    r"([0-9A-F]{8})\t(-?\d+)\t(\d+)\t(\d+) *\n",
    re.ASCII,
)


def collect(proc: Proc, options: Options) -> Iterator[Table]:
    """/proc/net/route: the main table, of several hops the first alone."""
    blocks = opened(proc, "net/route", "INET (IPv4)")
    yield Table(Route, 0)
    heading, first = None, 1
    for block in blocks:
        if heading is None:
            line, _, block = block.partition("\n")
            heading = heading_of(proc, line)
        rows = ROW.findall(block) if heading.plain else []
        if block and (len(rows) != block.count("\n") or not block.endswith("\n")):
            rows = read_lines(proc, "route", block, first, heading.read)
        first += block.count("\n")
        if rows:
            yield decode(*zip(*rows))
    if heading is None:
        raise Stop("")


def opened(proc: Proc, name: str, family: str) -> Iterator[str]:
    try:
        return proc.blocks(name)
    except OSError as error:
        message = f"{proc.path(name)}: {reason(error)}"
        raise Stop(message, remark=f"{family} not configured in this system.") from error


def heading_of(proc: Proc, line: str) -> Heading:
    try:
        return Heading(line, NEEDED, least=10)
    except Lacking as lacking:
        path = proc.path("net/route")
        raise Stop(f"warning: {path} does not contain required field {lacking}") from lacking


def decode(*columns: Sequence[str]) -> Table:
    device, destination, gateway, flags, ref, use, metric, mask, mss, window, irtt = columns
    bits = [number & 0xFFFFFFFF for number in numbers(flags)]
    found = table(
        bits,
        destination=lambda: addresses(destination),
        genmask=lambda: addresses(mask),
        next_hop=lambda: addresses(gateway),
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


def table(bits: Sequence[int], **fields: Any) -> Table:
    """IPv4 routes of these flags (RTF_*); what `destination`, `genmask` and `next_hop` (dotted,
    0.0.0.0 for none) imply is added."""
    found = Table(Route, len(bits), family=["inet"] * len(bits), bits=bits, **fields)
    implied = {
        "dst": lambda: networks(found["destination"], found["genmask"]),
        "gateway": lambda: [None if hop == "0.0.0.0" else hop for hop in found["next_hop"]],
        "type": lambda: types(bits, found["dev"]),
        "flags": lambda: flag_names(bits),
        "flags_str": lambda: flag_texts(bits, LETTERS),
        "as_host": lambda: lookups(found, hosts=True),
        "as_network": lambda: lookups(found, hosts=False),
    }
    found.fields = implied | found.fields
    return found


def networks(destinations: Sequence[str], masks: Sequence[str]) -> list[str]:
    """10.0.0.0 and 255.0.0.0 -> 10.0.0.0/8; "default" for all addresses."""
    lengths = {mask: "/" + length(mask) for mask in set(masks)}
    texts = list(map(add, destinations, map(lengths.__getitem__, masks)))
    return ["default" if text == "0.0.0.0/0" else text for text in texts]


def length(mask: str) -> str:
    """255.255.0.0 -> 16; a mask with holes stays as it is."""
    bits = f"{int.from_bytes(inet_aton(mask), 'big'):032b}".rstrip("0")
    return mask if "0" in bits else str(len(bits))


def types(bits: Sequence[int], devices: Sequence[str | None]) -> list[str | None]:
    """Routes that reject are unreachable or prohibit, those to nowhere blackhole or throw."""
    return [
        None if number & REJECT or device is None else "unicast"
        for number, device in zip(bits, devices)
    ]


def lookups(found: Table, hosts: bool) -> list[str | None]:
    """The destinations that netstat takes for hosts, or those that it takes for networks: a
    host has the flag for it, or bits outside its mask."""
    destinations = found["destination"]
    both = zip(found["bits"], packed(destinations), packed(found["genmask"]))
    chosen = [bool(bits & HOST or number & ~mask) is hosts for bits, number, mask in both]
    return [
        text if wanted and text != "0.0.0.0" else None
        for text, wanted in zip(destinations, chosen)
    ]


def packed(texts: Sequence[str]) -> tuple[int, ...]:
    return unpack(f">{len(texts)}I", b"".join(map(inet_aton, texts)))


# IPv6

# A row of /proc/net/ipv6_route as rt6_info_route() prints it: destination and source, each with
# the length of its prefix, next hop, metric, references, uses, flags, device:
#   20010db8000100000000000000000000 30 00000000000000000000000000000000 00
#   fe800000000000000000000000000001 00000400 00000002 00000005 00000003     eth0
ROW6 = re.compile(
    r"([0-9a-f]{32}) ([0-9a-f]{2}) ([0-9a-f]{32}) ([0-9a-f]{2}) ([0-9a-f]{32}) ([0-9a-f]{8}) "
    r"([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{8}) +([^\s\0]{1,15})\n",
    re.ASCII,
)
LOOSE6 = re.compile(
    r"\s*([0-9A-Fa-f]{32})\s+([0-9A-Fa-f]{1,2})\s+([0-9A-Fa-f]{32})\s+([0-9A-Fa-f]{1,2})"
    r"\s+([0-9A-Fa-f]{32})\s+([0-9A-Fa-f]{1,8})\s+([0-9A-Fa-f]{1,8})\s+([0-9A-Fa-f]{1,8})"
    r"\s+([0-9A-Fa-f]{1,8})\s+(\S{1,15})",
    re.ASCII,
)


def collect6(proc: Proc, options: Options) -> Iterator[Table]:
    yield from routes6(proc, cached=False)


def routes6(proc: Proc, cached: bool) -> Iterator[Table]:
    """/proc/net/ipv6_route: the routes of all tables, or else those of the cache."""
    blocks = opened(proc, "net/ipv6_route", "INET6 (IPv6)")
    yield Table(Route, 0)
    first = 0
    for block in blocks:
        rows = ROW6.findall(block)
        if len(rows) != block.count("\n") or not block.endswith("\n"):
            rows = read_lines(proc, "ipv6_route", block, first, groups6)
        first += block.count("\n")
        if rows:
            yield decode6(cached, *zip(*rows))


def groups6(line: str) -> tuple[str, ...] | None:
    match = LOOSE6.match(line)
    return match and match.groups()


def decode6(cached: bool, *columns: Sequence[str]) -> Table:
    destination, prefix, source, within, gateway, metric, ref, use, flags, device = columns
    bits = numbers(flags)
    found = table6(
        bits,
        destination=lambda: wide_addresses(destination),
        prefix=lambda: numbers(prefix),
        next_hop=lambda: wide_addresses(gateway),
        source=lambda: sources(wide_addresses(source), numbers(within)),
        dev=device,
        metric=lambda: numbers(metric),
        ref=lambda: numbers(ref),
        use=lambda: numbers(use),
    )
    kept = {number: bool(number & CACHE) is cached for number in set(bits)}
    return found if all(kept.values()) else found.keep(map(kept.__getitem__, bits))


def sources(texts: Sequence[str], lengths: Sequence[int]) -> list[str | None]:
    if not any(lengths):
        return [None] * len(texts)
    return [f"{text}/{length}" if length else None for text, length in zip(texts, lengths)]


def table6(bits: Sequence[int], **fields: Any) -> Table:
    """IPv6 routes of these flags; what `destination`, `prefix` and `next_hop` (:: for none)
    imply is added."""
    found = Table(Route, len(bits), family=["inet6"] * len(bits), bits=bits, **fields)
    implied = {
        "dst": lambda: networks6(found["destination"], found["prefix"]),
        "gateway": lambda: [None if hop == "::" else hop for hop in found["next_hop"]],
        "type": lambda: types6(bits, found["destination"]),
        "flags": lambda: flag_names(bits),
        "flags_str": lambda: flag_texts(bits, LETTERS6, replace=False),
    }
    found.fields = implied | found.fields
    return found


def networks6(destinations: Sequence[str], prefixes: Sequence[int]) -> list[str]:
    texts = [f"{text}/{prefix}" for text, prefix in zip(destinations, prefixes)]
    return ["default" if text == "::/0" else text for text in texts]


def types6(bits: Sequence[int], destinations: Sequence[str]) -> list[str | None]:
    names = {
        number: None
        if number & REJECT
        else "local"
        if number & LOCAL
        else "anycast"
        if number & ANYCAST
        else "unicast"
        for number in set(bits)
    }
    return [
        "multicast" if text.startswith("ff") and names[number] == "unicast" else names[number]
        for number, text in zip(bits, destinations)
    ]


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


def layout(options: Options) -> int:
    """What -e, given so many times, shows: 1 metric, 2 MSS, 3 both, 0 nothing at all."""
    return 2 - options.extend if options.extend < 2 else (options.extend + 1) % 4


def columns(options: Options) -> Iterator[Column]:
    if layout(options) == 0:
        return
    untrusted = not numeric(options)
    fields = "destination genmask dst_host dst_network"
    yield Column("Destination     ", "%-15s ", fields, destination_cells, untrusted)
    yield Column("Gateway         ", "%-15s ", "next_hop bits gateway_host", hop_cells, untrusted)
    yield Column("Genmask         ", "%-15s ", "genmask")
    yield from tail_columns(options)


def tail_columns(options: Options) -> Iterator[Column]:
    """What follows the addresses, in the table and in the cache alike."""
    yield Column("Flags ", "%-5s ", "flags_str")
    if layout(options) == 2:
        yield Column("  MSS ", "%5s ", "mss bits", unless_rejected)
        yield Column("Window ", "%-5s ", "window bits", unless_rejected)
        yield Column(" irtt ", "%6s ", "irtt bits", unless_rejected)
    else:
        yield Column("Metric ", "%-6s ", "metric", int_cells)
    if layout(options) == 1:
        yield Column("Ref    ", "%-2s ", "ref bits", unless_rejected)
        yield Column("Use ", "%7s ", "use", int_cells)
    if layout(options) < 3:
        yield Column("Iface", "%s", "dev bits", device_cells, untrusted=True)
        return
    yield Column("Ref    Use ", "%s ", "ref use bits", use_cells)
    yield Column("Iface    ", "%-6s   ", "dev bits", short_device_cells, untrusted=True)
    yield Column("MSS   ", "%-5s ", "mss bits", unless_rejected)
    yield Column("Window ", "%-6s ", "window bits", unless_rejected)
    yield Column("irtt", "%s", "irtt bits", unless_rejected)


def destination_cells(
    addresses: Sequence[str],
    masks: Sequence[str],
    hosts: Sequence[str | None],
    networks: Sequence[str | None],
) -> list[str]:
    if not untold(hosts, networks):
        return list(addresses)
    return []


def untold(*fields: Any) -> bool:
    return False


