"""Netlink sockets: programs, and the kernel itself, that speak of routes, interfaces, sockets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ...cells import dash_for_unknown, owner_columns
from ...kernel.decode import decimals, integers, numbers_from_hex
from ...kernel.proc import Proc
from ...listing import Column, Listing, Missing, Report
from ...options import Options
from ...table import Table
from ...tuples import content_hash, plain_dict
from .headed import read_rows


class NetlinkSocket(NamedTuple):
    """A netlink socket. `portid` is its address, mostly the PID of its program; the kernel's own
    have 0. `groups` are the numbers of the first 32 multicast groups that it has joined. Queues
    are in bytes; `drops` counts messages that found no room."""

    proto: str
    protocol: str | None = None
    portid: int | None = None
    groups: list[int] | None = None
    recv_q: int | None = None
    send_q: int | None = None
    drops: int | None = None
    inode: int | None = None
    pid: int | None = None
    program: str | None = None
    processes: list[Any] | None = None
    netns: str | None = None

    def __hash__(self) -> int:
        return content_hash(self)

    def to_dict(self) -> dict[str, Any]:
        return plain_dict(self)


# A row of /proc/net/netlink as netlink_native_seq_show() prints it, below its heading; Pid may be
# printed as a negative number by old kernels, and very old ones have no Drops and no Inode:
#   sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
#   0000000064cd5574 0   14926      00000001 0        0        0     2        0        7657277
ROW = re.compile(
    r"^[0-9a-f]+ +(\d{1,3}) +(-?\d{1,10}) +([0-9a-f]{8}) +(-?\d{1,10}) +(-?\d{1,10}) +\S+ +\d{1,10}"
    r" +(\d{1,10}) +(\d{1,20}) *\n",
    re.ASCII | re.MULTILINE,
)
# linux/netlink.h
PROTOCOLS = {
    0: "route", 1: "unused", 2: "usersock", 3: "firewall", 4: "sock_diag", 5: "nflog", 6: "xfrm",
    7: "selinux", 8: "iscsi", 9: "audit", 10: "fib_lookup", 11: "connector", 12: "netfilter",
    13: "ip6_fw", 14: "dnrtmsg", 15: "kobject_uevent", 16: "generic", 18: "scsitransport",
    19: "ecryptfs", 20: "rdma", 21: "crypto", 22: "smc",
}  # fmt: skip


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table]:
    yield Table(NetlinkSocket, 0)
    try:
        for rows in read_rows(proc, outcome, "netlink", ROW):
            yield decode_netlink_rows(*zip(*rows))
    except OSError as error:
        raise Missing("AF NETLINK", proc.path("net/netlink"), error) from error


def decode_netlink_rows(*columns: Sequence[str]) -> Table:
    protocol, port, group, received, sending, drops, inode = columns
    return Table(
        NetlinkSocket,
        len(inode),
        proto=["netlink"] * len(inode),
        protocol=lambda: [PROTOCOLS.get(int(one), one) for one in protocol],
        portid=lambda: [number & 0xFFFFFFFF for number in decimals(port)],
        groups=lambda: [bits_of(mask) for mask in numbers_from_hex(group)],
        recv_q=lambda: integers(received),
        send_q=lambda: integers(sending),
        drops=lambda: decimals(drops),
        inode=lambda: decimals(inode),
        kernels=[number == "0" for number in port],
    )


def bits_of(mask: int) -> list[int]:
    """0x11 -> groups 1 and 5"""
    return [number for number in range(1, 33) if mask >> (number - 1) & 1]


# The classic text


def heading(options: Options) -> str:
    return "Active netlink sockets"


def columns(options: Options) -> Iterator[Column]:
    yield Column("Proto   ", "%-7s ", "proto")
    yield Column("Recv-Q ", "%6s ", "recv_q", dash_for_unknown)
    yield Column("Send-Q ", "%6s ", "send_q", dash_for_unknown)
    yield Column("Protocol        ", "%-15s ", "protocol")
    yield Column("Port       ", "%-10s ", "portid", netlink_port_cells)
    yield Column("Drops     ", "%-9s", "drops")
    if options.extend:
        yield Column(" Inode     ", " %-10s", "inode", dash_for_unknown)
    yield from owner_columns(options)


def netlink_port_cells(ports: Sequence[int]) -> list[Any]:
    return [port or "kernel" for port in ports]


SOCKETS = Listing(
    "netlink", NetlinkSocket, collect, columns, heading, identity=("protocol", "portid", "inode")
)
