"""The kernel's binary socket dump: a second way to the rows of /proc/net/tcp."""

from __future__ import annotations

import socket
import sys
from array import array
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from struct import Struct, iter_unpack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .options import Options
    from .proc import Proc

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST_DUMP = 0x301
NLMSG_ERROR, NLMSG_DONE = 2, 3
LISTEN = 10
ALL = 0xFFE  # the states 1 (ESTABLISHED) to 11 (CLOSING)
ROWS = 3000  # rows gathered into one table
ANSWER = 1 << 16  # more than the kernel puts into one answer (32 KiB)

# struct nlmsghdr, then struct inet_diag_req_v2 (linux/inet_diag.h) with an empty inet_diag_sockid
REQUEST = Struct("=IHHIIBBBxI48x")
HEADER = Struct("=IH")
ERROR = Struct("=i")
# After the header struct inet_diag_msg: family, state, timer, retransmissions, ports and
# addresses in network order, interface, cookie, expires, queues, uid, inode
FORMAT = "=16xBB2xHH16s16s16xIIII"
LENGTH = 88  # of both headers with the message, without the attributes that may follow


def tcp_sockets(
    proc: Proc, options: Options, version: str
) -> Iterator[tuple[int, dict[str, Any]]] | None:
    """The tcp sockets of one IP version as (length, fields); None where /proc has to serve.

    The kernel walks the same tables in the same order as for /proc/net/tcp, so that what is
    printed is the same, byte for byte; not so for timers (in jiffies there), the user of a
    half-open connection, and a listener's Send-Q, which /proc has as 0.
    """
    more = options.extend or options.timers or options.structured or options.filtered
    if options.source != "netlink" and (options.source != "auto" or more):
        return None
    if not proc.own:
        return None
    answers = dump(version, states(options))
    try:
        first = next(answers, b"")
    except OSError:
        return None
    return map(decode, chain([first], answers))


def states(options: Options) -> int:
    """The kernel's own selection, as a mask of states."""
    listening = 1 << LISTEN
    if options.all:
        return ALL
    return listening if options.listening else ALL & ~listening


def dump(version: str, states: int) -> Iterator[bytes]:
    """The kernel's messages (without attributes), some thousand together.

    OSError where the kernel, or a sandbox around us, refuses.
    """
    family = socket.AF_INET6 if version else socket.AF_INET
    request = REQUEST.pack(
        REQUEST.size, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_DUMP, 1, 0,
        family, socket.IPPROTO_TCP, 0, states,
    )  # fmt: skip
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as link:
        link.bind((0, 0))
        link.send(request)
        parts: list[bytes] = []
        gathered = 0
        while True:
            answer = link.recv(ANSWER)
            length, kind = HEADER.unpack_from(answer)
            if kind == NLMSG_DONE:
                break
            if kind == NLMSG_ERROR:
                number = -ERROR.unpack_from(answer, 16)[0]
                raise OSError(number, "NETLINK_SOCK_DIAG refused")
            # Sockets of one state give messages of one length: that is seen at a glance.
            count = len(answer) // length
            lengths = answer[0::length], answer[1::length]
            if lengths == (answer[:1] * count, answer[1:2] * count):
                cut = [answer[at : at + LENGTH] for at in range(0, len(answer), length)]
                parts += cut if length != LENGTH else [answer]
            else:
                parts += messages(answer)
            gathered += count
            if gathered >= ROWS:
                yield b"".join(parts)
                parts, gathered = [], 0
        if parts:
            yield b"".join(parts)


def messages(answer: bytes) -> list[bytes]:
    """The messages of one answer, walked from header to header."""
    parts, at = [], 0
    while at + LENGTH <= len(answer):
        length, kind = HEADER.unpack_from(answer, at)
        if kind == SOCK_DIAG_BY_FAMILY:
            parts.append(answer[at : at + LENGTH])
        at += max(length + 3 & ~3, LENGTH)
    return parts


_texts: dict[int, dict[bytes, str]] = {socket.AF_INET: {}, socket.AF_INET6: {}}
REMEMBERED = 1 << 14  # distinct addresses remembered before starting afresh


def decode(packed: bytes) -> tuple[int, dict[str, Any]]:
    """Messages -> the number of rows, and the fields that inet's table has."""
    rows = iter_unpack(FORMAT, packed)
    columns = list(zip(*rows)) if packed else [()] * 10
    family, state, port, peer, here, there, received, queued, _, inode = columns
    sending: Sequence[int] = queued
    if LISTEN in state:  # there the kernel gives the limit of waiting connections
        sending = [0 if code == LISTEN else size for code, size in zip(state, queued)]
    return len(state), {
        "code": state,
        "local_address": addresses(family, here),
        "local_port": host_order(port),
        "remote_address": addresses(family, there),
        "remote_port": host_order(peer),
        "recv_q": received,
        "send_q": sending,
        "inode": inode,
    }


def addresses(families: Sequence[int], packed: Sequence[bytes]) -> list[str]:
    if not packed:
        return []
    family = families[0]
    texts = _texts[family]
    if len(texts) > REMEMBERED:
        texts.clear()
    new = list(set(packed).difference(texts))
    bare = new if family == socket.AF_INET6 else [address[:4] for address in new]
    texts.update(zip(new, map(partial(socket.inet_ntop, family), bare)))
    return list(map(texts.__getitem__, packed))


def host_order(ports: Sequence[int]) -> list[int]:
    words = array("H", ports)
    if sys.byteorder == "little":
        words.byteswap()
    return words.tolist()
