"""What the kernel knows of a socket beside its addresses and queues: struct tcp_info, its memory,
congestion control, options. Decoded from the attributes of sock_diag, whole fields at a time.

The structures only ever grew at their end, and distributions add fields to older kernels: what
there is goes by the length of the attribute, never by the kernel's version.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import repeat
from struct import Struct
from typing import Any, NamedTuple

from . import netlink

# Attributes (linux/inet_diag.h)
MEMINFO, INFO, VEGASINFO, CONG, TOS, TCLASS, SKMEMINFO, SHUTDOWN = range(1, 9)
DCTCPINFO, V6ONLY, MARK, BBRINFO, CLASS_ID, ULP_INFO, CGROUP_ID, SOCKOPT = (
    *(9, 11, 15, 16),
    *(17, 19, 21, 22),
)
# An attribute up to 8 is asked for by its bit; the others come along, or unasked.
ASKED_WITH = {DCTCPINFO: VEGASINFO, BBRINFO: VEGASINFO, CLASS_ID: TCLASS, ULP_INFO: INFO}
UNASKED = frozenset({SHUTDOWN, V6ONLY, MARK, CGROUP_ID, SOCKOPT})

SOCK_DIAG_BY_FAMILY = 20
# struct inet_diag_req_v2 with an empty inet_diag_sockid: family, protocol, attributes, states
REQUEST = Struct("=BBBxI48x")
# struct inet_diag_req, the older one (TCPDIAG_GETSOCK): it names no family, so that one walk
# through the kernel's table gives both. Attributes, states.
BOTH_FAMILIES = 18
OLD_REQUEST = Struct("=3xB48xI4x")
MESSAGE = 88  # bytes of struct nlmsghdr and struct inet_diag_msg; the attributes follow
LISTEN = 10

NO_32, NO_64 = (1 << 32) - 1, (1 << 64) - 1


class Field(NamedTuple):
    """A number within an attribute: the byte at which it starts, its size in bytes, and the value
    that says "not known". `about` is for the documentation."""

    offset: int
    size: int
    about: str
    missing: int = -1
    attribute: int = INFO
    signed: bool = False


def of_memory(place: int, about: str, signed: bool = False) -> Field:
    return Field(place * 4, 4, about, attribute=SKMEMINFO, signed=signed)


US, MS, SEGMENTS, BYTES, RATE = "microseconds", "milliseconds", "segments", "bytes", "bytes/s"

# struct tcp_info (linux/tcp.h), by the published names: without `tcpi_`, and with the unit where
# the name alone would not tell it.
TCP_INFO = {
    "retransmits": Field(2, 1, "unanswered retransmissions after a timeout, now"),
    "probes": Field(3, 1, "unanswered probes, now"),
    "backoff": Field(4, 1, "how often the timeout was doubled"),
    "rto_us": Field(8, 4, f"timeout of retransmission, {US}"),
    "ato_us": Field(12, 4, f"timeout of the delayed acknowledgement, {US}"),
    "snd_mss": Field(16, 4, "largest segment to send, bytes"),
    "rcv_mss": Field(20, 4, "largest segment received, bytes"),
    "unacked": Field(24, 4, "segments sent and not acknowledged"),
    "sacked": Field(28, 4, "of these acknowledged selectively"),
    "lost": Field(32, 4, "of these taken for lost"),
    "retrans": Field(36, 4, "of these sent again"),
    "fackets": Field(40, 4, "segments, of older kernels"),
    "last_data_sent_ms": Field(44, 4, f"since data was last sent, {MS}"),
    "last_data_recv_ms": Field(52, 4, f"since data last came, {MS}"),
    "last_ack_recv_ms": Field(56, 4, f"since an acknowledgement last came, {MS}"),
    "pmtu": Field(60, 4, "largest packet of the path, bytes"),
    "rcv_ssthresh": Field(64, 4, "receive window's slow start threshold, bytes"),
    "rtt_us": Field(68, 4, f"smoothed round trip time, {US}", missing=0),
    "rttvar_us": Field(72, 4, f"its mean deviation, {US}"),
    "ssthresh": Field(76, 4, f"slow start threshold, {SEGMENTS}", missing=0x7FFFFFFF),
    "cwnd": Field(80, 4, f"congestion window, {SEGMENTS}"),
    "advmss": Field(84, 4, "largest segment announced, bytes"),
    "reordering": Field(88, 4, f"reordering seen or assumed, {SEGMENTS}"),
    "rcv_rtt_us": Field(92, 4, f"round trip time of the receiver, {US}", missing=0),
    "rcv_space": Field(96, 4, "bytes that the program read per round trip"),
    "total_retrans": Field(100, 4, "segments sent again, in all"),
    "pacing_rate": Field(104, 8, RATE, missing=NO_64),
    "max_pacing_rate": Field(112, 8, RATE, missing=NO_64),
    "bytes_acked": Field(120, 8, "bytes sent and acknowledged"),
    "bytes_received": Field(128, 8, "bytes received in order"),
    "segs_out": Field(136, 4, f"{SEGMENTS} sent"),
    "segs_in": Field(140, 4, f"{SEGMENTS} received"),
    "notsent_bytes": Field(144, 4, "bytes waiting to be sent for the first time"),
    "min_rtt_us": Field(148, 4, f"smallest round trip time, {US}", missing=NO_32),
    "data_segs_in": Field(152, 4, f"{SEGMENTS} with data received"),
    "data_segs_out": Field(156, 4, f"{SEGMENTS} with data sent"),
    "delivery_rate": Field(160, 8, f"of the latest sample, {RATE}"),
    "busy_time_us": Field(168, 8, f"time with data to send, {US}"),
    "rwnd_limited_us": Field(176, 8, f"of it limited by the peer's window, {US}"),
    "sndbuf_limited_us": Field(184, 8, f"of it limited by our own buffer, {US}"),
    "delivered": Field(192, 4, f"{SEGMENTS} delivered"),
    "delivered_ce": Field(196, 4, "of these with a congestion mark"),
    "bytes_sent": Field(200, 8, "bytes sent, with those sent again"),
    "bytes_retrans": Field(208, 8, "bytes sent again"),
    "dsack_dups": Field(216, 4, f"{SEGMENTS} that the peer got twice"),
    "reord_seen": Field(220, 4, "times that reordering was seen"),
    "rcv_ooopack": Field(224, 4, f"{SEGMENTS} received out of order"),
    "snd_wnd": Field(228, 4, "the peer's window, bytes"),
    "rcv_wnd": Field(232, 4, "our window, bytes"),
    "rehash": Field(236, 4, "changes of the path's hash after timeouts"),
    "total_rto": Field(240, 2, "timeouts of retransmission"),
    "total_rto_recoveries": Field(242, 2, "recoveries from them"),
    "total_rto_time_ms": Field(244, 4, f"spent in them, {MS}"),
    "received_ce": Field(248, 4, f"{SEGMENTS} received with a congestion mark"),
    "delivered_e1_bytes": Field(252, 4, "AccECN"),
    "delivered_e0_bytes": Field(256, 4, "AccECN"),
    "delivered_ce_bytes": Field(260, 4, "AccECN"),
    "received_e1_bytes": Field(264, 4, "AccECN"),
    "received_e0_bytes": Field(268, 4, "AccECN"),
    "received_ce_bytes": Field(272, 4, "AccECN"),
}
# As `ss -m` has them: r rb t tb f w o bl d
MEMORY = {
    "rmem_alloc": of_memory(0, "memory of received data, bytes"),
    "rcvbuf": of_memory(1, "limit of it (SO_RCVBUF), bytes"),
    "wmem_alloc": of_memory(2, "memory of packets on their way out, bytes"),
    "sndbuf": of_memory(3, "limit of the memory of data to send (SO_SNDBUF), bytes"),
    "fwd_alloc": of_memory(4, "reserved for what comes next, bytes", signed=True),
    "wmem_queued": of_memory(5, "memory of data to send, bytes"),
    "optmem": of_memory(6, "memory of options and filters, bytes"),
    "backlog_bytes": of_memory(7, "received while the program held the socket, bytes"),
    "drops": of_memory(8, "packets dropped at this socket"),
}
FIELDS = {**TCP_INFO, **MEMORY}
CA_STATES = ("open", "disorder", "cwr", "recovery", "loss")
FASTOPEN = (None, "cookie unavailable", "data not acked", "syn retransmitted")
# tcpi_options, from the lowest bit
OPTIONS = ("ts", "sack", "wscale", "ecn", "ecnseen", "fastopen", "usects", "tfochild")
WSCALE = 4
# struct inet_diag_sockopt, two bytes, from the lowest bit
SOCKET_OPTIONS = (
    *("recverr", "is_icsk", "freebind", "hdrincl", "mc_loop", "transparent", "mc_all", "nodefrag"),
    *("bind_address_no_port", "recverr_rfc4884", "defer_connect"),
)
# What is not one plain number: which attribute tells it, and how (a method of Batch)
OTHERS = {
    "ca_state": (INFO, "state of congestion control: open, disorder, cwr, recovery, loss"),
    "tcp_options": (INFO, "ts, sack, wscale, ecn, ecnseen, fastopen, usects, tfochild"),
    "snd_wscale": (INFO, "window scale of the peer, a power of two"),
    "rcv_wscale": (INFO, "our window scale, a power of two"),
    "app_limited": (INFO, "whether delivery_rate was limited by the program"),
    "fastopen_failed": (INFO, "why TCP Fast Open failed"),
    "congestion_algorithm": (CONG, "cubic, bbr, ..."),
    "congestion": (VEGASINFO, "data of vegas, dctcp or bbr: bytes/s, microseconds"),
    "ulp": (ULP_INFO, "upper layer protocol: tls, mptcp"),
    "ulp_info": (ULP_INFO, "its data"),
    "tos": (TOS, "type of service"),
    "tclass": (TCLASS, "traffic class of IPv6"),
    "mark": (MARK, "firewall mark; needs CAP_NET_ADMIN"),
    "shutdown": (SHUTDOWN, "directions shut down by the program: recv, send"),
    "socket_options": (SOCKOPT, "names of socket options that are set"),
    "cgroup_id": (CGROUP_ID, "id of the cgroup v2 that made the socket"),
}
KINDS = {
    **dict.fromkeys(FIELDS, "int"),
    **dict.fromkeys(("snd_wscale", "rcv_wscale", "tos", "tclass", "mark", "cgroup_id"), "int"),
    **dict.fromkeys(("ca_state", "fastopen_failed", "congestion_algorithm", "ulp"), "str"),
    **dict.fromkeys(("tcp_options", "shutdown", "socket_options"), "list"),
    **{"app_limited": "bool", "congestion": "dict", "ulp_info": "dict"},
}
# The names within `tcp_info`, in order
TCP_NAMES = ("ca_state", *TCP_INFO, *(name for name in OTHERS if name != "ca_state"))
MEMORY_NAMES = tuple(MEMORY)
RATE_NAMES = ("bytes_acked", "bytes_received")


def wanted_attributes(names: Iterable[str]) -> int:
    """The byte of a request that makes the kernel give these fields."""
    mask = 0
    for name in names:
        attribute = FIELDS[name].attribute if name in FIELDS else OTHERS[name][0]
        if attribute not in UNASKED:
            mask |= 1 << ASKED_WITH.get(attribute, attribute) - 1
    return mask


def request(protocol: int, family: int, attributes: int, states: int) -> tuple[int, bytes]:
    """The type and the body of a request for sockets; family 0 means both, of tcp alone."""
    if not family:
        return BOTH_FAMILIES, OLD_REQUEST.pack(attributes, states)
    return SOCK_DIAG_BY_FAMILY, REQUEST.pack(family, protocol, attributes, states)


def batches(
    link: netlink.Link, protocol: int, family: int, attributes: int, states: int, rows: int
) -> Iterator[Batch]:
    """The sockets in batches of about so many rows; OSError as of `netlink.dump`."""
    kind, body = request(protocol, family, attributes, states)
    parts: list[netlink.Answer] = []
    size = 0
    for answer in netlink.dump(link, kind, body, kind):
        parts.append(answer)
        size += len(answer.data)
        if size >= rows * 400:  # bytes of a row with all attributes
            yield Batch(parts)
            parts, size = [], 0
    if parts:
        yield Batch(parts)


class Group:
    """Messages whose attributes stand at the same places: `places` has the byte at which the
    payload of each attribute starts, and its length. `rows` are their places in the batch."""

    def __init__(self, data: bytes, length: int, rows: Sequence[int], places: Any) -> None:
        self.data, self.length, self.rows, self.places = data, length, rows, places

    def integers(
        self, attribute: int, offset: int, size: int, missing: int = -1, signed: bool = False
    ) -> list[int | None] | None:
        """A number of each row, None for the one that says "not known"; None in place of the
        list where the attribute is absent or ends before it."""
        start, length = self.places.get(attribute, (0, 0))
        if length < offset + size:
            return None
        at = start + offset
        if netlink.uniform(self.data, self.length, at, size):  # most are; others soon differ
            number = int.from_bytes(self.data[at : at + size], sys.byteorder, signed=signed)
            return [None if number == missing else number] * len(self.rows)
        values = self.numbers(at, size, signed)
        if missing >= 0 and missing in values:
            return [None if value == missing else value for value in values]
        return values

    def numbers(self, at: int, size: int, signed: bool) -> list[Any]:
        if size == 1:
            return list(self.data[at :: self.length])
        if size < 8:
            return self.stride({2: "H", 4: "i" if signed else "I"}[size], at, size)
        if not (at % 8 or self.length % 8):
            return self.stride("Q", at, 8)
        low, high = self.stride("I", at, 4), self.stride("I", at + 4, 4)
        if sys.byteorder == "big":
            low, high = high, low
        if not any(high):  # most counters fit 32 bits
            return low
        return [small | large << 32 for small, large in zip(low, high)]

    def stride(self, code: Any, at: int, size: int) -> list[int]:
        """One number of each message: 0.2 ms for 10,000; unpacking row by row takes 4."""
        return memoryview(self.data).cast(code)[at // size :: self.length // size].tolist()

    def payloads(self, attribute: int) -> list[bytes] | None:
        """The whole attribute of each row."""
        if attribute not in self.places:
            return None
        start, length = self.places[attribute]
        step, data = self.length, self.data
        if netlink.uniform(data, step, start, length):
            return [data[start : start + length]] * len(self.rows)
        return [data[at : at + length] for at in range(start, len(data), step)]


class Batch:
    """Some thousand sockets as the kernel gave them. Fields are decoded when they are asked for.

    `packed` has the messages without their attributes, MESSAGE bytes each, in order.
    """

    def __init__(self, answers: Iterable[netlink.Answer]) -> None:
        by_length: dict[int, tuple[list[int], list[bytes]]] = {}
        count = 0
        heads: list[bytes] = []
        for data, length in answers:
            if length:  # as nearly always; message by message takes four times as long
                if length < MESSAGE:
                    raise netlink.malformed("message too short")
                rows, blocks = by_length.setdefault(length, ([], []))
                more = len(data) // length
                rows.extend(range(count, count + more))
                blocks.append(data)
                heads += [data[at : at + MESSAGE] for at in range(0, len(data), length)]
                count += more
                continue
            for start, stop in spans(data, length):
                if stop - start < MESSAGE:
                    raise netlink.malformed("message too short")
                message = data[start:stop]
                rows, blocks = by_length.setdefault(len(message), ([], []))
                rows.append(count)
                blocks.append(message)
                heads.append(message[:MESSAGE])
                count += 1
        self.length, self.packed = count, b"".join(heads)
        self.groups = [
            group
            for length, (rows, blocks) in by_length.items()
            for group in messages_by_shape(length, rows, b"".join(blocks))
        ]
        self.known: dict[Any, Any] = {}

    def __len__(self) -> int:
        return self.length

    def merged(self, column: Callable[[Group], list[Any] | None]) -> list[Any]:
        """The column of all groups, in the order of the rows."""
        if len(self.groups) == 1:
            found = column(self.groups[0])
            return [None] * self.length if found is None else found
        values: list[Any] = [None] * self.length
        for group in self.groups:
            found = column(group)
            if found is not None:
                for row, value in zip(group.rows, found):
                    values[row] = value
        return values

    def states(self) -> bytes:
        return self.packed[17::MESSAGE]

    def cookies(self) -> list[int]:
        """The kernel's number for each socket, unique while the machine runs."""
        words = memoryview(self.packed).cast("I")
        low = words[60 // 4 :: MESSAGE // 4].tolist()
        return [a | b << 32 for a, b in zip(low, words[64 // 4 :: MESSAGE // 4].tolist())]

    def column(self, name: str) -> list[Any]:
        """A published field of every row."""
        if name not in self.known:
            self.known[name] = self.decoded(name)
        found: list[Any] = self.known[name]
        return found

    def decoded(self, name: str) -> list[Any]:
        if name in FIELDS:
            return self.plain(name, FIELDS[name])
        how = getattr(self, name, None)
        if how is not None:
            found: list[Any] = how()
            return found
        return self.merged(lambda group: integer_attribute(group, OTHERS[name][0]))

    def plain(self, name: str, field: Field) -> list[Any]:
        place = (field.attribute, field.offset, field.size, field.missing, field.signed)
        values = self.merged(lambda group: group.integers(*place))
        if name in ("unacked", "sacked"):  # of a listener: its queue and the queue's limit
            codes = self.states()
            if LISTEN in codes:
                values = [None if code == LISTEN else value for code, value in zip(codes, values)]
        return values

    def byte(self, offset: int, chosen: Callable[[int], Any]) -> list[Any]:
        """What a byte of tcp_info says; each distinct one is looked at once."""
        values = self.merged(lambda group: group.integers(INFO, offset, 1))
        texts = {value: None if value is None else chosen(value) for value in set(values)}
        if len(texts) == 1:
            return [*texts.values()] * self.length
        return list(map(texts.__getitem__, values))

    def ca_state(self) -> list[Any]:
        return self.byte(1, lambda code: CA_STATES[code] if code < len(CA_STATES) else str(code))

    def tcp_options(self) -> list[Any]:
        return self.byte(5, lambda bits: names_of_flags(bits, OPTIONS))

    def scales(self, low: bool) -> list[Any]:
        """Of two fields of four bits, the one that C puts first."""
        first = low is (sys.byteorder == "little")
        values = self.byte(6, lambda bits: bits & 15 if first else bits >> 4)
        agreed = self.byte(5, lambda bits: bool(bits & WSCALE))
        if all(agreed):
            return values
        return [value if yes else None for value, yes in zip(values, agreed)]

    def snd_wscale(self) -> list[Any]:
        return self.scales(True)

    def rcv_wscale(self) -> list[Any]:
        return self.scales(False)

    def app_limited(self) -> list[Any]:
        bit = 1 if sys.byteorder == "little" else 128
        found = self.byte(7, lambda bits: bool(bits & bit))
        known = self.column("delivery_rate")  # the bit came with it
        if None not in known:
            return found
        return [None if rate is None else value for value, rate in zip(found, known)]

    def fastopen_failed(self) -> list[Any]:
        little = sys.byteorder == "little"
        return self.byte(7, lambda bits: FASTOPEN[bits >> 1 & 3 if little else bits >> 5 & 3])

    def written(self, attribute: int, read: Callable[[bytes], Any]) -> list[Any]:
        """What an attribute says; each distinct one is read once."""
        values = self.merged(lambda group: group.payloads(attribute))
        found = {value: None if value is None else read(value) for value in set(values)}
        if len(found) == 1:
            return [*found.values()] * self.length
        return list(map(found.__getitem__, values))

    def congestion_algorithm(self) -> list[Any]:
        return self.written(CONG, terminated)

    def congestion(self) -> list[Any]:
        return self.merged(congestion_data)

    def ulp(self) -> list[Any]:
        return self.written(ULP_INFO, ulp_name)

    def ulp_info(self) -> list[Any]:
        return self.written(ULP_INFO, ulp_details)

    def shutdown(self) -> list[Any]:
        return self.written(SHUTDOWN, lambda payload: names_of_flags(payload[0], ("recv", "send")))

    def socket_options(self) -> list[Any]:
        return self.written(
            SOCKOPT,
            lambda payload: names_of_flags(int.from_bytes(payload[:2], "little"), SOCKET_OPTIONS),
        )

    def cgroup_id(self) -> list[Any]:
        return self.merged(lambda group: group.integers(CGROUP_ID, 0, 8))

    def objects(self, names: Sequence[str]) -> list[Any]:
        """A dictionary of these fields for every row; None for one without any of the
        attributes: a connection that is over, or a kernel that does not tell."""
        columns = [self.column(name) for name in names]
        telling = frozenset(
            FIELDS[name].attribute if name in FIELDS else OTHERS[name][0] for name in names
        ).intersection((INFO, SKMEMINFO))
        present = self.merged(
            lambda group: [True] * len(group.rows) if telling & group.places.keys() else None
        )
        rows = map(dict, map(zip, repeat(names), zip(*columns)))
        return [row if there else None for row, there in zip(rows, present)]


def spans(data: bytes, length: int) -> Iterator[tuple[int, int]]:
    """Where the messages of an answer start and end, the end with what aligns the next."""
    if length:
        yield from zip(range(0, len(data), length), range(length, len(data) + 1, length))
        return
    at = 0
    while at < len(data):
        size = netlink.HEADER.unpack_from(data, at)[0]
        end = at + (size + 3 & ~3)
        yield at, min(end, len(data))
        at = end


def messages_by_shape(length: int, rows: Sequence[int], data: bytes) -> Iterator[Group]:
    """Messages of one length, one after the other in `data`, by where their attributes stand.

    They nearly always agree: the places are found in the first message, and the headers of the
    others are compared with it, a stride for each. 8 ms for 50,000 sockets; walking through
    the attributes of each takes 200.
    """
    if length & 3:  # never of the kernel's own
        raise netlink.malformed("length not aligned")
    places = attribute_positions(data[:length])
    size = netlink.ATTRIBUTE.size
    if all(netlink.uniform(data, length, start - size, size) for start, _ in places.values()):
        yield Group(data, length, rows, places)
        return
    kinds: dict[Any, tuple[Any, list[int]]] = {}
    messages = [data[at : at + length] for at in range(0, len(data), length)]
    for number, message in enumerate(messages):
        own = attribute_positions(message)
        kinds.setdefault(tuple(own.items()), (own, []))[1].append(number)
    for own, numbers in kinds.values():
        block = b"".join(map(messages.__getitem__, numbers))
        yield Group(block, length, [rows[number] for number in numbers], own)


def attribute_positions(message: bytes) -> dict[int, tuple[int, int]]:
    """Where the payload of each attribute of a message starts, and its length."""
    found: dict[int, tuple[int, int]] = {}
    at = MESSAGE
    while at + netlink.ATTRIBUTE.size <= len(message):
        length, kind = netlink.ATTRIBUTE.unpack_from(message, at)
        if not netlink.ATTRIBUTE.size <= length <= len(message) - at:
            raise netlink.malformed("attribute out of bounds")
        found[kind & netlink.TYPE] = (at + netlink.ATTRIBUTE.size, length - netlink.ATTRIBUTE.size)
        at += length + 3 & ~3
    return found


def integer_attribute(group: Group, attribute: int) -> list[int | None] | None:
    """An attribute that is one number, of one byte or of four."""
    size = group.places.get(attribute, (0, 0))[1]
    return group.integers(attribute, 0, size) if size in (1, 2, 4, 8) else None


def names_of_flags(bits: int, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for place, name in enumerate(names) if bits >> place & 1)


def terminated(payload: bytes) -> str:
    """Text up to its NUL, one character per byte."""
    return payload.partition(b"\0")[0].decode("latin-1")


VEGAS, DCTCP, BBR = Struct("=IIII"), Struct("=HHIII"), Struct("=IIIII")


@lru_cache(4096)
def vegas(payload: bytes) -> dict[str, Any] | None:
    if len(payload) < VEGAS.size:
        return None
    enabled, count, rtt, least = VEGAS.unpack_from(payload)
    return {
        **{"algorithm": "vegas", "enabled": bool(enabled), "rtt_count": count},
        **{"rtt_us": rtt, "min_rtt_us": least if least != 0x7FFFFFFF else None},
    }


@lru_cache(4096)
def dctcp(payload: bytes) -> dict[str, Any] | None:
    if len(payload) < DCTCP.size:
        return None
    enabled, state, alpha, ecn, total = DCTCP.unpack_from(payload)
    return {
        **{"algorithm": "dctcp", "enabled": bool(enabled), "ce_state": state},
        **{"alpha": alpha / 1024, "acked_bytes_ecn": ecn, "acked_bytes": total},
    }


@lru_cache(4096)
def bbr(payload: bytes) -> dict[str, Any] | None:
    if len(payload) < BBR.size:
        return None
    low, high, rtt, pacing, window = BBR.unpack_from(payload)
    return {
        **{"algorithm": "bbr", "bandwidth": low | high << 32},
        **{"min_rtt_us": rtt if rtt != NO_32 else None},
        **{"pacing_gain": pacing / 256, "cwnd_gain": window / 256},
    }


def congestion_data(group: Group) -> list[Any] | None:
    """Of the three attributes a socket has at most one."""
    for attribute, read in ((VEGASINFO, vegas), (DCTCPINFO, dctcp), (BBRINFO, bbr)):
        payloads = group.payloads(attribute)
        if payloads:
            found = {payload: read(payload) for payload in set(payloads)}
            return list(map(found.__getitem__, payloads))
    return None


ULP_NAME, ULP_TLS, ULP_MPTCP = 1, 2, 3
TLS_VERSIONS = {0x0303: "1.2", 0x0304: "1.3"}
TLS_CIPHERS = {
    **{51: "aes-gcm-128", 52: "aes-gcm-256", 53: "aes-ccm-128", 54: "chacha20-poly1305"},
    **{55: "sm4-gcm", 56: "sm4-ccm", 57: "aria-gcm-128", 58: "aria-gcm-256"},
}
TLS_MODES = ("none", "base", "sw", "hw", "hw-record")
TLS_NAMES = {1: "version", 2: "cipher", 3: "txconf", 4: "rxconf"}
# struct mptcp's nest in ULP_INFO (linux/mptcp.h): name and number of bytes, by type
MPTCP_NAMES = {
    **{3: "relwrite_seq", 4: "map_seq", 5: "map_sfseq", 6: "ssn_offset", 7: "map_datalen"},
    **{8: "flags", 9: "id_rem", 10: "id_loc"},
}


def ulp_name(payload: bytes) -> str | None:
    name = netlink.attributes(payload, 0).get(ULP_NAME)
    return None if name is None else terminated(name)


def ulp_details(payload: bytes) -> dict[str, Any] | None:
    """The state of kernel TLS, or of an MPTCP subflow; its tokens are left out."""
    parts = netlink.attributes(payload, 0)
    if ULP_TLS in parts:
        tls = netlink.attributes(parts[ULP_TLS], 0)
        found: dict[str, Any] = {
            TLS_NAMES[kind]: int.from_bytes(value, sys.byteorder)
            for kind, value in tls.items()
            if kind in TLS_NAMES
        }
        for name, texts in (("version", TLS_VERSIONS), ("cipher", TLS_CIPHERS)):
            if name in found:
                found[name] = texts.get(found[name], str(found[name]))
        for name in ("txconf", "rxconf"):
            if name in found:
                code = found[name] & 255
                found[name] = TLS_MODES[code] if code < len(TLS_MODES) else str(code)
        return found
    if ULP_MPTCP in parts:
        mptcp = netlink.attributes(parts[ULP_MPTCP], 0)
        return {
            MPTCP_NAMES[kind]: int.from_bytes(value, sys.byteorder)
            for kind, value in mptcp.items()
            if kind in MPTCP_NAMES
        }
    return None
