"""Internet sockets: tcp, udp, udplite and raw; sctp has a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import compress

from ...cells import (
    blank,
    dash_for_unknown,
    named_ends,
    numbered_ends,
    owner_columns,
    signed,
    user_cells,
    which,
)
from ...kernel.decode import addresses_from_hex, decimals, numbers_from_hex, ports_from_hex
from ...kernel.proc import Proc, lines_of
from ...kernel.states import STATES
from ...listing import MORE_DETAILS, Column, Holder, Listing, Missing, Report, halves
from ...options import Options
from ...table import Table
from ...tuples import content_hash, plain_dict

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    from ...kernel.sockdetails import Details

    Fields = dict[str, Any]
else:
    from ...tuples import NamedTuple


class Timer(NamedTuple):
    """What the kernel waits for, in milliseconds, and how often it has tried."""

    name: str
    expires_ms: int
    retransmits: int
    probes: int


Addresses = tuple[str, ...]


class Waiting(NamedTuple):
    """The listener at which a connection waits to be accepted, and who is to accept it."""

    inode: int
    pid: int | None = None
    program: str | None = None


# The fields of sockets that hold records, or lists of them
NESTED: dict[str, Any] = {"timer": Timer, "listener": Waiting, "processes": Holder}


def nested_record(name: str, value: Any) -> Any:
    """What a field of this name has, from the plain dicts of a file or of another host."""
    if name not in NESTED or value is None:
        return value
    if isinstance(value, list):
        return [nested_record(name, one) for one in value]
    record = NESTED[name]
    return record(*map(value.get, record._fields))


class InetSocket(NamedTuple):
    """A socket of tcp, udp, udplite, raw, icmp (which ping uses) or sctp.

    Queues in bytes (a listener's recv_q: connections that wait to be accepted). `pid` and
    `program` are the holder that netstat prints, `processes` all holders. What was not asked
    for, and what the system does not tell, is None.

    `dev` is the interface that a socket is bound to, `dual_stack` whether an IPv6 socket takes
    IPv4 too. A listener has an `accept_queue` of connections, at most `backlog` + 1. A connection
    that no program has accepted yet waits at a `listener`. sctp has several addresses at an end.
    """

    proto: str
    family: str
    state: str | None = None
    local_address: str | None = None
    local_port: int | None = None
    local_host: str | None = None
    local_service: str | None = None
    remote_address: str | None = None
    remote_port: int | None = None
    remote_host: str | None = None
    remote_service: str | None = None
    recv_q: int | None = None
    send_q: int | None = None
    uid: int | None = None
    user: str | None = None
    inode: int | None = None
    timer: Timer | None = None
    dev: str | None = None
    dual_stack: bool | None = None
    accept_queue: int | None = None
    backlog: int | None = None
    listener: Waiting | None = None
    local_addresses: Addresses | None = None
    remote_addresses: Addresses | None = None
    pid: int | None = None
    program: str | None = None
    processes: list[Holder] | None = None
    netns: str | None = None
    unit: str | None = None
    container: str | None = None
    pod: str | None = None
    published_for: dict[str, Any] | None = None
    details: list[dict[str, Any]] | None = None
    tcp_info: dict[str, Any] | None = None
    memory: dict[str, int | None] | None = None
    rate_in: int | None = None
    rate_out: int | None = None

    @staticmethod
    def more() -> Mapping[str, str]:
        from ...kernel.internals import KINDS

        return {**MORE_DETAILS, **KINDS}

    def __str__(self) -> str:
        """`tcp 0.0.0.0%eth1:80 0.0.0.0:* LISTEN`: both ends, with the device as ss writes it."""
        local = written_end(self.local_address, self.dev, self.local_port)
        remote = written_end(self.remote_address, None, self.remote_port)
        return " ".join(filter(None, (self.proto, local, remote, self.state)))

    def __hash__(self) -> int:
        return content_hash(self)

    def to_dict(self) -> dict[str, Any]:
        return plain_dict(self)


def written_end(address: str | None, device: str | None, port: int | None) -> str:
    text = address or "*"
    if device and "%" not in text:
        text += f"%{device}"
    return f"[{text}]:{port or '*'}" if ":" in text else f"{text}:{port or '*'}"


# A row of /proc/net/tcp as tcp4_seq_show() prints it; udp, udplite and raw alike:
#   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
#    0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 123 1
ROW = (
    r"(?m)^ *\d+: ([0-9A-F]{8}(?:[0-9A-F]{24})?):([0-9A-F]{4}) ([0-9A-F]{8}(?:[0-9A-F]{24})?):"
    r"([0-9A-F]{4}) ([0-9A-F]{2}) "
    r"([0-9A-F]{8}):([0-9A-F]{8}) ([0-9A-F]{2}:[0-9A-F]{8} [0-9A-F]{8} +\d+ +\d+ \d+)"
    r"(?: [^\n\0]*)?\n"
)
# The same with all the freedom that netstat allows: blanks, lower case, and a tail that ends
# early (after the retransmissions for tcp, before them for the others).
LOOSE = (
    r"\s*\d+:\s*([0-9A-Fa-f]{1,8}|[0-9A-Fa-f]{32}):([0-9A-Fa-f]{1,16})"
    r"\s+([0-9A-Fa-f]{1,8}|[0-9A-Fa-f]{32}):([0-9A-Fa-f]{1,16})"
    r"\s+([0-9A-Fa-f]{1,8})\s+([0-9A-Fa-f]{1,16}):([0-9A-Fa-f]{1,16})\s+"
    r"([0-9A-Fa-f]{1,8}:[0-9A-Fa-f]{1,16}(?:\s+[0-9A-Fa-f]{1,16}(?:\s+-?\d+(?:\s+-?\d+(?:\s+\d+)?)?)?)?)"
)


class Protocol(NamedTuple):
    """What differs between the tables of this shape."""

    name: str  # the file under /proc/net
    label: str  # as the Proto column has it
    fields: int  # a row with fewer than these fields after the state is malformed
    states: Callable[[Sequence[str]], list[str | None]]
    by_port: bool = False  # what makes a listener: no remote port, or no remote address


def tcp_states(codes: Sequence[str]) -> list[str | None]:
    names = {code: state_name(int(code, 16)) for code in set(codes)}
    return list(map(names.__getitem__, codes))


def udp_states(codes: Sequence[str]) -> list[str | None]:
    known = {1: "ESTABLISHED", 7: None}
    names = {code: known.get(int(code, 16), "UNKNOWN") for code in set(codes)}
    return list(map(names.__getitem__, codes))


def raw_states(codes: Sequence[str]) -> list[str | None]:
    return list(map(str, numbers_from_hex(codes)))


def state_name(number: int) -> str:
    """What netstat calls a state of tcp or sctp; beyond its table it would print garbage."""
    return STATES[number] if number < len(STATES) else f"UNKNOWN({number})"


TABLES = {
    "tcp": Protocol("tcp", "tcp", 2, tcp_states, by_port=True),
    "udp": Protocol("udp", "udp", 1, udp_states),
    "udplite": Protocol("udplite", "udpl", 1, udp_states),
    "raw": Protocol("raw", "raw", 1, raw_states),
    "icmp": Protocol("icmp", "icmp", 1, udp_states),
}


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table | Missing]:
    yield Table(InetSocket, 0)  # the heading stands even where there is nothing to list
    skipped, tcp = frozenset[str](), None
    rest: dict[str, list[bytes]] = {}
    if options.foreign or options.internals:
        from . import attributes

        skipped = attributes.nothing_of(proc, options)
        tcp = attributes.Tcp(proc, options, outcome)
    for name in options.protocols:
        if name in skipped:
            continue
        if name == "sctp":
            from .sctp import collect as sctp

            yield from sctp(proc, options, outcome)
        else:
            missing = Missing(f"AF INET ({name})", proc.path(f"net/{name}"))
            read = partial(read_sockets, proc, options, outcome, TABLES[name], tcp, rest)
            yield from halves(options, missing, read)


def read_sockets(
    proc: Proc,
    options: Options,
    outcome: Report,
    protocol: Protocol,
    tcp: Any,
    rest: dict[str, list[bytes]],
    version: str,
) -> Iterator[Table]:
    """One table, by the way that is quickest for what was asked. `rest`: see tcp_sockets()."""
    if protocol.name == "tcp" and options.source in ("auto", "netlink"):
        from ...kernel.sockdiag import tcp_sockets

        tables = tcp.tables(version) if tcp else None
        if tables is None:
            tables = tcp_sockets(proc, options, outcome, version, rest)
        if tables is not None:
            rows = handshakes_once(from_netlink(protocol, version, tables))
            yield from with_details(options, protocol, version, rows)
            return
    rows = read_inet(proc, options, outcome, protocol, version)
    if options.internals:
        from .attributes import with_memory

        rows = with_memory(proc, options, protocol.name, version, rows)
    if not proc.own:
        yield from rows
        return
    yield from with_details(options, protocol, version, handshakes_once(unique_sockets(rows)))


def with_details(
    options: Options, protocol: Protocol, version: str, rows: Iterator[Table]
) -> Iterator[Table]:
    """The tables of our own namespace, with what netlink tells too."""
    asks = options.source in ("auto", "netlink") and protocol.name != "icmp"
    return detailed(protocol, version, rows, options.structured) if asks else rows


def detailed(
    protocol: Protocol, version: str, tables: Iterator[Table], zones: bool
) -> Iterator[Table]:
    """With what the kernel tells by netlink alone, asked for when it is first wanted.

    `zones`: a link-local address stands with its interface, as everywhere but in netstat.

    The new fields read the old ones and not the table: it would be a part of itself, and never
    freed while the collector of garbage is off, 170 MB at 1,000,000 sockets.
    """

    @cache
    def details() -> Details:
        from ...kernel.sockdetails import Details

        return Details(protocol.name, version)

    for table in tables:
        plain = dict(table.fields)
        found = inet_details(details, plain)
        table.fields |= found
        if protocol.by_port:
            table.fields |= listeners_of(details, plain)
        if zones and version:
            for name in ("local_address", "remote_address"):
                table.fields[name] = partial(zoned_addresses, found["dev"], plain, name)
        yield table


def inet_details(details: Callable[[], Details], plain: Fields) -> Fields:
    inodes = partial(bare, plain, "inode")
    return {
        "dev": cache(lambda: details().dev(inodes(), host_columns(plain))),
        "dual_stack": lambda: details().field("dual_stack", inodes()),
        "autobound": lambda: details().chosen(inodes(), host_columns(plain)),
    }


def listeners_of(details: Callable[[], Details], plain: Fields) -> Fields:
    inodes = partial(bare, plain, "inode")

    def listeners() -> Sequence[Any]:
        found = details().waits_at(inodes(), bare(plain, "state"), host_columns(plain))
        return [inode and Waiting(inode) for inode in found]

    return {
        "accept_queue": lambda: details().field("waiting", inodes()),
        "backlog": lambda: details().field("backlog", inodes()),
        "listener": listeners,
    }


def host_columns(plain: Fields) -> Iterator[Any]:
    return zip(*[bare(plain, name) for name in ENDS[:-1]])


def bare(plain: Fields, name: str) -> Sequence[Any]:
    """A field as /proc has it."""
    if callable(plain[name]):
        plain[name] = plain[name]()
    found: Sequence[Any] = plain[name]
    return found


def zoned_addresses(
    devices: Callable[[], Sequence[Any]], plain: Fields, name: str
) -> Sequence[Any]:
    """Addresses; of those that each interface has for itself, with the interface."""
    texts = bare(plain, name)
    if not any(text[:4] in LINK_LOCAL for text in set(texts)):
        return texts
    return [
        f"{text}%{device}" if device and text[:4] in LINK_LOCAL else text
        for text, device in zip(texts, devices())
    ]


LINK_LOCAL = {"fe80", "fe90", "fea0", "feb0"}


def from_netlink(
    protocol: Protocol, version: str, tables: Iterator[tuple[int, dict[str, Any]]]
) -> Iterator[Table]:
    for length, fields in tables:
        code = fields.pop("code")
        fields["state"] = list(map(STATES.__getitem__, code))
        timing = fields.pop("timing", None)
        if timing is not None:
            fields["timer"] = partial(written_timers, timer, protocol, timing)
            fields["timer_text"] = partial(written_timers, timer_text, protocol, timing)
        yield inet_table(protocol, version, length, **fields)


def inet_table(protocol: Protocol, version: str, length: int, **fields: Any) -> Table:
    return Table(
        InetSocket,
        length,
        proto=[protocol.label + version] * length,
        family=["inet" + version] * length,
        **fields,
    )


def read_inet(
    proc: Proc, options: Options, outcome: Report, protocol: Protocol, version: str
) -> Iterator[Table]:
    """/proc/net/tcp and the files of its shape, as tcp4_seq_show() prints them."""
    import re  # not at every start (see text.py)

    heading = True
    for block in proc.blocks(f"net/{protocol.name}{version}"):
        if heading:  # the first line is always the heading
            block, heading = block.partition("\n")[2], False
        rows = re.findall(ROW, block)
        if len(rows) != block.count("\n") or not block.endswith("\n"):
            rows = loose_inet_rows(outcome, protocol, block) if block else []
        if not rows:
            continue
        columns = list(zip(*rows))
        if not options.all:
            chosen = wanted_rows(options, protocol, columns)
            columns = [tuple(compress(column, chosen)) for column in columns]
        yield decode_inet_rows(protocol, version, *columns)


ENDS = ("local_address", "local_port", "remote_address", "remote_port", "state")


def unique_sockets(tables: Iterator[Table]) -> Iterator[Table]:
    """Each socket once. Between two reads the kernel finds its place again by counting, and where
    sockets come and go it gives some a second time. In time-wait they have no inode (it is 0),
    and are told by their ends."""
    seen: set[Any] = set()
    for table in tables:
        keys: Sequence[Any] = table["inode"]
        fresh = set(keys) - {0}
        if len(fresh) + keys.count(0) < len(keys) or not fresh.isdisjoint(seen):
            ends = zip(*map(table.__getitem__, ENDS))
            keys = [inode or pair for inode, pair in zip(keys, ends)]
            firsts = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1)))
            table = table.keep(
                firsts[key] == place and key not in seen for place, key in enumerate(keys)
            )
        seen.update(keys)
        yield table


HALF_OPEN = "SYN_RECV"


def handshakes_once(tables: Iterator[Table]) -> Iterator[Table]:
    """A connection whose handshake ends between two reads may be given in both states. Within
    a table the row with the inode stands; where the first was given already, that one."""
    given: set[Any] = set()
    for table in tables:
        states = table["state"]
        if given or HALF_OPEN in states:
            ends = list(zip(*map(table.__getitem__, ENDS[:-1])))
            half = {end for end, state in zip(ends, states) if state == HALF_OPEN}
            full = {end for end, state in zip(ends, states) if state != HALF_OPEN}
            if not half.isdisjoint(full) or not given.isdisjoint(ends):
                table = table.keep(
                    end not in given and (state != HALF_OPEN or end not in full)
                    for end, state in zip(ends, states)
                )
            given |= half - full
        yield table


def wanted_rows(
    options: Options, protocol: Protocol, columns: Sequence[Sequence[str]]
) -> list[bool]:
    """netstat's own choice: listeners (-l) are those without a remote end, and only tcp tells
    that by the port."""
    remote = columns[3 if protocol.by_port else 2]
    nothing = {text for text in set(remote) if not text.strip("0")}
    listening = list(map(nothing.__contains__, remote))
    return listening if options.listening else list(map(False.__eq__, listening))


def decode_inet_rows(protocol: Protocol, version: str, *columns: Sequence[str]) -> Table:
    here, port, there, peer, code, sending, received, tail = columns
    parts: list[Sequence[str]] = []

    def part(number: int) -> Sequence[str]:
        """A column of the tail, split when first wanted: 00:00000000 00000000 1000 0 123."""
        if not parts:
            parts.extend(zip(*map(str.split, tail)) if tail else [()] * 5)
        return parts[number]

    return inet_table(
        protocol,
        version,
        len(here),
        state=lambda: protocol.states(code),
        local_address=lambda: addresses_from_hex(here),
        local_port=lambda: ports_from_hex(port),
        remote_address=lambda: addresses_from_hex(there),
        remote_port=lambda: ports_from_hex(peer),
        recv_q=lambda: numbers_from_hex(received),
        send_q=lambda: numbers_from_hex(sending),
        uid=lambda: decimals(part(2)),
        inode=lambda: decimals(part(4)),
        timer=lambda: decode_timers(timer, protocol, part(0), part(1), part(3)),
        timer_text=lambda: decode_timers(timer_text, protocol, part(0), part(1), part(3)),
    )


def loose_inet_rows(outcome: Report, protocol: Protocol, block: str) -> list[tuple[str, ...]]:
    """Line by line, where a block holds something that no kernel prints."""
    import re

    rows = []
    name = "udp" if protocol.name == "udplite" else protocol.name
    for line in lines_of(block):
        match = re.match(LOOSE, line, re.ASCII)
        if match is None or len(match[8].split()) < protocol.fields:
            outcome.warn(f"warning, got bogus {name} line.")
            continue
        parts = match.groups()
        tail = parts[7].split()
        rows.append((*parts[:7], " ".join(tail + ["0"] * (5 - len(tail)))))
    return rows


TIMERS = ("off", "on", "keepalive", "timewait", "probe")


def decode_timers(
    written: Callable[..., Any],
    protocol: Protocol,
    whens: Sequence[str],
    tries: Sequence[str],
    probes: Sequence[str],
) -> list[Any]:
    """Each distinct timer once: 02:000AFC7C, 00000002 retransmissions, 5 probes."""
    triples = list(zip(whens, tries, probes))
    found = {}
    for triple in set(triples):
        code, _, when = triple[0].partition(":")
        # udp has a counter there that is none of retransmissions
        tried = 0 if protocol.label in ("udp", "udpl") else numbers_from_hex([triple[1]])[0]
        found[triple] = written(
            protocol, int(code, 16), int(when, 16), tried, *decimals([triple[2]])
        )
    return list(map(found.__getitem__, triples))


def written_timers(
    written: Callable[..., Any], protocol: Protocol, timing: Sequence[Any]
) -> list[Any]:
    """Each distinct timer once: (kind, time in 1/100 s, retransmissions, probes)."""
    found = {one: one and written(protocol, *one) for one in set(timing)}
    return list(map(found.__getitem__, timing))


def timer(protocol: Protocol, kind: int, when: int, retransmits: int, probes: int) -> Timer:
    """The kernel counts in USER_HZ (1/100 s)."""
    name = TIMERS[kind] if kind < len(TIMERS) else f"unkn-{kind}"
    return Timer(name, when * 10 if kind else 0, retransmits, probes)


def timer_text(protocol: Protocol, kind: int, when: int, retransmits: int, probes: int) -> str:
    """keepalive (7199.96/2/5): seconds, retransmissions, probes; tcp alone has all the names."""
    known = TIMERS if protocol.by_port else ("off", "on1", "on2")
    name = known[kind] if kind < len(known) else f"unkn-{kind}"
    seconds = when / 100 if kind else 0.0
    return f"{name} ({seconds:.2f}/{retransmits}/{signed(probes)})"[:63]


# The classic text


def heading(options: Options) -> str:
    return f"Active Internet connections {which(options)}"


def names(options: Options) -> Mapping[str, tuple[str, str]]:
    wanted = {}
    if not options.numeric_hosts:
        wanted["local_host"] = ("host", "local_address")
        wanted["remote_host"] = ("host", "remote_address")
    if not (
        options.numeric_hosts or options.numeric_ports or options.numeric_users or options.symbolic
    ):  # sctp turns numeric for any of these
        wanted["local_hosts"] = ("hosts", "local_addresses")
        wanted["remote_hosts"] = ("hosts", "remote_addresses")
    if not options.numeric_ports:
        wanted["local_service"] = ("service", "local_port")
        wanted["remote_service"] = ("service", "remote_port")
    shown = options.extend or options.structured or "user" in options.sort_keys
    if shown and not options.numeric_users:
        wanted["user"] = ("user", "uid")
    return wanted


def columns(options: Options) -> Iterator[Column]:
    numeric = options.numeric_hosts and options.numeric_ports
    in_numbers = numbered_ends(options)
    yield Column("Proto ", "%-5s ", "proto")
    yield Column("Recv-Q ", "%6s ", "recv_q", dash_for_unknown)
    yield Column("Send-Q ", "%6s ", "send_q", dash_for_unknown)
    for side, header in (("local", "Local Address"), ("remote", "Foreign Address")):
        fields = f"{side}_address {side}_port"
        if numeric:
            yield Column(f"{header:<23} ", "", fields, texts=in_numbers)
        else:
            fields += f" {side}_host {side}_service"
            yield Column(f"{header:<23} ", "%-23s ", fields, named_ends(options), untrusted=True)
    yield Column("State      ", "%-11s", "state", blank)
    yield from inet_tail_columns(options)


def inet_tail_columns(options: Options) -> Iterator[Column]:
    if options.extend:
        yield Column(" User       ", " %-10s", "uid user", user_cells, untrusted=True)
        yield Column("Inode     ", " %-10s", "inode", dash_for_unknown)
    yield from owner_columns(options)
    if options.rates:
        yield Column(" In-B/s    ", " %-10s", "rate_in", dash_for_unknown)
        yield Column(" Out-B/s   ", " %-10s", "rate_out", dash_for_unknown)
    if options.timers:
        yield Column(" Timer", " %s", "timer_text")


def inet_columns_below(options: Options) -> Iterator[Column]:
    if options.details:
        from .holders import holder_lines

        yield from holder_lines(options)
    if options.tcp_info or options.memory:
        from .attributes import attribute_lines

        yield from attribute_lines(options)


SOCKETS = Listing("sockets", InetSocket, collect, columns, heading, names, below=inet_columns_below)
