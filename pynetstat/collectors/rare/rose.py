"""ROSE, a network above AX.25: its sockets and its routes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ...kernel.proc import Proc, reason
from ...listing import Column, Listing, Report, Stop
from ...options import Options
from ...table import Remark, Table, in_order
from . import socket_lines


class RoseSocket(NamedTuple):
    """A connection between call signs at ROSE addresses of ten digits. `lci` is the logical
    channel, `neighbour` the number of the station that it goes through. Queues in bytes."""

    proto: str
    state: str | None = None
    local_address: str | None = None
    local_call: str | None = None
    remote_address: str | None = None
    remote_call: str | None = None
    dev: str | None = None
    lci: int | None = None
    neighbour: int | None = None
    vr: int | None = None
    vs: int | None = None
    recv_q: int | None = None
    send_q: int | None = None
    inode: int | None = None


class Neighbour(NamedTuple):
    """A station by its number; the rest is None where the kernel does not list it."""

    number: int
    call: str | None = None
    dev: str | None = None


class RoseRoute(NamedTuple):
    """The first `mask` digits of an address, and the neighbours that lead there, the best first."""

    dst: str
    mask: int | None = None
    neighbours: list[Neighbour] | None = None


STATES = ("LISTENING", "CONN SENT", "DISC SENT", "ESTABLISHED")

# A row of /proc/net/rose as rose_info_show() prints it, the lci in hexadecimal:
# dest_addr  dest_call src_addr   src_call  dev   lci neigh st vs vr va   t  t1  t2  t3  hb    idle
# 2028595581 N0CALL-2  4997752171 LA1ABC-9  rose0 001 00004  1  0  1  2   0 200 180   5   5   0/000
#   Snd-Q Rcv-Q inode
#      92    46 15420
ROW = re.compile(
    r"\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+([0-9A-F]{1,8})\s+(\d{1,10})\s+(\d{1,10})(?!\S)"
    r"(?:\s+(\d{1,10})\s+(\d{1,10})(?:\s+\d+){6}\s+\d+/\d+\s+(\d{1,10})\s+(\d{1,10})(?!\S)"
    r"(?:\s+(\d{1,20})(?!\S))?)?",
    re.ASCII,
)


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table | Remark]:
    lines = socket_lines(proc, "AF ROSE", "net/rose")
    next(lines, None)
    rows = (rose_socket(line, options.structured) for line in lines)
    yield from in_order(RoseSocket, rows)


def rose_socket(line: str, structured: bool) -> RoseSocket | Remark:
    """netstat takes the lci for decimal, and so cannot read one with letters; records can."""
    row = ROW.match(line)
    if row is None or not (structured or row[6].isdecimal()):
        return Remark("Problem reading data from /proc/net/rose")
    state = int(row[8])
    vs, vr, send_q, recv_q, inode = (
        None if number is None else int(number) for number in row.group(9, 10, 11, 12, 13)
    )
    return RoseSocket(
        "rose",
        state=STATES[state] if state < len(STATES) else f"UNKNOWN({state})",
        local_address=row[3],
        local_call=row[4],
        remote_address=row[1],
        remote_call=row[2],
        dev=row[5],
        lci=int(row[6], 16),
        neighbour=int(row[7]),
        vr=vr,
        vs=vs,
        recv_q=recv_q,
        send_q=send_q,
        inode=inode,
    )


def heading(options: Options) -> str:
    return "Active ROSE sockets"


def columns(options: Options) -> Iterator[Column]:
    yield Column("dest_addr   ", "%-10s  ", "remote_address", untrusted=True)
    yield Column("dest_call  ", "%-9s  ", "remote_call", untrusted=True)
    yield Column("src_addr    ", "%-10s  ", "local_address", untrusted=True)
    yield Column("src_call  ", "%-9s ", "local_call", untrusted=True)
    yield Column("dev   ", "%-5s ", "dev", untrusted=True)
    yield Column("lci ", "%3X ", "lci")
    yield Column("neigh   ", "%5d   ", "neighbour")
    yield Column("state", "%s", "state")


SOCKETS = Listing("rose", RoseSocket, collect, columns, heading)


# Routes

# A row of /proc/net/rose_nodes as rose_node_show() prints it; "1 loopback" is our own address.
# address    mask n neigh neigh neigh
# 1489263393 0007 3 00003 00001 00002
NODE = re.compile(r"(\S+) +(\d{1,10}) (\d{1,3})((?: +\w{1,20})*)(?!\S)", re.ASCII)
# A row of /proc/net/rose_neigh as rose_neigh_show() prints it:
# addr  callsign  dev  count use mode restart  t0  tf digipeaters
# 00001 DL1BKE-10 ax0      4   4  DCE      no   0   0
NEIGHBOUR = re.compile(r"(\d{1,10}) (.{9}) (\S+)", re.ASCII)


def collect_routes(proc: Proc, options: Options, outcome: Report) -> Iterator[Table | Remark]:
    """Without the neighbours' table, where netstat crashes, the nodes have numbers alone."""
    try:
        nodes = proc.rare("net/rose_nodes")
    except OSError as error:
        first = f"{proc.path('net/rose_nodes')}: {reason(error)}"
        raise Stop(f"{first}\nROSE not configured in this system.") from error
    try:
        neighbours = rose_neighbours(proc.rare("net/rose_neigh"))
    except OSError as error:
        outcome.error(proc.path("net/rose_neigh"), error)
        neighbours = {}
    next(nodes, None)
    rows = (rose_route(outcome, line, neighbours) for line in nodes)
    yield from in_order(RoseRoute, filter(None, rows))


def rose_neighbours(lines: Iterator[str]) -> dict[int, Neighbour]:
    next(lines, None)
    found: dict[int, Neighbour] = {}
    for row in filter(None, map(NEIGHBOUR.match, lines)):
        found.setdefault(int(row[1]), Neighbour(int(row[1]), row[2].rstrip(" "), row[3]))
    return found


def rose_route(outcome: Report, line: str, neighbours: Mapping[int, Neighbour]) -> RoseRoute | None:
    row = NODE.match(line)
    if row is None:
        outcome.warn("warning, got bogus rose node line.")
        return None
    words = row[4].split()[: int(row[3])]
    numbers = [int(word) if word.isdecimal() else 0 for word in words]
    ways = [neighbours.get(number, Neighbour(number)) for number in numbers]
    return RoseRoute(row[1], int(row[2]), ways)


def route_heading(options: Options) -> str:
    return "Kernel ROSE routing table"


def route_columns(options: Options) -> Iterator[Column]:
    ways = "neigh1 callsign  device  neigh2 callsign  device  neigh3 callsign  device"
    yield Column("Destination  ", "%-10s   ", "dst", untrusted=True)
    yield Column(ways, "%s", "neighbours", neighbour_cells, untrusted=True)


def neighbour_cells(lists: Sequence[Sequence[Neighbour]]) -> Iterable[str]:
    return ["".join(map(neighbour_text, neighbours)) for neighbours in lists]


def neighbour_text(neighbour: Neighbour) -> str:
    """`00004  VK2KTJ-15    ax0  `; netstat has room for a device of five letters."""
    number, call, dev = neighbour
    return f"{number:05d}  " + ("" if call is None else f"{call:<10}   {(dev or '')[:5]:<5}")


ROUTES = Listing("rose_routes", RoseRoute, collect_routes, route_columns, route_heading)
