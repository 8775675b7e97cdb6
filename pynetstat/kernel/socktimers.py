"""Users and timers of tcp sockets from the kernel's dump, where they are those of /proc/net/tcp.

User, kind of timer and time are computed alike for both. The two counters, which /proc has
both and inet_diag_msg only one of, are in tcp_info: asked for it, the kernel takes 27 ms more
for 100,000 sockets. Not told here are the user and the counter of a half-open connection: where
there is one, /proc serves.
"""

from __future__ import annotations

from _socket import IPPROTO_TCP  # as netlink does
from collections.abc import Iterator
from itertools import chain, islice

from . import netlink
from .sockdiag import (
    HELD,
    LENGTH,
    REQUEST,
    ROWS,
    SOCK_DIAG_BY_FAMILY,
    cut_rows,
    decode_messages,
    family_of,
    tcp_rows,
)

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any

SYN_RECV = 3
INFO = 2  # attribute: struct tcp_info (linux/tcp.h)
RETRANSMITS, PROBES = 2, 3  # the bytes of it that have the counters
TICK = 10  # milliseconds: /proc counts in 1/100 s
EXPIRED = 1 << 31  # what older kernels say of a timer that is due is negative

Block = tuple[bytes, bytes]  # messages of LENGTH bytes, and two counters for each


def with_users(
    version: str, states: int, condition: bytes, timers: bool, told: bool
) -> Iterator[Block] | None:
    """The blocks of a dump; None where there are half-open connections, unless what is
    `told` of them is enough. OSError as of `netlink.dump`.

    Where rows remain that no memory is spent on, the kernel is asked once more for half-open
    ones (10 ms); those that begin later are not listed.
    """
    if timers:
        blocks = timed_rows(version, states, condition)
    else:
        blocks = ((packed, b"") for packed in tcp_rows(version, states, condition=condition))
    held = list(islice(blocks, HELD))
    if told or not states & 1 << SYN_RECV:
        return chain(held, blocks)
    if any(SYN_RECV in packed[17::LENGTH] for packed, _ in held):
        return None
    if len(held) < HELD:
        return iter(held)
    if any(tcp_rows(version, 1 << SYN_RECV, condition=condition)):
        return None
    return chain(held, map(without_half_open, blocks))


def without_half_open(block: Block) -> Block:
    packed, counters = block
    states = packed[17::LENGTH]
    if SYN_RECV not in states:
        return block
    rows = [row for row, state in enumerate(states) if state != SYN_RECV]
    return (
        b"".join(packed[row * LENGTH : (row + 1) * LENGTH] for row in rows),
        b"".join(counters[row * 2 : row * 2 + 2] for row in rows),
    )


def timed_rows(version: str, states: int, condition: bytes) -> Iterator[Block]:
    """As `sockdiag.tcp_rows`, with the retransmissions and probes of each row."""
    body = REQUEST.pack(family_of(version), IPPROTO_TCP, 1 << INFO - 1, states) + condition
    with netlink.connect(netlink.SOCK_DIAG) as link:
        rows: list[bytes] = []
        counters: list[bytes] = []
        gathered = 0
        for answer in netlink.dump(link, SOCK_DIAG_BY_FAMILY, body, SOCK_DIAG_BY_FAMILY):
            rows += cut_rows(answer)
            found = counters_of(answer)
            counters += found
            gathered += sum(map(len, found)) // 2
            if gathered >= ROWS:
                yield b"".join(rows), b"".join(counters)
                rows, counters, gathered = [], [], 0
        if rows:
            yield b"".join(rows), b"".join(counters)


def counters_of(answer: netlink.Answer) -> list[bytes]:
    """Retransmissions and probes, two bytes for each message; 0 where there is no tcp_info."""
    data, length = answer
    if length:
        place = info_place(data, 0, length)
        heads = [data[place - 4 + byte :: length] for byte in range(4)] if place else []
        if place and all(head.count(head[0]) == len(head) for head in heads):
            both = bytearray(2 * (len(data) // length))
            both[0::2], both[1::2] = (
                data[place + RETRANSMITS :: length],
                data[place + PROBES :: length],
            )
            return [bytes(both)]
    found = []
    at = 0
    while at < len(data):
        size = length or netlink.HEADER.unpack_from(data, at)[0]
        place = info_place(data, at, at + size)
        found.append(data[place + RETRANSMITS : place + PROBES + 1] if place else b"\0\0")
        at += size + 3 & ~3
    return found


def info_place(data: bytes, start: int, end: int) -> int:
    """Where the tcp_info of the message from `start` to `end` begins; 0 where it has none."""
    at = start + LENGTH
    while at + netlink.ATTRIBUTE.size <= end:
        size, kind = netlink.ATTRIBUTE.unpack_from(data, at)
        if not netlink.ATTRIBUTE.size <= size <= end - at:
            raise netlink.malformed("attribute out of bounds")
        if kind & netlink.TYPE == INFO and size > netlink.ATTRIBUTE.size + PROBES:
            return at + netlink.ATTRIBUTE.size
        at += size + 3 & ~3
    return 0


def decode_with_users(block: Block) -> tuple[int, dict[str, Any]]:
    """The number of rows, and the fields of inet's table: `uid`, and `timing` with (kind, time
    in 1/100 s, retransmissions, probes). None for a half-open connection."""
    packed, counters = block
    length, fields = decode_messages(packed)
    words = memoryview(packed).cast("I")
    uids: list[Any] = words[80 // 4 :: LENGTH // 4].tolist()
    half = SYN_RECV in fields["code"]
    if half:
        uids = [None if code == SYN_RECV else uid for code, uid in zip(fields["code"], uids)]
    fields["uid"] = uids
    if not counters:
        return length, fields
    kinds = packed[18::LENGTH]
    whens = words[68 // 4 :: LENGTH // 4].tolist()
    if any(whens):
        whens = [when // TICK if when < EXPIRED else 0 for when in whens]
    timing: list[Any] = list(zip(kinds, whens, counters[0::2], counters[1::2]))
    if half:
        timing = [None if code == SYN_RECV else one for code, one in zip(fields["code"], timing)]
    fields["timing"] = timing
    return length, fields
