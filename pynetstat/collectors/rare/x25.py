"""X.25, packet switching over telephone lines: its sockets and its routes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ...kernel.proc import Proc
from ...listing import Column, Listing, Report, Stop
from ...options import Options
from ...table import Remark, Table, in_order
from . import socket_lines


class X25Socket(NamedTuple):
    """A call between X.25 addresses (up to 15 digits, `*` for none). `lci` is its logical
    channel, 0 while there is no call. Queues in bytes."""

    proto: str
    state: str | None = None
    local_address: str | None = None
    remote_address: str | None = None
    dev: str | None = None
    lci: int | None = None
    vr: int | None = None
    vs: int | None = None
    recv_q: int | None = None
    send_q: int | None = None
    inode: int | None = None


class X25Route(NamedTuple):
    """A route to the addresses that begin with the digits of `dst` (12345/5), or to all
    ("default")."""

    dst: str
    dev: str | None = None


STATES = ("LISTENING", "SABM_SENT", "DISC_SENT", "ESTABLISHED", "RECOVERY")

# A row of /proc/net/x25 as x25_get_info() printed it (now x25/socket, which netstat does not read),
# the lci in hexadecimal:
# dest_addr  src_addr   dev   lci st vs vr va   t  t2 t21 t22 t23 Snd-Q Rcv-Q inode
# 701001     999888     tun0  001  3  0  3  0   1   3 200 180 180     0     0 22468
ROW = re.compile(
    r"(\S+)\s+(\S+)\s+(\S+)\s+([0-9A-F]{1,8})\s+(\d{1,10})\s+(\d{1,10})\s+(\d{1,10})"
    r"(?:\s+\d+){6}\s+(\d{1,10})\s+(\d{1,10})(?!\S)(?:\s+(\d{1,20})(?!\S))?",
    re.ASCII,
)


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table | Remark]:
    """Sockets without a call, with -a alone."""
    lines = socket_lines(proc, "AF X25", "net/x25")
    next(lines, None)
    rows = filter(None, (x25_socket(outcome, line) for line in lines))
    yield from in_order(X25Socket, (row for row in rows if row.lci or options.all))


def x25_socket(outcome: Report, line: str) -> X25Socket | None:
    row = ROW.match(line)
    if row is None:
        outcome.warn("warning, got bogus x25 line.")
        return None
    state, vs, vr, send_q, recv_q = map(int, row.group(5, 6, 7, 8, 9))
    return X25Socket(
        "x25",
        state=STATES[state] if state < len(STATES) else f"UNKNOWN({state})",
        local_address=row[2],
        remote_address=row[1],
        dev=row[3],
        lci=int(row[4], 16),
        vr=vr,
        vs=vs,
        recv_q=recv_q,
        send_q=send_q,
        inode=int(row[10]) if row[10] else None,
    )


def heading(options: Options) -> str:
    return "Active X.25 sockets"


def columns(options: Options) -> Iterator[Column]:
    yield Column("Dest         ", "%-15s ", "remote_address", untrusted=True)
    yield Column("Source          ", "%-15s ", "local_address", nine, untrusted=True)
    yield Column("Device  ", "%-7s ", "dev", untrusted=True)
    yield Column("LCI  ", "%-3X  ", "lci")
    yield Column("State        ", "%-11s  ", "state")
    yield Column("Vr/Vs  ", "%s  ", "vr vs", x25_counts)
    yield Column("Send-Q  ", "%-6d  ", "send_q")
    yield Column("Recv-Q", "%-6d", "recv_q")


def nine(addresses: Sequence[str]) -> Iterable[str]:
    """netstat loses the last of ten digits; longer ones it cannot read at all."""
    return [address[:9] if len(address) == 10 else address for address in addresses]


def x25_counts(received: Sequence[int], sent: Sequence[int]) -> Iterable[str]:
    return map("%02d/%02d".__mod__, zip(received, sent))


SOCKETS = Listing("x25", X25Socket, collect, columns, heading)


# Routes

# A row of /proc/net/x25/route (x25_routes before) as x25_seq_route_show() prints it:
# Address          Digits  Device
# 84589933132      7       lapb0
ROUTE = re.compile(r"(.{15})  (-?\d{1,9})\s+(\S+)", re.ASCII)
DIGITS = 15  # an address at most


def collect_routes(proc: Proc, options: Options, outcome: Report) -> Iterator[Table | Remark]:
    for name in ("net/x25/route", "net/x25_routes"):
        try:
            lines = proc.rare(name)
            break
        except OSError:
            continue
    else:
        raise Stop("", 1, "X.25 not configured in this system.")
    next(lines, None)
    yield from in_order(X25Route, filter(None, (x25_route(outcome, line) for line in lines)))


def x25_route(outcome: Report, line: str) -> X25Route | None:
    row = ROUTE.match(line)
    if row is None:
        outcome.warn("warning, got bogus x25 route line.")
        return None
    digits = int(row[2]) if 0 <= int(row[2]) <= DIGITS else DIGITS
    return X25Route(f"{row[1][:digits]}/{digits}" if digits else "default", row[3])


def route_heading(options: Options) -> str:
    return "Kernel X.25 routing table"


def route_columns(options: Options) -> Iterator[Column]:
    yield Column("Destination          ", "%-18s   ", "dst", star, untrusted=True)
    yield Column("Iface", "%-5s", "dev", ten, untrusted=True)


def star(destinations: Sequence[str]) -> Iterable[str]:
    return ["*" if dst == "default" else dst for dst in destinations]


def ten(devices: Sequence[str]) -> Iterable[str]:
    """netstat has room for ten letters of a device."""
    return [device[:10] for device in devices]


ROUTES = Listing("x25_routes", X25Route, collect_routes, route_columns, route_heading)
