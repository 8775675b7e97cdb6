"""NET/ROM, a network above AX.25: its sockets and its routes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ...cells import dash_for_unknown
from ...kernel.proc import Proc, reason
from ...listing import Column, Listing, Report, Stop
from ...options import Options
from ...table import Remark, Table, in_order
from . import socket_lines


class NetRomSocket(NamedTuple):
    """A connection between nodes on behalf of a user, all of them call signs. Queues in bytes."""

    proto: str
    state: str | None = None
    user_address: str | None = None
    local_address: str | None = None
    remote_address: str | None = None
    dev: str | None = None
    vr: int | None = None
    vs: int | None = None
    recv_q: int | None = None
    send_q: int | None = None
    inode: int | None = None


class NetRomRoute(NamedTuple):
    """A node, and the neighbour over which it is reached now; `quality` is that of this way.
    None where every way has failed."""

    dst: str
    mnemonic: str | None = None
    quality: int | None = None
    neighbour: str | None = None
    dev: str | None = None


STATES = ("LISTENING", "CONN SENT", "DISC SENT", "ESTABLISHED")

# A row of /proc/net/nr as nr_info_show() prints it:
# user_addr dest_node src_node  dev    my  your  st  vs  vr  va    t1     t2     t4      idle   n2
# N0CALL-1  K1ABC-15  W1AW      nr0  01/02 03/04  3   3   7   0 000/120 00/05 000/180 000/900 00/03
#   wnd Snd-Q Rcv-Q inode
#     4    11    22 4567
ROW = re.compile(
    r"(.{9}) (.{9}) (.{9}) (\S+)\s+\S+/\S+\s+\S+/\S+\s+(\d{1,10})\s+(\d{1,10})\s+(\d{1,10})\s+\d+"
    r"(?:\s+\d+/\d+){5}\s+\d+\s+(\d{1,10})\s+(\d{1,10})(?!\S)(?:\s+(\d{1,20})(?!\S))?",
    re.ASCII,
)


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table | Remark]:
    lines = socket_lines(proc, "AF NETROM", "net/nr")
    next(lines, None)
    yield from in_order(NetRomSocket, map(netrom_socket, lines))


def netrom_socket(line: str) -> NetRomSocket | Remark:
    row = ROW.match(line)
    if row is None:
        return Remark("Problem reading data from /proc/net/nr")
    user, remote, local = (call.rstrip(" ") for call in row.group(1, 2, 3))
    state, vs, vr, send_q, recv_q = map(int, row.group(5, 6, 7, 8, 9))
    return NetRomSocket(
        "netrom",
        state=STATES[state] if state < len(STATES) else f"UNKNOWN({state})",
        user_address=user,
        local_address=local,
        remote_address=remote,
        dev=row[4],
        vr=vr,
        vs=vs,
        recv_q=recv_q,
        send_q=send_q,
        inode=int(row[10]) if row[10] else None,
    )


def heading(options: Options) -> str:
    return "Active NET/ROM sockets"


def columns(options: Options) -> Iterator[Column]:
    yield Column("User       ", "%-9s  ", "user_address", untrusted=True)
    yield Column("Dest       ", "%-9s  ", "remote_address", untrusted=True)
    yield Column("Source     ", "%-9s  ", "local_address", untrusted=True)
    yield Column("Device  ", "%-6s  ", "dev", untrusted=True)
    yield Column("State        ", "%-11s  ", "state")
    yield Column("Vr/Vs    ", "%s  ", "vr vs", netrom_counts)
    yield Column("Send-Q  ", "%-6d  ", "send_q")
    yield Column("Recv-Q", "%-6d", "recv_q")


def netrom_counts(received: Sequence[int], sent: Sequence[int]) -> Iterable[str]:
    return map("%03d/%03d".__mod__, zip(received, sent))


SOCKETS = Listing("netrom", NetRomSocket, collect, columns, heading)


# Routes

# A row of /proc/net/nr_nodes as nr_node_show() prints it: w is which of the n ways is in use.
# callsign  mnemonic w n qual obs neigh qual obs neigh qual obs neigh
# VK2KTJ-15 *        1 1   35   1 00003  207   6 00002
NODE = re.compile(
    r"(.{9}) (.{7})  (\d{1,9}) \d+((?:\s+\d{1,10}\s+\d+\s+\d{1,10})*)(?!\S)", re.ASCII
)
# A row of /proc/net/nr_neigh as nr_neigh_show() prints it:
# addr  callsign  dev  qual lock count failed digipeaters
# 00001 IW0QNL-3  ax0    94    0     7      0 VK2KTJ-15 N0CALL-2
NEIGHBOUR = re.compile(r"(\d{1,10}) (.{9}) (\S+)", re.ASCII)

Neighbours = Mapping[int, tuple[str, str]]


def collect_routes(proc: Proc, options: Options, outcome: Report) -> Iterator[Table | Remark]:
    files, missing = [], []
    for name in ("net/nr_nodes", "net/nr_neigh"):
        try:
            files.append(proc.rare(name))
        except OSError as error:
            missing.append(f"{proc.path(name)}: {reason(error)}")
    if missing:
        raise Stop("\n".join(missing), 1, "NET/ROM not configured in this system.")
    nodes, neighbours = files
    next(nodes, None)
    by_number = netrom_neighbours(neighbours)
    rows = (netrom_route(outcome, line, by_number) for line in nodes)
    yield from in_order(NetRomRoute, filter(None, rows))


def netrom_neighbours(lines: Iterator[str]) -> Neighbours:
    """The call sign and the device of each neighbour; the first of a number counts."""
    next(lines, None)
    found: dict[int, tuple[str, str]] = {}
    for row in filter(None, map(NEIGHBOUR.match, lines)):
        found.setdefault(int(row[1]), (row[2].rstrip(" "), row[3]))
    return found


def netrom_route(outcome: Report, line: str, neighbours: Neighbours) -> NetRomRoute | None:
    """Where a node has no way left, netstat would print half a row, and the next one behind."""
    row = NODE.match(line)
    if row is None:
        outcome.warn("warning, got bogus netrom node line.")
        return None
    words = row[4].split()[3 * int(row[3]) - 3 :][:3] if int(row[3]) else []
    way = NetRomRoute(row[1].rstrip(" "), mnemonic=row[2].rstrip(" "))
    if not words:
        return way
    neighbour, dev = neighbours.get(int(words[2]), (None, None))
    return way._replace(quality=int(words[0]), neighbour=neighbour, dev=dev)


def route_heading(options: Options) -> str:
    return "Kernel NET/ROM routing table"


def route_columns(options: Options) -> Iterator[Column]:
    yield Column("Destination  ", "%-9s    ", "dst", untrusted=True)
    yield Column("Mnemonic  ", "%-7s   ", "mnemonic", untrusted=True)
    yield Column("Quality  ", "%3s      ", "quality", dash_for_unknown)
    yield Column("Neighbour  ", "%-9s  ", "neighbour", dash_for_unknown, untrusted=True)
    yield Column("Iface", "%-4s", "dev", netrom_devices, untrusted=True)


def netrom_devices(devices: Sequence[str | None]) -> Iterable[str]:
    """The names cut to four letters, as netstat prints them."""
    return ["-" if device is None else device[:4] for device in devices]


ROUTES = Listing("netrom_routes", NetRomRoute, collect_routes, route_columns, route_heading)
