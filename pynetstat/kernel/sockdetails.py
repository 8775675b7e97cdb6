"""What sock_diag tells of Internet sockets that /proc does not: the device that a socket is bound
to, the limits of listeners, and whether IPv6 sockets take IPv4 as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_RAW,
    IPPROTO_TCP,
    IPPROTO_UDP,
    inet_ntop,
)
from struct import Struct
from typing import Any, NamedTuple

from . import netlink, sockdiag
from .ioctl import device_name
from .sockdiag import LENGTH, LISTEN, REQUEST, SOCK_DIAG_BY_FAMILY

PROTOCOLS = {"tcp": IPPROTO_TCP, "udp": IPPROTO_UDP, "udplite": 136, "raw": IPPROTO_RAW}
CLOSE = 7  # the state of an unconnected udp socket
EVERY = 0xFFFFFFFF  # all states
# struct inet_diag_msg: family, state, two bytes, ports in network order, both addresses, device,
# cookie, timer, receive queue, send queue, uid, inode
MESSAGE = Struct("=BB2x4s16s16sI12xII4xI")
SKV6ONLY = 11  # attribute of listeners and unconnected sockets of IPv6

# Attribute 1 of a request is a program (struct inet_diag_bc_op): each instruction with how far to
# go on if it holds, and if not. A socket that reaches the end is given, beyond it is left out. To
# be given the few that are bound to a device costs a quarter of being given all.
# Was the port chosen by the kernel (6)? Otherwise leave it out.
AUTOBOUND = Struct("=HHBBH").pack(8, 1, 6, 4, 8)
# Is the device (9) none (0)? Then to the next, which never holds (1), and leaves it out.
BOUND = Struct("=HHBBHIBBH").pack(16, 1, 9, 8, 12, 0, 1, 4, 8)

Ends = tuple[str, int, str, int]


class Bound(NamedTuple):
    """A listener, or an unconnected udp socket."""

    address: str
    port: int
    device: int
    waiting: int  # connections that wait to be accepted
    backlog: int
    dual_stack: bool | None


class Details:
    """The sockets of one protocol and one IP version. Each dump is made when it is first wanted;
    what the kernel does not tell is None."""

    def __init__(self, protocol: str, version: str) -> None:
        self.protocol, self.version = PROTOCOLS[protocol], version
        self.family = AF_INET6 if version else AF_INET
        self.listens = self.protocol == IPPROTO_TCP
        self.states = sockdiag.ALL if self.listens else EVERY

    @cached_property
    def devices(self) -> dict[int | Ends, str]:
        """The names of the devices to which sockets are bound, by inode; of those without one
        (time-wait) by their ends."""
        found: dict[int | Ends, int] = {}
        try:
            rows = sockdiag.tcp_rows(
                self.version, self.states, protocol=self.protocol, condition=BOUND
            )
            for packed in rows:
                for at in range(netlink.HEADER.size, len(packed), LENGTH):
                    body = packed[at : at + MESSAGE.size]
                    *_, index, _, _, inode = MESSAGE.unpack(body)
                    if index:  # an older kernel gives the others too
                        found[inode or self.ends(body)] = index
        except OSError:
            return {}
        names = {index: device_name(index) for index in set(found.values())}
        return {key: names[index] for key, index in found.items()}

    @cached_property
    def autobound(self) -> set[int | Ends] | None:
        """The sockets whose local port the kernel chose; None where it does not tell."""
        found: set[int | Ends] = set()
        try:
            rows = sockdiag.tcp_rows(
                self.version, self.states, protocol=self.protocol, condition=AUTOBOUND
            )
            for packed in rows:
                inodes = memoryview(packed).cast("I")[84 // 4 :: LENGTH // 4].tolist()
                for place, inode in enumerate(inodes):
                    body = packed[place * LENGTH + netlink.HEADER.size :]
                    found.add(inode or self.ends(body[: MESSAGE.size]))
        except OSError:
            return None
        return found

    @cached_property
    def bound(self) -> dict[int, Bound]:
        """The listeners of tcp, or the unconnected sockets of udp, by inode."""
        states = 1 << (LISTEN if self.listens else CLOSE)
        body = REQUEST.pack(self.family, self.protocol, 0, states)
        kind = SOCK_DIAG_BY_FAMILY
        try:
            return dict(
                map(self.bound_socket, netlink.whole_dump(netlink.SOCK_DIAG, kind, body, kind))
            )
        except OSError:
            return {}

    def bound_socket(self, body: bytes) -> tuple[int, Bound]:
        if len(body) < MESSAGE.size:
            raise netlink.malformed("message too short")
        _, _, ports, local, _, index, waiting, backlog, inode = MESSAGE.unpack_from(body)
        alone = netlink.attributes(body, MESSAGE.size).get(SKV6ONLY)
        address = self.text(local)
        both = (address == "::" and not alone[0]) if alone else None
        port = int.from_bytes(ports[:2], "big")
        return inode, Bound(address, port, index, waiting, backlog, both)

    def text(self, packed: bytes) -> str:
        return inet_ntop(self.family, packed if self.version else packed[:4])

    def ends(self, body: bytes) -> Ends:
        _, _, ports, local, remote, *_ = MESSAGE.unpack_from(body)
        here, there = int.from_bytes(ports[:2], "big"), int.from_bytes(ports[2:], "big")
        return self.text(local), here, self.text(remote), there

    # Fields of a table, given its other fields

    def dev(self, inodes: Sequence[int], ends: Iterator[Ends]) -> list[str | None]:
        devices = self.devices
        if not devices:
            return [None] * len(inodes)
        return [devices.get(inode or end) for inode, end in zip(inodes, ends)]

    def chosen(self, inodes: Sequence[int], ends: Iterator[Ends]) -> list[bool | None]:
        found = self.autobound
        if found is None:
            return [None] * len(inodes)
        return [(inode or end) in found for inode, end in zip(inodes, ends)]

    def field(self, name: str, inodes: Sequence[int]) -> list[Any]:
        """`backlog`, `waiting` or `dual_stack` of those that have it."""
        place = Bound._fields.index(name)
        values = {inode: one[place] for inode, one in self.bound.items()}
        return list(map(values.get, inodes)) if values else [None] * len(inodes)

    def waits_at(self, inodes: Sequence[int], states: Sequence[Any], ends: Iterator[Ends]) -> Any:
        """For a connection that no program has accepted yet (it has no inode) the inode of the
        listener at which it waits; None where several may be it."""
        if 0 not in inodes:
            return [None] * len(inodes)
        queues: dict[int, dict[str, list[int]]] = {}
        for inode, one in self.bound.items():
            if one.waiting:
                queues.setdefault(one.port, {}).setdefault(one.address, []).append(inode)
        anyone = "::" if self.version else "0.0.0.0"
        found: list[int | None] = []
        for inode, state, (address, port, _, _) in zip(inodes, states, ends):
            waits = not inode and state in UNACCEPTED and port in queues
            candidates = queues[port] if waits else {}
            listeners = candidates.get(address) or candidates.get(anyone) or ()
            found.append(listeners[0] if len(listeners) == 1 else None)
        return found


UNACCEPTED = ("ESTABLISHED", "CLOSE_WAIT")  # the states in which a connection may wait
