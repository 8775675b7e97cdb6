"""The layout of Windows' netstat, for scripts that look for LISTENING or TCP.

Columns and words as Windows 10 prints them in English.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator

from ...listing import Section
from ...options import Options
from ...table import Table
from ...text import safe, safe_cells
from .ends import End, encoded_lines, rows_alone, socket_ends, whole_table
from .statistics import counts_of_tables, windows_statistics

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any

STATES = {
    "LISTEN": "LISTENING",
    "SYN_RECV": "SYN_RECEIVED",
    "FIN_WAIT1": "FIN_WAIT_1",
    "FIN_WAIT2": "FIN_WAIT_2",
    "CLOSE": "CLOSED",
}
LINE = "=" * 75
UNKNOWN_OWNER = " Can not obtain ownership information"


def render(
    sections: Iterable[Section], options: Options, incomplete: Callable[[], Any] | None = None
) -> Iterator[bytes]:
    addresses: dict[str, str] = {}
    counts: list[Table] = []
    for listing, tables in sections:
        if listing.name == "statistics":
            counts += rows_alone(tables)
            continue
        table = whole_table(tables, listing.record)
        if listing.name == "sockets":
            yield encoded_lines(windows_sockets(table, options))
        elif listing.name == "interfaces" and options.route:
            addresses = first_addresses(table)
            yield encoded_lines(interface_list(table))
        elif listing.name == "interfaces":
            yield encoded_lines(ethernet(table))
        elif listing.name == "routes":
            yield encoded_lines(windows_routes(table, addresses))
    if counts:
        yield encoded_lines(windows_statistics(counts_of_tables(counts)))


def windows_sockets(table: Table, options: Options) -> Iterator[str]:
    if "proto" not in table.record._fields or "local_address" not in table.record._fields:
        return
    if options.header:
        header = "  Proto  Local Address          Foreign Address        State"
        yield from ("", "Active Connections", "", header + "           PID" * options.timers)
    rows = zip(
        map(windows_protocol, table["proto"]),
        socket_ends(table, "local", options),
        socket_ends(table, "remote", options),
        map(windows_state, table["proto"], table["state"]),
        table["pid"],
        safe_cells(program or "" for program in table["program"]),
    )
    for name, local, remote, word, pid, program in sorted(rows, key=order):
        row = f"  {name:<5}  {windows_address(local):<21}  {foreign(name, remote):<21}  "
        yield row + (f"{word:<15} {windows_holder(pid, word)}" if options.timers else word)
        if options.extend and word != "TIME_WAIT":
            yield f" [{program}]" if program else UNKNOWN_OWNER


def windows_protocol(name: str) -> str:
    return name.rstrip("6").upper()


def order(row: Any) -> tuple[str, bool]:
    """Windows gives TCP, then UDP, each with IPv4 before IPv6."""
    return row[0], row[1].family == "inet6"


def windows_state(name: str, word: str | None) -> str:
    if not name.startswith("tcp"):
        return ""
    return STATES.get(word or "", word or "")


def windows_holder(pid: int | None, word: str) -> str:
    """Windows says 0 of what no process holds any more; a holder that is not known is `-`."""
    return "0" if word == "TIME_WAIT" else "-" if pid is None else str(pid)


def windows_address(end: End) -> str:
    if end.family == "inet6":
        return f"[{end.host or '::'}]:{end.port or 0}"
    return f"{end.host or '0.0.0.0'}:{end.port or 0}"


def foreign(name: str, end: End) -> str:
    """Windows tells no remote end of UDP. It is told here where there is one."""
    return "*:*" if name.startswith("UDP") and not end.port else windows_address(end)


# Routes, and the interfaces that they name


def interface_list(table: Table) -> Iterator[str]:
    yield from (LINE, "Interface List")
    for name, octets in zip(table["ifname"], table["address"]):
        physical = octets if octets and octets.strip("0:") else ""
        dots = f"...{physical.replace(':', ' ')} ......" if physical else "." * 27
        yield f"{interface_number(name):>3}{dots}{safe(name)}"
    yield LINE


def interface_number(name: str) -> int:
    """The number of an interface; 0 where it has gone."""
    try:
        return socket.if_nametoindex(name.encode("latin-1").decode("utf-8", "surrogateescape"))
    except (OSError, ValueError):
        return 0


def first_addresses(table: Table) -> dict[str, str]:
    """The IPv4 address by which Windows names an interface."""
    found: dict[str, str] = {}
    for name, places in zip(table["ifname"], table["addr_info"]):
        for place in places or ():
            if place["family"] == "inet":
                found.setdefault(name, place["local"])
    return found


def windows_routes(table: Table, addresses: dict[str, str]) -> Iterator[str]:
    inet6 = "inet6" in table["family"]
    yield from ("", f"IPv{6 if inet6 else 4} Route Table", LINE, "Active Routes:")
    rows = [
        row
        for row in zip(*(table[name] for name in ROUTE))
        if row[ROUTE.index("family")] in ("inet", "inet6")
    ]
    yield from (routes6 if inet6 else routes4)(rows, addresses)
    yield from (LINE, "Persistent Routes:", "  None", LINE)


ROUTE = ("family", "dst", "genmask", "gateway", "dev", "metric")


def routes4(rows: Iterable[Any], addresses: dict[str, str]) -> Iterator[str]:
    yield "Network Destination        Netmask          Gateway       Interface  Metric"
    for _, target, mask, gateway, device, metric in rows:
        network = "0.0.0.0" if target == "default" else target.partition("/")[0]
        hop = gateway or "On-link"
        own = addresses.get(device, safe(device or ""))
        yield f"{network:>17}{mask or '':>17}{hop:>17}{own:>17}{metric or 0:>7}"


def routes6(rows: Iterable[Any], addresses: dict[str, str]) -> Iterator[str]:
    yield " If Metric Network Destination      Gateway"
    for _, target, _, gateway, device, metric in rows:
        network = "::/0" if target == "default" else target
        index = interface_number(device) if device else 0
        head, hop = f"{index:>3}{metric or 0:>7} {network}", gateway or "On-link"
        if len(head) > 35:
            yield from (head, f"{'':36}{hop}")
        else:
            yield f"{head:<36}{hop}"


# The counters of all interfaces together

ETHERNET = {
    "Bytes": "bytes",
    "Unicast packets": "packets",
    "Non-unicast packets": "multicast",
    "Discards": "dropped",
    "Errors": "errors",
}


def ethernet(table: Table) -> Iterator[str]:
    yield from ("Interface Statistics", "", f"{'':27}{'Received':<20}Sent", "")
    found = [stats for stats in table["stats"] if stats]
    for title, name in ETHERNET.items():
        received, sent = (total_counter(found, side, name) for side in ("rx", "tx"))
        yield f"{title:<20}{received:>15}{sent:>16}"
    yield f"{'Unknown protocols':<20}{'-':>15}"


def total_counter(found: Iterable[Any], side: str, name: str) -> str:
    """A counter of all interfaces; `-` where none has it."""
    values = [stats[side][name] for stats in found if stats[side].get(name) is not None]
    return str(sum(values)) if values else "-"
