"""vsock sockets, between a virtual machine and its host. Netlink alone tells of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any, NamedTuple

from ...cells import blank, dash_for_unknown, owner_columns
from ...kernel import netlink
from ...kernel.proc import Proc, reason
from ...kernel.states import STATES
from ...listing import Column, Listing, Missing, Report, Stop
from ...options import Options
from ...table import Table
from ...tuples import content_hash, plain_dict


class VsockSocket(NamedTuple):
    """A vsock socket. A cid is the number of a machine: 0 the hypervisor, 1 this machine itself,
    2 the host; None: any."""

    proto: str
    type: str | None = None
    state: str | None = None
    local_cid: int | None = None
    local_port: int | None = None
    remote_cid: int | None = None
    remote_port: int | None = None
    inode: int | None = None
    pid: int | None = None
    program: str | None = None
    processes: list[Any] | None = None
    netns: str | None = None

    def __hash__(self) -> int:
        return content_hash(self)

    def to_dict(self) -> dict[str, Any]:
        return plain_dict(self)


AF_VSOCK = 40
DIAG = 20  # SOCK_DIAG_BY_FAMILY
REQUEST = Struct("=BBHIIIII")  # struct vsock_diag_req: family, protocol, pad, states, inode, ...
# struct vsock_diag_msg: family, type, state, shutdown, both ends, inode, cookie
MESSAGE = Struct("=4B5I8x")
ANY = 0xFFFFFFFF
TYPES = {1: "STREAM", 2: "DGRAM", 5: "SEQPACKET"}
LISTENER = "LISTEN"


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table]:
    yield Table(VsockSocket, 0)
    if not proc.own or options.source not in ("auto", "netlink"):
        raise Stop("pynetstat: vsock sockets are asked of the kernel; /proc does not tell of them")
    body = REQUEST.pack(AF_VSOCK, 0, 0, ANY, 0, 0, 0, 0)
    try:
        rows = list(map(row, netlink.whole_dump(netlink.SOCK_DIAG, DIAG, body, DIAG)))
    except FileNotFoundError as error:  # no such family in this kernel
        raise Missing("AF VSOCK", "vsock", error) from error
    except OSError as error:
        raise Stop(f"pynetstat: vsock sockets: {reason(error)}") from error
    chosen = [one for one in rows if options.all or (one[2] == LISTENER) is options.listening]
    if chosen:
        fields = dict(zip(VsockSocket._fields, map(list, zip(*chosen))))
        yield Table(VsockSocket, len(chosen), **fields)


def row(body: bytes) -> tuple[Any, ...]:
    if len(body) < MESSAGE.size:
        raise netlink.malformed("message too short")
    _, kind, state, _, cid, port, other, peer, inode = MESSAGE.unpack_from(body)
    ends = [None if number == ANY else number for number in (cid, port, other, peer)]
    name = STATES[state] if state < len(STATES) else f"UNKNOWN({state})"
    return "vsock", TYPES.get(kind, str(kind)), name, *ends, inode


# The classic text


def heading(options: Options) -> str:
    return "Active vsock sockets"


def columns(options: Options) -> Iterator[Column]:
    yield Column("Proto ", "%-5s ", "proto")
    yield Column("Type      ", "%-9s ", "type")
    yield Column("Local Address           ", "%-23s ", "local_cid local_port", end_cells)
    yield Column("Foreign Address         ", "%-23s ", "remote_cid remote_port", end_cells)
    yield Column("State      ", "%-11s", "state", blank)
    if options.extend:
        yield Column(" Inode     ", " %-10s", "inode", dash_for_unknown)
    yield from owner_columns(options)


def end_cells(cids: Sequence[int | None], ports: Sequence[int | None]) -> list[str]:
    texts = [["*" if one is None else str(one) for one in pair] for pair in zip(cids, ports)]
    return list(map(":".join, texts))


SOCKETS = Listing("vsock", VsockSocket, collect, columns, heading, identity=("inode",))
