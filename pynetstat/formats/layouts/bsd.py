"""The layout of the netstat of macOS and FreeBSD: `*.8080`, `127.0.0.1.22`, `tcp46`.

Columns as macOS 10.14 and later print them. FreeBSD's differ by a blank behind Send-Q.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ...listing import Section
from ...options import Options
from ...table import Table
from ...text import safe, safe_cells
from .ends import End, encoded_lines, rows_alone, socket_ends, whole_table
from .statistics import bsd_statistics, counts_of_tables
from .windows import interface_number

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any

STATES = {
    "SYN_RECV": "SYN_RCVD",
    "FIN_WAIT1": "FIN_WAIT_1",
    "FIN_WAIT2": "FIN_WAIT_2",
    "CLOSE": "CLOSED",
}
TYPES = {"DGRAM": "dgram", "STREAM": "stream", "SEQPACKET": "seqpac"}


def render(
    sections: Iterable[Section], options: Options, incomplete: Callable[[], Any] | None = None
) -> Iterator[bytes]:
    titled = False
    counts: list[Table] = []
    for listing, tables in sections:
        if listing.name == "statistics":
            counts += rows_alone(tables)
            continue
        table = whole_table(tables, listing.record)
        if listing.name == "groups":
            yield encoded_lines(bsd_groups(table))
        elif listing.name == "interfaces":
            yield encoded_lines(bsd_interfaces(table, options))
        elif listing.name == "routes":
            if not titled and options.header:
                yield b"Routing tables\n"
            titled = True
            yield encoded_lines(bsd_routes(table, options))
        elif "local_address" in table.record._fields and "proto" in table.record._fields:
            queues = options.listening and not options.all
            yield encoded_lines(
                listeners(table, options) if queues else bsd_internet(table, options)
            )
        elif "peer_path" in table.record._fields:
            yield encoded_lines(bsd_local(table, options))
    if counts:
        yield encoded_lines(bsd_statistics(counts_of_tables(counts)))


def bsd_internet(table: Table, options: Options) -> Iterator[str]:
    gap = " " if options.layout == "bsd" else "  "
    if not len(table):
        return
    if options.header:
        more = " (including servers)" if options.all else ""
        yield f"Active Internet connections{more}"
        titles = (
            f"{escaped_cell('Local Address', options)} {escaped_cell('Foreign Address', options)}"
        )
        yield f"Proto Recv-Q Send-Q{gap}{titles} (state)    "
    rows = zip(
        map(
            bsd_protocol,
            table["proto"],
            table["family"],
            table["dual_stack"],
            table["local_address"],
        ),
        map(dash_for_empty, table["recv_q"]),
        map(dash_for_empty, table["send_q"]),
        socket_ends(table, "local", options),
        socket_ends(table, "remote", options),
        map(bsd_state, table["proto"], table["state"]),
        safe_cells(map(bsd_holder, table["pid"], table["program"])),
    )
    for name, received, sent, local_end, remote_end, word, owner in rows:
        row = f"{name:<5.5} {received:>6} {sent:>6}{gap}"
        row += f"{bsd_end(local_end, options)} {bsd_end(remote_end, options)} {word:<11}"
        yield f"{row} {owner}" if options.programs and options.verbose else row


def listeners(table: Table, options: Options) -> Iterator[str]:
    """-L: the queues of listeners. The length of those that shake hands is not told here."""
    if options.header:
        yield "Current listen queue sizes (qlen/incqlen/maxqlen)"
        yield f"{'Listen':<14} {'Local Address':<22}"
    rows = zip(
        table["state"],
        table["accept_queue"],
        table["backlog"],
        socket_ends(table, "local", options),
    )
    for word, waiting, backlog, local_end in rows:
        if word == "LISTEN":
            queue = f"{dash_for_empty(waiting)}/-/{dash_for_empty(backlog)}"
            yield f"{queue:<14} {bsd_end(local_end, options)}"


def bsd_protocol(name: str, family: str, both: bool | None, address: str | None) -> str:
    """tcp4, tcp6, or tcp46 for a socket of IPv6 that takes IPv4 too."""
    base = name.rstrip("6")
    if family != "inet6":
        return f"{base}4"
    return f"{base}46" if both and address == "::" else f"{base}6"


def dash_for_empty(value: int | None) -> str:
    return "-" if value is None else str(value)


def bsd_holder(pid: int | None, program: str | None) -> str:
    return f"{program or '-'}:{pid}" if pid else "-"


def bsd_state(name: str, word: str | None) -> str:
    return STATES.get(word or "", word or "") if name.startswith(("tcp", "sctp")) else ""


def bsd_end(end: End, options: Options) -> str:
    """`localhost.22` in 22 columns; a host is cut after 16, unless -l or -W asks for all of it."""
    host = end.host if options.wide else end.host[:16]
    text = f"{host or '*'}.{end.port or '*'}"
    return escaped_cell(text, options)


def escaped_cell(text: str, options: Options) -> str:
    return f"{text:<45}" if options.wide else f"{text:<22.22}"


def bsd_local(table: Table, options: Options) -> Iterator[str]:
    """Unix sockets. The addresses of their control blocks are the kernel's own here: `-`."""
    if options.header:
        kind = "UNIX" if options.layout == "bsd" else "LOCAL (UNIX)"
        yield f"Active {kind} domain sockets"
        names = (f"{name:>16}" for name in ("Inode", "Conn", "Refs", "Nextref"))
        yield f"{'Address':<16} Type   Recv-Q Send-Q {' '.join(names)} Addr"
    paths = safe_cells(path or "" for path in table["path"])
    for kind, inode, uses, path in zip(table["type"], table["inode"], table["refcnt"], paths):
        cells = f"{'-':>16} {TYPES.get(kind, 'other'):<6} {'-':>6} {'-':>6}"
        row = f"{cells} {dash_for_empty(inode):>16} {'-':>16} {dash_for_empty(uses):>16} {'-':>16}"
        yield f"{row} {path}" if path else row


def bsd_groups(table: Table) -> Iterator[str]:
    """The addresses of the groups' frames are the kernel's own here: `-`."""
    for family, title in (("inet", "IPv4"), ("inet6", "IPv6")):
        yield f"{title} Multicast Memberships"
        yield f"{'Group':<20}\t{'Link-layer Address':<20}\tNetif"
        rows = zip(table["family"], table["address"], table["ifname"])
        for kind, address, device in rows:
            if kind == family:
                zone = f"%{safe(device)}" if kind == "inet6" and device else ""
                yield f"{address + zone:<20}\t{'-':<20}\t{safe(device or '-')}"
        yield ""


# Routes


def bsd_routes(table: Table, options: Options) -> Iterator[str]:
    inet6 = "inet6" in table["family"]
    width = 39 if inet6 else 18
    yield from ("", "Internet6:" if inet6 else "Internet:")
    yield f"{'Destination':<{width}} {'Gateway':<{width}} {'Flags':<10} {'Netif':>14} Expire"
    fields = (table[name] for name in ("dst", "gateway", "dev", "flags_str", "protocol", "type"))
    for target, gateway, device, letters, source, kind in zip(*fields):
        hop = gateway or (f"link#{interface_number(device)}" if device else "-")
        name = safe(device or "-")
        flags = route_flags(letters or "", source, kind, gateway)
        shown = short_network(target or "-")
        yield f"{shown:<{width}.{width}} {hop:<{width}.{width}} {flags:<10} {name:>14} {'':6}"


def route_flags(letters: str, source: str | None, kind: str | None, gateway: str | None) -> str:
    """BSD's letters: U, G, H, then S for a route that somebody set, R and B for what refuses."""
    found = "".join(letter for letter in "UGH" if letter in letters)
    found += "R" * ("!" in letters or kind in ("unreachable", "prohibit"))
    found += "B" * (kind == "blackhole")
    return found + "S" * (source in ("static", "boot"))


def short_network(text: str) -> str:
    """`10/8` as BSD has it; a network whose length its class tells needs none: 192.168.1"""
    network, slash, length = text.partition("/")
    if not slash or ":" in network:
        return text
    parts = network.split(".")
    while len(parts) > 1 and parts[-1] == "0":
        parts.pop()
    first, bits = int(parts[0]), int(length)
    natural = 8 if first < 128 else 16 if first < 192 else 24
    if bits == 32:
        return f"{network}/32"
    parts += ["0"] * ((min(bits, natural) + 7) // 8 - len(parts))
    return ".".join(parts) if bits == natural else f"{'.'.join(parts)}/{bits}"


# Interfaces


def bsd_interfaces(table: Table, options: Options) -> Iterator[str]:
    bytes_too = bool(options.extend)
    more = f" {'Ibytes':>10}" if bytes_too else "", f" {'Obytes':>10}" if bytes_too else ""
    if options.header:
        yield (
            f"{'Name':<5} {'Mtu':<5} {'Network':<13} {'Address':<15} {'Ipkts':>8} {'Ierrs':>5}"
            f"{more[0]} {'Opkts':>8} {'Oerrs':>5}{more[1]} {'Coll':>5}"
        )
    names = ("ifname", "mtu", "flags", "address", "addr_info", "stats")
    for name, mtu, flags, octets, places, stats in zip(*(table[field] for field in names)):
        name = safe(name)
        down = flags is not None and "UP" not in flags
        label = f"{name[:4]}*" if down else name[:5]
        head = f"{label:<5} {dash_for_empty(mtu):<5}"
        octets = octets if octets and octets.strip("0:") else ""
        link = f"<Link#{interface_number(name)}>"
        yield f"{head} {link:<11} {octets:<17} {packet_counts(stats, bytes_too, whole_row=True)}"
        for place in places or ():
            network, text = network_and_address(place)
            shape = f"{network:<13.13} {text:<15.15}"
            if place["family"] == "inet6":
                shape = f"{network:<11.11} {text:<17.17}"
            yield f"{head} {shape} {packet_counts(stats, bytes_too, whole_row=False)}"


def network_and_address(place: dict[str, Any]) -> tuple[str, str]:
    """The network of an address, and the address."""
    from ipaddress import ip_interface

    text = place["local"].partition("%")[0]
    if place["prefixlen"] is None:
        return "-", text
    network = ip_interface(f"{text}/{place['prefixlen']}").network
    return (short_network(str(network)) if place["family"] == "inet" else str(network)), text


def packet_counts(stats: Any, bytes_too: bool, whole_row: bool) -> str:
    """Packets, errors, bytes and collisions; an address has no errors of its own."""

    def count(side: str, name: str, of_link: bool = True) -> str:
        if stats is None or (of_link and not whole_row):
            return "-"
        return dash_for_empty(stats[side].get(name))

    text = f"{count('rx', 'packets', False):>8} {count('rx', 'errors'):>5}"
    text += f" {count('rx', 'bytes', False):>10}" if bytes_too else ""
    text += f" {count('tx', 'packets', False):>8} {count('tx', 'errors'):>5}"
    text += f" {count('tx', 'bytes', False):>10}" if bytes_too else ""
    return f"{text} {count('tx', 'collisions'):>5}"
