"""What the kernel knows of each tcp connection beside its queues: struct tcp_info (linux/tcp.h)."""

from __future__ import annotations

import socket
import sys
import time
from struct import Struct
from typing import NamedTuple

from . import netlink

SOCK_DIAG_BY_FAMILY = 20
INET_DIAG_INFO = 2
ASK_INFO = 1 << INET_DIAG_INFO - 1
# struct inet_diag_req_v2 with an empty sockid: family, protocol, attributes wanted, states
REQUEST = Struct("=BBBxI48x")
# In an answer: behind the header, struct inet_diag_msg of 72 bytes, then the attributes
MESSAGE = 72
# Where its fields stand, in bytes behind the header
PORT_AT, DESTINATION_AT, QUEUES_AT, UID_AT, INODE_AT = 6, 24, 56, 64, 68
QUEUES = OWNER = Struct("=II")

ESTABLISHED, SYN_SENT, CLOSE_WAIT = 1, 2, 8
OPEN = 1 << ESTABLISHED | 1 << CLOSE_WAIT


class Field(NamedTuple):
    """Where a field stands in struct tcp_info, and the value that stands for "not known"."""

    offset: int
    size: int
    missing: int = -1


NO_32, NO_64 = (1 << 32) - 1, (1 << 64) - 1

# By name without `tcpi_`. Times are in microseconds but where the name says ms. The structure
# only ever grew: a shorter one, of an older kernel, lacks the fields at its end.
FIELDS = {
    "ca_state": Field(1, 1),
    "retransmits": Field(2, 1),
    "probes": Field(3, 1),
    "backoff": Field(4, 1),
    "rto": Field(8, 4),
    "ato": Field(12, 4),
    "snd_mss": Field(16, 4),
    "rcv_mss": Field(20, 4),
    "unacked": Field(24, 4),
    "sacked": Field(28, 4),
    "lost": Field(32, 4),
    "retrans": Field(36, 4),
    "last_data_sent_ms": Field(44, 4),
    "last_data_recv_ms": Field(52, 4),
    "last_ack_recv_ms": Field(56, 4),
    "pmtu": Field(60, 4),
    "rcv_ssthresh": Field(64, 4),
    "rtt": Field(68, 4),
    "rttvar": Field(72, 4),
    "snd_ssthresh": Field(76, 4, 0x7FFFFFFF),
    "snd_cwnd": Field(80, 4),
    "advmss": Field(84, 4),
    "reordering": Field(88, 4),
    "rcv_rtt": Field(92, 4, 0),
    "rcv_space": Field(96, 4),
    "total_retrans": Field(100, 4),
    "pacing_rate": Field(104, 8, NO_64),
    "max_pacing_rate": Field(112, 8, NO_64),
    "bytes_acked": Field(120, 8),
    "bytes_received": Field(128, 8),
    "segs_out": Field(136, 4),
    "segs_in": Field(140, 4),
    "notsent_bytes": Field(144, 4),
    "min_rtt": Field(148, 4, NO_32),
    "data_segs_in": Field(152, 4),
    "data_segs_out": Field(156, 4),
    "delivery_rate": Field(160, 8),
    "busy_time": Field(168, 8),
    "rwnd_limited": Field(176, 8),
    "sndbuf_limited": Field(184, 8),
    "delivered": Field(192, 4),
    "delivered_ce": Field(196, 4),
    "bytes_sent": Field(200, 8),
    "bytes_retrans": Field(208, 8),
    "dsack_dups": Field(216, 4),
    "reord_seen": Field(220, 4),
    "rcv_ooopack": Field(224, 4),
    "snd_wnd": Field(228, 4),
    "rcv_wnd": Field(232, 4),
    "rehash": Field(236, 4),
    "total_rto": Field(240, 2),
    "total_rto_recoveries": Field(242, 2),
    "total_rto_time_ms": Field(244, 4),
}


def tcp_info(data: bytes, name: str) -> int | None:
    """A field of the attribute INET_DIAG_INFO; None where this kernel does not have it, or does
    not know it of this connection."""
    offset, size, missing = FIELDS[name]
    if len(data) < offset + size:
        return None
    value = int.from_bytes(data[offset : offset + size], sys.byteorder)
    return None if value == missing else value


class Sample:
    """What the kernel knew at one moment of the tcp sockets that a program holds, by inode: the
    attribute INET_DIAG_INFO, and the bytes in both queues as they were with it."""

    def __init__(self) -> None:
        self.infos: dict[int, bytes] = {}
        self.queues: dict[int, bytes] = {}
        self.taken = time.monotonic()

    def recv_q(self, inode: int) -> int | None:
        queues = self.queues.get(inode)
        return None if queues is None else QUEUES.unpack(queues)[0]


def tcp_sample(states: int = OPEN) -> Sample:
    """All tcp sockets in these states. OSError where the kernel, or a sandbox, refuses."""
    for left in reversed(range(netlink.TRIES)):
        sample = Sample()
        try:
            with netlink.connect(netlink.SOCK_DIAG) as link:
                for family in (socket.AF_INET, socket.AF_INET6):
                    take(sample, link, family, states)
        except InterruptedError:  # the table changed meanwhile
            if not left:
                raise
        else:
            sample.infos.pop(0, None)
            return sample
    raise AssertionError


def take(sample: Sample, link: netlink.Link, family: int, states: int) -> None:
    """Enter the sockets of one IP version. The messages of an answer mostly have one length, and
    then the attribute stands at one place: 0.25 s for 100,000 sockets; 0.5 one by one."""
    request = REQUEST.pack(family, socket.IPPROTO_TCP, ASK_INFO, states)
    for answer in netlink.dump(link, SOCK_DIAG_BY_FAMILY, request, SOCK_DIAG_BY_FAMILY):
        data, length = answer
        if length and not length & 3 and enter_alike(sample, data, length):
            continue
        for body in netlink.bodies(answer):
            at, header = find_tcp_info(body)
            if at:
                inode = OWNER.unpack_from(body, UID_AT)[1]
                size = int.from_bytes(header[:2], sys.byteorder)
                sample.infos[inode] = body[at + 4 : at + size]
                sample.queues[inode] = body[QUEUES_AT:UID_AT]


def enter_alike(sample: Sample, data: bytes, length: int) -> bool:
    """Enter messages of one length; false where they differ in more than their values."""
    start = netlink.HEADER.size
    at, header = find_tcp_info(data[start:length])
    at += start
    if not netlink.uniform(data, length, at, 4):
        return False
    end = at + int.from_bytes(header[:2], sys.byteorder)
    inodes = memoryview(data).cast("I")[(start + INODE_AT) // 4 :: length // 4].tolist()
    behind, queue = end - at - 4, start + QUEUES_AT
    infos = [data[one : one + behind] for one in range(at + 4, len(data), length)]
    queues = [data[one : one + 8] for one in range(queue, len(data), length)]
    sample.infos.update(zip(inodes, infos))
    sample.queues.update(zip(inodes, queues))
    return True


def attempts() -> list[tuple[int, str, int, int]]:
    """The connections that are being opened at this moment: inode, address and port that they go
    to, user."""
    found = []
    for family in (socket.AF_INET, socket.AF_INET6):
        request = REQUEST.pack(family, socket.IPPROTO_TCP, 0, 1 << SYN_SENT)
        size = 4 if family == socket.AF_INET else 16
        for body in netlink.whole_dump(
            netlink.SOCK_DIAG, SOCK_DIAG_BY_FAMILY, request, SOCK_DIAG_BY_FAMILY
        ):
            uid, inode = OWNER.unpack_from(body, UID_AT)
            address = socket.inet_ntop(family, body[DESTINATION_AT : DESTINATION_AT + size])
            port = int.from_bytes(body[PORT_AT : PORT_AT + 2], "big")
            found.append((inode, address, port, uid))
    return found


def find_tcp_info(body: bytes) -> tuple[int, bytes]:
    """Where the attribute INET_DIAG_INFO stands in a message, and its header; 0 where it is
    not in it."""
    at = MESSAGE
    while at + 4 <= len(body):
        length, kind = netlink.ATTRIBUTE.unpack_from(body, at)
        if not 4 <= length <= len(body) - at:
            raise netlink.malformed("attribute out of bounds")
        if kind & netlink.TYPE == INET_DIAG_INFO:
            return at, body[at : at + 4]
        at += length + 3 & ~3
    return 0, b""
