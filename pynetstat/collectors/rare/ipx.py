"""IPX, NetWare's network: its sockets and its routes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ...cells import user_cells
from ...kernel.proc import Proc, reason
from ...listing import Column, Listing, Report, Stop
from ...options import Options
from ...table import Remark, Table, in_order
from . import socket_lines


class IPXSocket(NamedTuple):
    """A socket: addresses as NETWORK:NODE or NETWORK alone, hexadecimal. Queues in bytes."""

    proto: str
    state: str | None = None
    local_address: str | None = None
    local_port: int | None = None
    remote_address: str | None = None
    remote_port: int | None = None
    recv_q: int | None = None
    send_q: int | None = None
    uid: int | None = None
    user: str | None = None


class IPXRoute(NamedTuple):
    """A route to a network; without a gateway (NETWORK:NODE) it is directly connected."""

    dst: str
    gateway: str | None = None


# A row of /proc/net/ipx/socket as ipx_seq_socket_show() prints it:
# Local_Address               Remote_Address              Tx_Queue  Rx_Queue  State  Uid
# 12345678:0001020304AB:0451  Not_Connected               0000003D  00000004  07     777
ROW = re.compile(
    r"\s*(\S+)\s+(\S+)\s+([0-9A-Fa-f]{1,8})\s+([0-9A-Fa-f]{1,8})\s+(\d{1,9})\s+(-?\d{1,10})(?!\S)",
    re.ASCII,
)
END = re.compile(r"([0-9A-Fa-f]{1,8}(?::[0-9A-Fa-f]{1,12})?):([0-9A-Fa-f]{1,8})")


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table | Remark]:
    """netstat would fall back to /proc/net/ipx, which was a file once; but where that is one,
    looking below it fails for good."""
    lines = socket_lines(proc, "AF IPX", "net/ipx/socket")
    next(lines, None)
    rows = (ipx_socket(outcome, line) for line in lines)
    yield from in_order(IPXSocket, filter(None, rows))


def ipx_socket(outcome: Report, line: str) -> IPXSocket | None:
    row = ROW.match(line)
    local, remote = (
        (decode_ipx_end(row[1], "source"), decode_ipx_end(row[2], "destination"))
        if row
        else (None, None)
    )
    if row is None or local is None or remote is None:
        outcome.warn("warning, got bogus ipx line.")
        return None
    state = int(row[5])
    return IPXSocket(
        "ipx",
        state="ESTAB" if state == 1 else None if state == 7 else "UNK.",
        local_address=local[0],
        local_port=local[1],
        remote_address=remote[0],
        remote_port=remote[1],
        recv_q=int(row[4], 16),
        send_q=int(row[3], 16),
        uid=int(row[6]),
    )


def decode_ipx_end(text: str, which: str) -> tuple[str | None, int | None] | None:
    """12345678:0001020304AB:0451 -> the address, and port 0x0451; None for other text."""
    if text == "Not_Connected" and which == "destination":
        return None, None
    if ":" not in text:
        message = f"netstat.c: Internal Error `ipx socket format error in {which} port'."
        raise Stop(message, 255)
    match = END.fullmatch(text)
    return (match[1], int(match[2], 16) & 0xFFFF) if match else None


def heading(options: Options) -> str:
    return "Active IPX sockets"


def names(options: Options) -> Mapping[str, tuple[str, str]]:
    wanted = (options.extend or options.structured) and not options.numeric_users
    return {"user": ("user", "uid")} if wanted else {}


def columns(options: Options) -> Iterator[Column]:
    """netstat has the queues the wrong way round."""
    yield Column("Proto ", "%-5s ", "proto", upper_field)
    yield Column("Recv-Q ", "%6d ", "send_q")
    yield Column("Send-Q ", "%6d ", "recv_q")
    yield Column("Local Address              ", "%-26s ", "local_address local_port", ipx_end_cells)
    yield Column(
        "Foreign Address            ", "%-26s ", "remote_address remote_port", ipx_end_cells
    )
    yield Column("State", "%-5s", "state", ipx_states)
    if options.extend:
        yield Column(" User", " %-10s", "uid user", user_cells, untrusted=True)


def upper_field(field: Sequence[str]) -> Iterable[str]:
    return map(str.upper, field)


def ipx_states(field: Sequence[str | None]) -> Iterable[str]:
    return [state or "" for state in field]


def ipx_end_cells(addresses: Sequence[str | None], ports: Sequence[int | None]) -> Iterable[str]:
    return list(map(end_text, addresses, ports))


def end_text(address: str | None, port: int | None) -> str:
    """12345678:0001020304AB:5104, the bytes of the port swapped as netstat has them."""
    if address is None or port is None:
        return "-"
    net, _, node = address.partition(":")
    network, station = network_text(net), node_text(node)
    where = f"{network}:{station}" if network and station else network
    return f"{where}:{(port & 0xFF) << 8 | port >> 8:04X}"


def network_text(text: str) -> str:
    """The hexadecimal digits it begins with, as eight; no network and the last one are nothing."""
    digits = re.match("[0-9A-Fa-f]*", text)[0]  # type: ignore[index]
    number = min(int(digits or "0", 16), 0xFFFFFFFF)
    return f"{number:08X}" if 0 < number < 0xFFFFFFFF else ""


def node_text(text: str) -> str:
    """The hexadecimal digits it begins with, filled up with zeros; none is nothing."""
    digits = re.match("[0-9A-Fa-f]*", text)[0][:12].upper()  # type: ignore[index]
    return digits.ljust(12, "0") if digits.strip("0") else ""


SOCKETS = Listing("ipx", IPXSocket, collect, columns, heading, names)


# Routes


def collect_routes(proc: Proc, options: Options, outcome: Report) -> Iterator[Table | Remark]:
    """/proc/net/ipx/route as ipx_seq_route_show() prints it:

    Network    Router_Net   Router_Node
    E040748B   346185C1     E2D5E960DDF8
    00000001   Directly     Connected
    """
    problem = ""
    for name in ("net/ipx/route", "net/ipx_route"):
        try:
            lines = proc.rare(name)
            break
        except OSError as error:
            problem = reason(error)
    else:
        files = "/proc/net/ipx/route or /proc/net/ipx_route"
        raise Stop(problem, 1, f"IPX routing not in file {files} found.")
    next(lines, None)
    yield Table(IPXRoute, 0)
    rows = [words for words in map(str.split, lines) if len(words) > 2]
    if rows:
        yield ipx_routes(*list(zip(*(row[:3] for row in rows))))


def ipx_routes(dst: Sequence[str], network: Sequence[str], node: Sequence[str]) -> Table:
    fields: dict[str, Any] = {"network": list(network), "node": list(node)}
    gateways = [
        None if net == "Directly" else f"{net}:{station}" for net, station in zip(network, node)
    ]
    return Table(IPXRoute, len(dst), dst=list(dst), gateway=gateways, **fields)


def route_heading(options: Options) -> str:
    return "Kernel IPX routing table"


def route_columns(options: Options) -> Iterator[Column]:
    """netstat takes `Directly Connected` for an address too: 0000000D, C00000000000."""
    yield Column("Destination               ", "%-25s ", "dst", ipx_networks)
    yield Column("Router Net                ", "%-25s ", "network", ipx_networks)
    yield Column("Router Node", "%-25s", "node", nodes)


def ipx_networks(field: Sequence[str]) -> Iterable[str]:
    return list(map(network_text, field))


def nodes(field: Sequence[str]) -> Iterable[str]:
    return list(map(node_text, field))


ROUTES = Listing("ipx_routes", IPXRoute, collect_routes, route_columns, route_heading)
