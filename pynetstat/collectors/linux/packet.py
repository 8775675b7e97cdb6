"""Packet sockets: programs that receive or send whole frames, such as sniffers and DHCP clients."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ...cells import dash_for_unknown, owner_columns, user_cells
from ...kernel.decode import decimals, numbers_from_hex
from ...kernel.ioctl import device_name
from ...kernel.proc import Proc
from ...listing import Column, Listing, Missing, Report
from ...options import Options
from ...table import Table
from ...tuples import content_hash, plain_dict
from .headed import read_rows


class PacketSocket(NamedTuple):
    """A packet socket. `type` is RAW (with the frame's own header) or DGRAM, `protocol` what it
    receives (all: every frame), `dev` the one interface it is bound to, if it is. `recv_q` is
    in bytes."""

    proto: str
    type: str | None = None
    protocol: str | None = None
    dev: str | None = None
    running: bool | None = None
    recv_q: int | None = None
    refcnt: int | None = None
    uid: int | None = None
    user: str | None = None
    inode: int | None = None
    pid: int | None = None
    program: str | None = None
    processes: list[Any] | None = None
    netns: str | None = None

    def __hash__(self) -> int:
        return content_hash(self)

    def to_dict(self) -> dict[str, Any]:
        return plain_dict(self)


# A row of /proc/net/packet as packet_seq_show() prints it, below its heading:
#   sk               RefCnt Type Proto  Iface R Rmem   User   Inode
#   00000000b334fdca 3      3    0003   2     1 0      0      7657275
ROW = re.compile(
    r"^[0-9a-f]+ +(\d{1,10}) +(\d{1,10}) +([0-9a-f]{4}) +(\d{1,10}) +(\d) +(\d{1,10}) +(\d{1,10})"
    r" +(\d{1,20}) *\n",
    re.ASCII | re.MULTILINE,
)
TYPES = {"2": "DGRAM", "3": "RAW", "10": "PACKET"}
# linux/if_ether.h, by the names that tcpdump takes
PROTOCOLS = {
    0x0003: "all", 0x0004: "802.2", 0x0800: "ip", 0x0806: "arp", 0x8100: "vlan", 0x86DD: "ipv6",
    0x8863: "pppoed", 0x8864: "pppoes", 0x888E: "eapol", 0x88CC: "lldp",
}  # fmt: skip


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table]:
    yield Table(PacketSocket, 0)
    try:
        for rows in read_rows(proc, outcome, "packet", ROW):
            yield decode_packet_rows(proc, *zip(*rows))
    except OSError as error:
        raise Missing("AF PACKET", proc.path("net/packet"), error) from error


def decode_packet_rows(proc: Proc, *columns: Sequence[str]) -> Table:
    refcnt, kind, protocol, device, running, received, uid, inode = columns
    return Table(
        PacketSocket,
        len(inode),
        proto=["packet"] * len(inode),
        type=lambda: [TYPES.get(number, number) for number in kind],
        protocol=lambda: [PROTOCOLS.get(one, f"0x{one:04x}") for one in numbers_from_hex(protocol)],
        dev=lambda: packet_devices(proc, device),
        running=lambda: [number != "0" for number in running],
        recv_q=lambda: decimals(received),
        refcnt=lambda: decimals(refcnt),
        uid=lambda: decimals(uid),
        inode=lambda: decimals(inode),
        bound=list(map(int, device)),
    )


def packet_devices(proc: Proc, indexes: Sequence[str]) -> list[str | None]:
    """The names of interfaces; those of another place than ours have none that we know."""
    if not proc.own:
        return [None] * len(indexes)
    names = {index: device_name(int(index)) for index in set(indexes) - {"0"}}
    return list(map(names.get, indexes))


# The classic text


def heading(options: Options) -> str:
    return "Active packet sockets"


def names(options: Options) -> Mapping[str, tuple[str, str]]:
    if (options.extend or options.structured) and not options.numeric_users:
        return {"user": ("user", "uid")}
    return {}


def columns(options: Options) -> Iterator[Column]:
    yield Column("Proto  ", "%-6s ", "proto")
    yield Column("Recv-Q ", "%6s ", "recv_q", dash_for_unknown)
    yield Column("Type  ", "%-5s ", "type")
    yield Column("Protocol ", "%-8s ", "protocol")
    yield Column("Iface          ", "%-15s", "dev bound", device_cells, untrusted=True)
    yield from user_columns(options)


def device_cells(names: Sequence[str | None], indexes: Sequence[int]) -> list[str]:
    return [name or (f"if{index}" if index else "*") for name, index in zip(names, indexes)]


def user_columns(options: Options) -> Iterator[Column]:
    """What -e and -p add."""
    if options.extend:
        yield Column(" User       ", " %-10s", "uid user", user_cells, untrusted=True)
        yield Column(" Inode     ", " %-10s", "inode", dash_for_unknown)
    yield from owner_columns(options)


SOCKETS = Listing("packet", PacketSocket, collect, columns, heading, names, identity=("inode",))
