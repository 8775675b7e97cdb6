"""Interfaces: their counters (`-i`), and all that is known of them (`-ie`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from errno import ENODEV
from itertools import compress
from operator import itemgetter
from socket import AF_INET6, inet_aton, inet_ntop
from struct import unpack_from
from typing import Any, NamedTuple

from ...cells import dash_for_unknown
from ...kernel import ioctl
from ...kernel.decode import LARGEST, counters
from ...kernel.ioctl import Inet, Inet6, Link
from ...kernel.proc import Proc, reason
from ...listing import Column, Listing, Report, Stop
from ...options import Options
from ...table import Remark, Table
from ...text import safe
from ...tuples import content_hash, plain_dict
from .hardware import LENGTHS
from .longform import BROADCAST, COMPATIBLE, POINTOPOINT, SCOPES, Block, longform_lines


class Interface(NamedTuple):
    """An interface, or a label of its IPv4 addresses (eth0:1), which has no counters.

    `flags` are netstat's words for them, `flags_str` its letters. `addr_info` and `stats` are
    shaped as `ip -j -s -s address` has them, with its names. Where /proc alone was read, the
    counters that it has under one number with others stand for all of them: `dropped` (with
    missed), `frame_errors` (with length, over, crc), `carrier_errors` (with aborted, window,
    heartbeat); netstat's OVR is `fifo_errors`.
    """

    ifname: str
    mtu: int | None = None
    flags: list[str] | None = None
    flags_str: str | None = None
    address: str | None = None
    addr_info: list[dict[str, Any]] | None = None
    stats: dict[str, dict[str, int | None]] | None = None
    netns: str | None = None

    def __hash__(self) -> int:
        return content_hash(self)

    def to_dict(self) -> dict[str, Any]:
        return plain_dict(self)


# In the order of netstat's words, and of its letters. `P` stands for two of them.
FLAGS = {
    0x1: "UP",
    0x2: "BROADCAST",
    0x4: "DEBUG",
    0x8: "LOOPBACK",
    0x10: "POINTOPOINT",
    0x20: "NOTRAILERS",
    0x40: "RUNNING",
    0x80: "NOARP",
    0x100: "PROMISC",
    0x200: "ALLMULTI",
    0x800: "SLAVE",
    0x400: "MASTER",
    0x1000: "MULTICAST",
    0x8000: "DYNAMIC",
}
BITS = (0x200, 2, 4, 8, 0x1000, 0x8000, 0x100, 0x20, 0x80, 0x10, 0x800, 0x400, 0x40, 1)
LETTERS = dict(zip(BITS, "ABDLMdPNOPsmRU"))
UP = 0x1

COMMON = ("bytes", "packets", "errors", "dropped")
RX = (*COMMON, "fifo_errors", "frame_errors", "compressed", "multicast")
TX = (*COMMON, "fifo_errors", "collisions", "carrier_errors", "compressed")
# Which of the sixteen a table has: the kernels before 2.1.91 count less, before 2.1.24 no bytes.
MODERN = (*range(16),)
MIDDLE = (*range(6), *range(8, 15))
OLD = (*range(1, 6), *range(9, 15))

# A row of /proc/net/dev as dev_seq_printf_stats() prints it, below two lines of headings:
#   eth0:  728064    5056    0    0    0     0          0         0 65653 5914    0 0 0 0 0 0
ROW = re.compile(r"^ *([^\s:]{1,15}):((?: *\d{1,19}(?!\d)){16}) *\n", re.ASCII | re.MULTILINE)
# The same with all the freedom that netstat allows; `eth0:1:` is the label of an old kernel.
LOOSE = re.compile(r"[ \t\v\f\r]*([^\s:]{1,15}(?::\d+(?=:))?)[^\s:]*:?(.*)", re.ASCII | re.DOTALL)

# A row of /proc/net/if_inet6 as if6_seq_show() prints it: address, index, length of the prefix,
# scope and flags, all in hexadecimal, and the name.
#   fe80000000000000021cc0fffe000001 02 40 20 80     eth0
ROW6 = re.compile(
    r" *([0-9a-f]{32}) +[0-9a-f]{2,8} +([0-9a-f]{2}) +([0-9a-f]{2}) +[0-9a-f]{2,8} +(\S+)\s*$",
    re.ASCII,
)

HALF = 1 << 31  # numbers are C's int

# eth0.100:1: how a name is sorted, by its stem and its numbers.
NAME = re.compile(r"((.*?)([0-9]*))(?::([0-9]+))?\Z", re.DOTALL)


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table]:
    """The names and counters of /proc/net/dev; the rest is asked of the kernel, if it is its own
    /proc that we read. Of any other place no more is known than is written there: not whether
    an interface is up, so that all are shown, with `-` for what is not known."""
    yield Table(Interface, 0)
    places: Sequence[int] = MODERN
    found: dict[str, list[int]] = {}
    problem = None
    try:
        places, found = read_counters(proc.text("net/dev"))
    except OSError as error:
        problem = error
        outcome.warn(
            f"Warning: cannot open {proc.path('net/dev')} ({reason(error)}). Limited output."
        )
    if proc.root == "/proc":
        names = ordered({*found, *interface_labels(outcome, problem)})
        yield from present(proc, options, outcome, names, found, places)
    elif problem:
        raise Stop(f"missing interface information: {reason(problem)}")
    else:
        yield interface_table(proc, ordered(found), found, places)


def interface_labels(outcome: Report, problem: OSError | None) -> list[str]:
    try:
        return ioctl.addressed()
    except OSError as error:
        outcome.warn(f"SIOCGIFCONF: {reason(error)}")
        if problem:
            raise Stop(f"missing interface information: {reason(error)}") from error
        return []


def present(
    proc: Proc,
    options: Options,
    outcome: Report,
    names: Sequence[str],
    found: Mapping[str, list[int]],
    places: Sequence[int],
) -> Iterator[Table]:
    """Those that are up, or all with -a; one that has vanished ends the list, and the run."""
    try:
        answers = ioctl.ask(ioctl.SIOCGIFFLAGS, names)
    except OSError as error:
        raise Stop(f"missing interface information: {reason(error)}") from error
    bits = [unpack_from("h", answer)[0] for answer in answers if type(answer) is bytes]
    refusals = [place for place, answer in enumerate(answers) if type(answer) is not bytes]
    end = refusals[0] if refusals else len(names)
    shown = [options.all or number & UP for number in bits[:end]]
    names, gone = list(compress(names, shown)), names[end:]
    asks = options.structured and options.source in ("auto", "netlink")
    yield interface_table(proc, names, found, places, list(compress(bits, shown)), asks)
    if gone:
        refusal = answers[end]
        assert isinstance(refusal, OSError)
        said = "Device not found" if refusal.errno == ENODEV else reason(refusal)
        outcome.warn(f"{safe(gone[0])}: error fetching interface information: {said}")
        raise Stop(f"missing interface information: {reason(refusal)}")


def interface_table(
    proc: Proc,
    names: Sequence[str],
    found: Mapping[str, list[int]],
    places: Sequence[int],
    bits: Sequence[int] | None = None,
    asks: bool = False,
) -> Table:
    """`bits` is None where there is no kernel to ask; `asks`: addresses and counters of records
    come from it by netlink. Beyond the record's fields: `counters`, the sixteen of each interface,
    and `bits`, `inet`, `inet6` and `link` for the long form."""
    rows = list(map(found.get, names))
    result: Table = Table(
        Interface,
        len(names),
        ifname=names,
        counters=rows,
        stats=lambda: link_statistics(rows, places),
        inet6=lambda: inet6(proc, names),
        addr_info=lambda: list(
            map(addresses_of_links, result["bits"], result["inet"], result["inet6"])
        ),
    )
    if asks and proc.own:
        result.fields |= from_kernel(result)
    if bits is not None:
        result.fields |= {
            "bits": bits,
            "flags": lambda: flag_words(bits, FLAGS),
            "flags_str": lambda: list(map("".join, flag_words(bits, LETTERS))),
            "mtu": lambda: ioctl.ask_numbers(ioctl.SIOCGIFMTU, names),
            "inet": lambda: ioctl.inets(names),
            "link": lambda: ioctl.read_links(names),
            "address": lambda: list(map(hardware_text, result["link"])),
        }
    return result


def from_kernel(table: Table) -> dict[str, Any]:
    """The fields of a record that the kernel tells by netlink: all addresses, and each counter by
    itself. A label (eth0:1) has the addresses that were given under it."""
    from ...kernel import rtnetlink

    names, plain = table["ifname"], dict(table.fields)

    def stats() -> Sequence[Any]:
        try:
            links = {link.name: link.stats for link in rtnetlink.interface_links()}
        except OSError:
            links = {}
        shown: Sequence[Any] = plain["stats"]()
        return [links.get(name) or old for name, old in zip(names, shown)]

    def addr_info() -> Sequence[Any]:
        try:
            indexes = {link.name: link.ifindex for link in rtnetlink.interface_links()}
            found = rtnetlink.interface_addresses()
        except OSError:
            shown: Sequence[Any] = plain["addr_info"]()
            return shown
        rows: dict[Any, list[dict[str, Any]]] = {}
        for one in found:
            info = {
                "family": one.family,
                "local": one.local,
                "prefixlen": one.length,
                "scope": ADDRESS_SCOPES.get(one.scope, str(one.scope)),
                "broadcast": one.broadcast,
                "address": one.peer,
                "label": one.label,
            }
            rows.setdefault(one.ifindex, []).append(info)
            rows.setdefault(one.label, []).append(info)
        return [rows.get(indexes.get(name, name), []) for name in names]

    return {"stats": stats, "addr_info": addr_info}


ADDRESS_SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}


def read_counters(text: str) -> tuple[Sequence[int], dict[str, list[int]]]:
    """Which counters a table has, and those of each name."""
    _, _, rest = text.partition("\n")
    header, _, rest = rest.partition("\n")
    if "compressed" in header:
        rows = ROW.findall(rest)
        if len(rows) == rest.count("\n") and rest[-1:] in ("\n", ""):
            return MODERN, {name: list(map(int, numbers.split())) for name, numbers in rows}
        return MODERN, loose_counter_rows(rest, MODERN)
    places = MIDDLE if "bytes" in header else OLD
    return places, loose_counter_rows(rest, places)


def loose_counter_rows(text: str, places: Sequence[int]) -> dict[str, list[int]]:
    """Line by line, for tables of old kernels and for damaged ones."""
    found: dict[str, list[int]] = {}
    for line in text.split("\n"):
        match = LOOSE.match(line)
        if match:
            row = found.setdefault(match[1][:15], [0] * 16)
            for place, number in zip(places, counters(match[2])):
                row[place] = number & LARGEST
    return found


def ordered(names: Iterable[str]) -> list[str]:
    """eth2, eth2:1, eth10, eth0.5: by the stem, then by the numbers."""
    names = list(names)
    parts = [match.groups("") for match in map(NAME.match, names) if match]
    keys = [
        (stem, (int(digits or 0) + HALF) % (2 * HALF) - HALF, base, int(alias or -1), alias)
        for base, stem, digits, alias in parts
    ]
    return [name for _, name in sorted(zip(keys, names))]


def flag_words(bits: Sequence[int], names: Mapping[int, str]) -> list[list[str]]:
    found = {number: [name for bit, name in names.items() if number & bit] for number in set(bits)}
    return list(map(found.__getitem__, bits))


def inet6(proc: Proc, names: Sequence[str]) -> list[list[Inet6]]:
    """The IPv6 addresses of each; a file that cannot be read has none."""
    found: dict[str, list[Inet6]] = {}
    try:
        text = proc.read("net/if_inet6")
    except OSError:
        text = ""
    for match in map(ROW6.match, text.split("\n")):
        if not match:  # no kernel's line: netstat finds nothing beyond it
            break
        digits, length, scope, name = match.groups()
        address = inet_ntop(AF_INET6, bytes.fromhex(digits))
        if "." in address:  # one of IPv4 mapped into IPv6
            address = address.removeprefix("::ffff:")
        found.setdefault(name, []).append(Inet6(address, int(length, 16), int(scope, 16)))
    return [found.get(name, []) for name in names]


def link_statistics(
    rows: Sequence[list[int] | None], places: Sequence[int]
) -> list[dict[str, dict[str, Any]] | None]:
    """What the kernel's table does not have is None, where netstat says 0."""
    found: list[dict[str, dict[str, Any]] | None] = [
        None if row is None else {"rx": dict(zip(RX, row)), "tx": dict(zip(TX, row[8:]))}
        for row in rows
    ]
    for place in set(MODERN).difference(places):
        side, name = ("rx", RX[place]) if place < 8 else ("tx", TX[place - 8])
        for stats in filter(None, found):
            stats[side][name] = None
    return found


def hardware_text(link: Link) -> str | None:
    length = LENGTHS.get(link.kind)
    return link.octets[:length].hex(":") if length else None


def addresses_of_links(
    bits: int | None, inet: Sequence[Inet] | None, inet6: Sequence[Inet6]
) -> list[dict[str, Any]] | None:
    """As `ip -j address` has them. None, not an empty list, where IPv4's cannot be known."""
    names = ("family", "local", "prefixlen", "scope", "broadcast", "address", "label")
    found: list[tuple[Any, ...]] = []
    for address, netmask, broadcast, destination in inet or ():
        length = int.from_bytes(inet_aton(netmask), "big").bit_count() if netmask else None
        cast = broadcast if bits and bits & BROADCAST and broadcast != "0.0.0.0" else None
        peer = destination if bits and bits & POINTOPOINT else None
        found.append(("inet", address, length, None, cast, peer, None))
    for address, length, scope in inet6:
        kind = SCOPES.get(scope & ~COMPATIBLE)
        found.append(("inet6", address, length, kind, None, None, None))
    return None if inet is None and not found else [dict(zip(names, row)) for row in found]


# The classic text


def heading(options: Options) -> str:
    return "Kernel Interface table"


def columns(options: Options) -> Iterator[Column]:
    yield Column("Iface           ", "%-15.15s ", "ifname", untrusted=True)
    yield Column("  MTU ", "%5s ", "mtu", dash_for_unknown)
    header = "   RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR "
    yield Column(header, "%s", "counters stats", counter_cells)
    yield Column("Flg", "%s", "bits flags_str", letter_cells)


SHORT = "%8s %6s %6s %-6s %8s %6s %6s %6s "
ABSENT = f"{'     - no statistics available -':<56}"  # four columns short, as netstat has it
counted = itemgetter(1, 2, 3, 4, 9, 10, 11, 12)


def counter_cells(
    rows: Sequence[list[int] | None], stats: Sequence[dict[str, Any] | None]
) -> list[str]:
    return [ABSENT if row is None else SHORT % counted(row) for row in sixteen(rows, stats)]


def letter_cells(bits: Sequence[int | None], letters: Sequence[str | None]) -> list[str]:
    return [
        "[NO FLAGS]" if number == 0 else "-" if interface_listing is None else interface_listing
        for number, interface_listing in zip(bits, letters)
    ]


def sixteen(
    rows: Sequence[Sequence[Any] | None], stats: Sequence[dict[str, Any] | None]
) -> list[Sequence[Any] | None]:
    """The counters as they were read, or from the record, with a dash for what is not known."""
    return [
        list(dash_for_unknown([*map(stat["rx"].get, RX), *map(stat["tx"].get, TX)]))
        if stat and not row
        else row
        for row, stat in zip(rows, stats)
    ]


def interface_listing(tables: Iterable[Table | Remark], options: Options) -> Iterator[str] | None:
    return interface_blocks(tables, options) if options.extend else None


def interface_blocks(tables: Iterable[Table | Remark], options: Options) -> Iterator[str]:
    for table in tables:
        if isinstance(table, Remark):
            yield table
            continue
        fields = list(map(table.__getitem__, Block._fields))
        fields[-1] = sixteen(fields[-1], table["stats"])
        for row in zip(*fields):
            yield from longform_lines(Block(*row))


INTERFACES = Listing(
    "interfaces", Interface, collect, columns, heading, text=interface_listing, heading_once=True,
    identity=("ifname",),
)  # fmt: skip
