"""What macOS tells of its sockets (the sysctls net.*.pcblist_n), taken apart.

Bytes in, tuples out; nothing here asks the system. Layouts: xnu bsd/netinet/in_pcb.h,
tcp_var.h, bsd/sys/socketvar.h and unpcb.h, the same on Intel and ARM.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from ..portable import packed_text

# The kinds of record that make up one socket, each padded to 8 bytes
SOCKET, RECEIVE, SEND, INPCB, TCPCB, UNPCB = 0x1, 0x2, 0x4, 0x10, 0x20, 0x200

GENERATION = Struct("<II Q 8x")  # xinpgen, first and last: length, count, generation
HEADER = Struct("<II")  # length, kind
PORTS = Struct(">16x HH")  # xinpcb_n: foreign and local port, in network order
INTERNET = Struct("<28x Q 8x B x B x 16s 16s")  # generation, version, protocol, foreign, local
# xsocket_n: type, options, state, family, connections that wait to be accepted, uid, last pid
XSOCKET = Struct("<16x h 2x I 2x h 12x i h 18x I i")
USES = Struct("<92x i")  # xsocket_n since macOS 13: descriptors that hold it
XSOCKBUF = Struct("<8x I")  # bytes waiting
XTCPCB = Struct("<36x i")  # t_state
XUNPCB = Struct("<24x Q 44x 256s 256s")  # inode, own name, peer's name
SIZES = {INPCB: 80, SOCKET: 72, RECEIVE: 12, SEND: 12, TCPCB: 40, UNPCB: 588}

AF_UNIX, AF_INET, AF_INET6 = 1, 2, 30
VERSION_4, VERSION_6 = 1, 2
ACCEPTING = 2  # SO_ACCEPTCONN
FREE, CONNECTED, CONNECTING, DISCONNECTING = 1, 2, 4, 8  # so_state

STATES = (
    "CLOSE", "LISTEN", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT1",
    "CLOSING", "LAST_ACK", "FIN_WAIT2", "TIME_WAIT",
)  # fmt: skip


class Internet(NamedTuple):
    """A socket of tcp, udp or raw; `version` as in netstat's Proto: "" or "6"."""

    version: str
    local_address: str
    local_port: int
    remote_address: str
    remote_port: int
    recv_q: int
    send_q: int
    uid: int
    pid: int | None
    protocol: int
    state: str | None


class Local(NamedTuple):
    """A unix socket; `uses` is None before macOS 13."""

    type: int
    flags: list[str]
    state: str | None
    uses: int | None
    inode: int | None
    path: str | None
    pid: int | None


Records = dict[int, bytes]


def decode_pcblist(data: bytes, first: int, needed: set[int]) -> Iterator[Records]:
    """Each socket as {kind: its record}; ValueError where the bytes have another layout.

    A socket begins with a record of the kind `first`. One that has lost its buffers never has
    all that is needed, and is passed over, as Apple's netstat does.
    """
    if len(data) < GENERATION.size:
        raise ValueError("no list of sockets")
    at = round_up(GENERATION.unpack_from(data)[0])
    found: Records = {}
    while at + HEADER.size <= len(data):
        length, kind = HEADER.unpack_from(data, at)
        if length <= GENERATION.size:
            return
        if at + length > len(data) or length < SIZES.get(kind, 0):
            break
        found = {} if kind == first else found
        found[kind] = data[at : at + length]
        if kind in needed and needed <= found.keys():
            yield found
            found = {}
        at += round_up(length)
    raise ValueError("the list of sockets is cut short")


def round_up(length: int) -> int:
    return (max(length, 8) + 7) & ~7


def decode_internet(data: bytes, name: str) -> list[Internet]:
    """net.inet.tcp.pcblist_n, udp.pcblist_n, raw.pcblist_n."""
    needed = {INPCB, SOCKET, RECEIVE, SEND} | ({TCPCB} if name == "tcp" else set())
    found = list(decode_pcblist(data, INPCB, needed))
    newest = GENERATION.unpack_from(data)[2]
    return [
        internet_socket(records, name)
        for records in found
        if INTERNET.unpack_from(records[INPCB])[0] <= newest  # opened while we asked
    ]


def internet_socket(records: Records, name: str) -> Internet:
    peer, port = PORTS.unpack_from(records[INPCB])
    _, version, protocol, there, here = INTERNET.unpack_from(records[INPCB])
    _, options, _, family, waiting, uid, pid = XSOCKET.unpack_from(records[SOCKET])
    received = XSOCKBUF.unpack_from(records[RECEIVE])[0]
    state = "ESTABLISHED" if name == "udp" and (peer or any(there)) else None
    if name == "tcp":
        code = XTCPCB.unpack_from(records[TCPCB])[0]
        state = STATES[code] if 0 <= code < len(STATES) else f"UNKNOWN({code})"
    return Internet(
        "6" if family == AF_INET6 else "",
        endpoint_address(here, family, version),
        protocol if name == "raw" else port,  # as Linux has it
        endpoint_address(there, family, version),
        peer,
        waiting if options & ACCEPTING else received,
        XSOCKBUF.unpack_from(records[SEND])[0],
        uid,
        pid if pid > 0 else None,
        protocol,
        state,
    )


def endpoint_address(packed: bytes, family: int, version: int) -> str:
    """As Linux prints it: an IPv6 socket that speaks IPv4 has ::ffff: before its address."""
    if family != AF_INET6:
        return packed_text(packed[12:])
    if version & VERSION_4 and not version & VERSION_6:
        return "::ffff:" + packed_text(packed[12:])
    return packed_text(without_zone(packed))


def without_zone(packed: bytes) -> bytes:
    """xnu keeps the interface of a link-local address in its bytes 2 and 3."""
    return packed[:2] + b"\0\0" + packed[4:] if has_zone(packed) else packed


def has_zone(packed: bytes) -> bool:
    """fe80::/10, ff01::/16, ff02::/16, and the latter two with other flags."""
    head, second = packed[0], packed[1]
    return (head == 0xFE and second & 0xC0 == 0x80) or (head == 0xFF and second & 0x0F in (1, 2))


def decode_local(data: bytes) -> list[Local]:
    """net.local.stream.pcblist_n and net.local.dgram.pcblist_n"""
    return list(map(local_socket, decode_pcblist(data, UNPCB, {UNPCB, SOCKET, RECEIVE, SEND})))


def local_socket(records: Records) -> Local:
    inode, name, _ = XUNPCB.unpack_from(records[UNPCB])
    record = records[SOCKET]
    kind, options, state, _, _, _, pid = XSOCKET.unpack_from(record)
    accepting = bool(options & ACCEPTING)
    path = name[2 : name[0]].partition(b"\0")[0]
    return Local(
        kind,
        ["ACC"] if accepting else [],
        "LISTENING" if accepting else state_word(state),
        USES.unpack_from(record)[0] if len(record) >= USES.size else None,
        inode or None,
        path.decode("latin-1") or None,
        pid if pid > 0 else None,
    )


def state_word(bits: int) -> str | None:
    words = {
        CONNECTED: "CONNECTED",
        CONNECTING: "CONNECTING",
        DISCONNECTING: "DISCONNECTING",
        FREE: "FREE",
    }
    return next((word for bit, word in words.items() if bits & bit), None)
