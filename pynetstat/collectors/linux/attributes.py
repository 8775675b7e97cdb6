"""Internet sockets with what sock_diag tells of them besides: --tcp-info, --memory, --rates.

Also the quick way through another namespace: both IP versions in one walk through the kernel's
table of connections, which holds those of all namespaces, and no walk where nothing can be found.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, islice, repeat
from typing import Any

from ...kernel import internals, netlink, sockdiag
from ...kernel.internals import KINDS, MEMORY_NAMES, TCP_NAMES, Batch
from ...kernel.namespaces import in_use
from ...kernel.proc import Proc
from ...listing import Column, Report
from ...options import Options
from ...table import Table
from ...text import safe
from .inet import TIMERS, Timer

FAMILIES = {"": socket.AF_INET, "6": socket.AF_INET6}
PROTOCOLS = {"udp": socket.IPPROTO_UDP, "udplite": 136, "raw": 255}
HELD = 16  # batches held back until the kernel has said that the dump is complete: 20 MB
HALF_OPEN = 3


def nothing_of(proc: Proc, options: Options) -> frozenset[str]:
    """The protocols that have no socket in another namespace: its counters tell it, in 0.05 ms.
    An empty table of tcp costs 2 to 60 ms, a walk through the connections of all namespaces."""
    if not options.foreign:
        return frozenset()
    try:
        used = in_use(proc)
        empty = {name for name in PROTOCOLS if not any_of(used.kinds, name.upper())}
        sockets = used.tcp + used.tcp6
        if not used.over and (not sockets or only_listeners(proc, options, sockets)):
            empty.add("tcp")
    except (OSError, ValueError, IndexError):
        return frozenset()
    return frozenset(empty)


def any_of(kinds: dict[str, int], name: str) -> bool:
    return bool(kinds.get(name, 1) or kinds.get(f"{name}6", 0))


def only_listeners(proc: Proc, options: Options, sockets: int) -> bool:
    """True if there are only listeners, which were not asked for. Half-open connections are not
    counted among the sockets: there can be none where no segment ever came."""
    if options.all or options.listening or options.source not in ("auto", "netlink"):
        return False
    if not proc.own or segments_received(proc):
        return False
    with netlink.connect(netlink.SOCK_DIAG) as link:
        found = internals.batches(link, socket.IPPROTO_TCP, 0, 0, 1 << sockdiag.LISTEN, 3000)
        return sum(map(len, found)) == sockets


def segments_received(proc: Proc) -> int:
    """Tcp: RtoAlgorithm RtoMin ... InSegs ..., and a line with the values."""
    lines = [line.split() for line in proc.read("net/snmp").splitlines() if line[:4] == "Tcp:"]
    return int(dict(zip(*lines))["InSegs"])


class Tcp:
    """The tcp sockets of one namespace, from the kernel's dump."""

    def __init__(self, proc: Proc, options: Options, outcome: Report) -> None:
        self.proc, self.options, self.outcome = proc, options, outcome
        self.together: dict[str, list[Batch]] | None = None
        self.told = False
        self.began = 0.0  # when the dump was asked for

    def tables(self, version: str) -> Iterator[tuple[int, dict[str, Any]]] | None:
        """Those of one IP version as (length, fields); None where others have to give them."""
        options = self.options
        usable = options.source in ("auto", "netlink") and self.proc.own
        if not usable or not (options.internals or options.dump or options.source == "netlink"):
            if options.internals:
                self.untold()
            return None
        try:
            batches = self.batches(version)
        except OSError as error:
            if options.internals:
                self.untold(error)
            return None
        return map(self.fields, batches)

    def untold(self, error: OSError | None = None) -> None:
        why = str(error.strerror) if error else "only the kernel's own dump has it (sock_diag)"
        self.outcome.unseen("tcp_info", why, None)
        if self.told:
            return
        self.told = True
        self.outcome.warn(f"(TCP's numbers and the memory of sockets are not known: {why}.)")

    def batches(self, version: str) -> Iterator[Batch]:
        options = self.options
        attributes = internals.wanted_attributes(options.internals)
        states = sockdiag.states_asked(options)
        if self.together is None:
            self.began = time.monotonic()
        both = options.foreign and len(options.versions) == 2
        if both and self.together is None:
            with netlink.connect(netlink.SOCK_DIAG) as link:
                self.together = divided(link, attributes, states)
        if self.together is not None:
            return iter(self.together.pop(version, []))
        found = self.dump(FAMILIES[version], attributes, states)
        held = list(islice(found, HELD))
        return chain(held, self.to_the_end(found))

    def dump(self, family: int, attributes: int, states: int) -> Iterator[Batch]:
        with netlink.connect(netlink.SOCK_DIAG) as link:
            yield from internals.batches(
                link, socket.IPPROTO_TCP, family, attributes, states, sockdiag.ROWS
            )

    def to_the_end(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        try:
            yield from batches
        except OSError as error:
            self.outcome.error("tcp sockets from netlink, the rest of them", error)

    def fields(self, batch: Batch) -> tuple[int, dict[str, Any]]:
        """All fields; those from attributes are decoded when they are first read."""
        length, fields = sockdiag.decode_messages(batch.packed)
        if not self.options.internals:
            return length, fields
        fields |= {
            "uid": partial(uids, batch),
            "timer": partial(dump_timers, batch, written_timer),
            "timer_text": partial(dump_timers, batch, printed_timer),
            "cookie": batch.cookies,
            "clock": [self.began] * length,
        }
        fields |= {name: partial(batch.column, name) for name in KINDS}
        asked = {*self.options.internals}
        if asked.issuperset(TCP_NAMES):
            fields["tcp_info"] = partial(batch.objects, TCP_NAMES)
        if asked.issuperset(MEMORY_NAMES):
            fields["memory"] = partial(batch.objects, MEMORY_NAMES)
        return length, fields


def divided(link: netlink.Link, attributes: int, states: int) -> dict[str, list[Batch]]:
    """One walk for both IP versions: the kernel gives them mixed, each in its own order."""
    parts: dict[str, list[bytes]] = {"": [], "6": []}
    kind, body = internals.request(socket.IPPROTO_TCP, 0, attributes, states)
    v6 = socket.AF_INET6
    for data, length in netlink.dump(link, kind, body, kind):
        families = data[netlink.HEADER.size :: length] if length else b"\0"
        if length and families.count(families[0]) == len(families):
            parts["6" if families[0] == v6 else ""].append(data)
            continue
        for start, stop in internals.spans(data, length):
            message = data[start:stop]
            parts["6" if message[netlink.HEADER.size] == v6 else ""].append(message)
    return {
        version: [Batch([netlink.Answer(b"".join(messages), 0)])] if messages else []
        for version, messages in parts.items()
    }


def uids(batch: Batch) -> list[int | None]:
    """The kernel says 0 of a half-open connection, which has no user yet."""
    words: list[Any] = (
        memoryview(batch.packed).cast("I")[80 // 4 :: internals.MESSAGE // 4].tolist()
    )
    states = batch.states()
    if HALF_OPEN not in states:
        return words
    return [None if state == HALF_OPEN else uid for state, uid in zip(states, words)]


def dump_timers(batch: Batch, written: Callable[..., Any]) -> list[Any]:
    """idiag_timer, idiag_retrans and idiag_expires (milliseconds). tcp_info has both counters;
    idiag_retrans is the one or the other."""
    packed, length = batch.packed, internals.MESSAGE
    kinds, counts = packed[18::length], packed[19::length]
    whens = memoryview(packed).cast("I")[68 // 4 :: length // 4].tolist()
    tries, probes = batch.column("retransmits"), batch.column("probes")
    return [
        written(
            TIMERS[kind] if kind < len(TIMERS) else f"unkn-{kind}",
            when if kind else 0,
            (count if kind == 1 else 0) if tried is None else tried,
            (count if kind in (2, 4) else 0) if probed is None else probed,
        )
        for kind, when, count, tried, probed in zip(kinds, whens, counts, tries, probes)
    ]


written_timer = Timer


def printed_timer(name: str, when: int, retransmits: int, probes: int) -> str:
    return f"{name} ({when / 1000:.2f}/{retransmits}/{probes})"


def with_memory(
    proc: Proc, options: Options, protocol: str, version: str, tables: Iterator[Table]
) -> Iterator[Table]:
    """udp, udplite and raw: rows of /proc with their memory, found by inode when it is read."""
    found: dict[int, Any] = {}
    asked = [name for name in MEMORY_NAMES if name in options.internals]

    def by_inode() -> dict[int, Any]:
        if not found and proc.own and protocol in PROTOCOLS:
            found[0] = None
            with suppress(OSError):  # no handler for this protocol
                found.update(memory_of(PROTOCOLS[protocol], FAMILIES[version]))
        return found

    def column(table: Table, name: str) -> list[Any]:
        rows = map(by_inode().get, table["inode"])
        return [row and (row if name == "memory" else row[name]) for row in rows]

    if options.foreign:
        by_inode()  # while we are there
    for table in tables:
        for name in [*asked, *["memory"][: options.memory]]:
            table.fields[name] = partial(column, table, name)
        yield table


def memory_of(protocol: int, family: int) -> Iterator[tuple[int, Any]]:
    attributes = internals.wanted_attributes(MEMORY_NAMES)
    with netlink.connect(netlink.SOCK_DIAG) as link:
        for batch in internals.batches(link, protocol, family, attributes, 0xFFFFFFFF, 3000):
            inodes = memoryview(batch.packed).cast("I")[84 // 4 :: internals.MESSAGE // 4].tolist()
            yield from zip(inodes, batch.objects(MEMORY_NAMES))


# The classic text: the line that `ss -tim` has


def attribute_lines(options: Options) -> Iterator[Column]:
    """One line below each socket, of what is not zero and not unknown."""
    shown = [*MEMORY_LINE] if options.memory else []
    shown += [*TCP_LINE] if options.tcp_info else []
    fields = " ".join(name for name, *_ in shown)
    yield Column("", "", fields, texts=partial(attribute_words, shown))


def attribute_words(
    shown: Sequence[tuple[Any, ...]], *columns: Sequence[Any]
) -> list[str | Iterable[str]]:
    """The line below each row, word by word; none below a row of which nothing is known. What
    all rows of a column say is written once, together with the next column; of the others each
    distinct value, unless nearly every row differs."""
    length = len(columns[0])
    parts: list[Iterable[str]] = []
    same = ""
    everywhere = False  # whether each row has a word
    for (_, written, silent), field in zip(shown, columns):
        if written in OF_OBJECTS:
            field, written = words_of_objects(written, field), str
        if field.count(field[0]) == length:
            if field[0] not in silent:
                same += written(field[0])
                everywhere = True
            continue
        distinct = set(field)
        said = silent.isdisjoint(distinct)
        if said and 2 * len(distinct) > length:
            parts += [repeat(same, length), map(written, field)]
        else:
            texts = {
                value: same if value in silent else same + written(value) for value in distinct
            }
            parts.append(map(texts.__getitem__, field))
        everywhere = everywhere or said
        same = ""
    if everywhere:
        return [LINE_BELOW, *parts, same]
    if not parts:
        return []
    return [[LINE_BELOW + words if words else "" for words in map("".join, zip(*parts))]]


def words_of_objects(written: Callable[[Any], str], field: Sequence[Any]) -> list[str | None]:
    """The words for dictionaries, which no set takes: those that say the same are one object."""
    keys = list(map(id, field))
    texts = {key: value and written(value) for key, value in dict(zip(keys, field)).items()}
    return list(map(texts.__getitem__, keys))


LINE_BELOW = "\n\t"  # each word has a blank before it


def plain_words(word: str, *also: Any) -> tuple[Callable[[Any], str], frozenset[Any]]:
    return f" {word}:%s".__mod__, frozenset((None, *(also or (0,))))


def thousandth(word: str, *also: Any) -> tuple[Callable[[Any], str], frozenset[Any]]:
    """Microseconds, printed as milliseconds."""
    return lambda value: f" {word}:{value / 1000:g}", frozenset((None, *(also or (0,))))


def rate(word: str) -> tuple[Callable[[Any], str], frozenset[Any]]:
    return lambda value: f" {word}:{value}B/s", frozenset((None, 0))


def congestion_words(found: dict[str, Any]) -> str:
    pairs = (
        f"{name}:{value:.5g}" if isinstance(value, float) else f"{name}:{value}"
        for name, value in found.items()
        if name != "algorithm" and value is not None
    )
    return f" {found['algorithm']}:({','.join(pairs)})"


def ulp_words(found: dict[str, Any]) -> str:
    return " ulp:(" + ",".join(f"{name}:{value}" for name, value in found.items()) + ")"


OF_OBJECTS = (congestion_words, ulp_words)
ANY = frozenset({None, ()})
TCP_LINE: Sequence[tuple[Any, ...]] = (
    ("tcp_options", lambda names: " " + " ".join(names), ANY),
    ("congestion_algorithm", lambda name: f" {safe(name)}", ANY),
    ("snd_wscale", *plain_words("snd_wscale", None)),
    ("rcv_wscale", *plain_words("rcv_wscale", None)),
    ("rto_us", *thousandth("rto")),
    ("backoff", *plain_words("backoff")),
    ("rtt_us", *thousandth("rtt")),
    ("rttvar_us", *thousandth("rttvar")),
    ("ato_us", *thousandth("ato")),
    ("snd_mss", *plain_words("mss")),
    ("pmtu", *plain_words("pmtu")),
    ("rcv_mss", *plain_words("rcvmss")),
    ("advmss", *plain_words("advmss")),
    ("cwnd", *plain_words("cwnd")),
    ("ssthresh", *plain_words("ssthresh")),
    ("bytes_sent", *plain_words("bytes_sent")),
    ("bytes_retrans", *plain_words("bytes_retrans")),
    ("bytes_acked", *plain_words("bytes_acked")),
    ("bytes_received", *plain_words("bytes_received")),
    ("segs_out", *plain_words("segs_out")),
    ("segs_in", *plain_words("segs_in")),
    ("data_segs_out", *plain_words("data_segs_out")),
    ("data_segs_in", *plain_words("data_segs_in")),
    ("congestion", congestion_words, ANY),
    ("last_data_sent_ms", *plain_words("lastsnd")),
    ("last_data_recv_ms", *plain_words("lastrcv")),
    ("last_ack_recv_ms", *plain_words("lastack")),
    ("pacing_rate", *rate("pacing_rate")),
    ("delivery_rate", *rate("delivery_rate")),
    ("delivered", *plain_words("delivered")),
    ("delivered_ce", *plain_words("delivered_ce")),
    ("app_limited", lambda yes: " app_limited", frozenset((None, False))),
    ("busy_time_us", *thousandth("busy")),
    ("rwnd_limited_us", *thousandth("rwnd_limited")),
    ("sndbuf_limited_us", *thousandth("sndbuf_limited")),
    ("unacked", *plain_words("unacked")),
    ("retrans", *plain_words("retrans")),
    ("total_retrans", *plain_words("total_retrans")),
    ("lost", *plain_words("lost")),
    ("sacked", *plain_words("sacked")),
    ("dsack_dups", *plain_words("dsack_dups")),
    ("reordering", *plain_words("reordering", 3)),
    ("reord_seen", *plain_words("reord_seen")),
    ("rcv_ooopack", *plain_words("rcv_ooopack")),
    ("rcv_rtt_us", *thousandth("rcv_rtt")),
    ("rcv_space", *plain_words("rcv_space")),
    ("rcv_ssthresh", *plain_words("rcv_ssthresh")),
    ("notsent_bytes", *plain_words("notsent")),
    ("min_rtt_us", *thousandth("minrtt")),
    ("snd_wnd", *plain_words("snd_wnd")),
    ("rcv_wnd", *plain_words("rcv_wnd")),
    ("rehash", *plain_words("rehash")),
    ("total_rto", *plain_words("total_rto")),
    ("total_rto_time_ms", *plain_words("total_rto_time")),
    ("received_ce", *plain_words("received_ce")),
    ("ulp", lambda name: f" tcp-ulp-{safe(name)}", ANY),
    ("ulp_info", ulp_words, ANY),
)
MEMORY_LINE: Sequence[tuple[Any, ...]] = tuple(
    (name, f" {name}:%s".__mod__, frozenset({None, 0})) for name in MEMORY_NAMES
)
