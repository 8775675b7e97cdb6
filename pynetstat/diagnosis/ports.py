"""Rules about local ports, and about connections that no program holds any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple

from ..kernel.decode import counters
from ..table import Table
from .host import Host
from .rule import (
    Blind,
    Finding,
    Limit,
    Limits,
    Owner,
    Rule,
    by_owner,
    count,
    end,
    found,
    others,
    owned,
    who,
)


def port_exhaustion(host: Host, limits: Limits) -> Iterator[Finding]:
    low, high = (host.setting("ipv4/ip_local_port_range") * 2)[:2]
    room = max(high - low + 1 - len(reserved(host, low, high)), 1)
    used = []
    for protocol in ("tcp", "udp"):
        tables = host.of(protocol)
        for destination, number in Counter(chain.from_iterable(map(routes, tables))).most_common():
            if number < limits["share"] * room:
                break
            rows = towards(tables, destination, low, high)
            taken = len({row[3] for row in rows})
            if taken >= limits["share"] * room:
                used.append((taken, protocol, destination, rows))
    if not used:
        return
    used.sort(key=lambda one: -one[0])
    taken, protocol, destination, rows = used[0]
    owner = next(iter(by_owner(rows)))
    closed = sum(row[2] == "TIME_WAIT" for row in rows)
    text = f"{taken:,} of the {room:,} ports for {place(protocol, *destination[1:])} are taken"
    text += f", {closed:,} of them by connections that are closed already" if closed else ""
    text += f", most by {who(owner)}" if owner[0] is not None else ""
    yield found(
        "critical" if taken >= limits["critical"] * room else "warning",
        text + others(used, "destination"),
        [taken_by(room, *one) for one in used],
    )


PORT_EXHAUSTION = Rule(
    "port-exhaustion",
    port_exhaustion,
    limits=(
        Limit("share", 0.8, "of the ports of net.ipv4.ip_local_port_range, to one destination"),
        Limit("critical", 0.95, "of them is critical"),
    ),
    means="The local ports run out. Each connection to one and the same destination needs a port "
    "of its own at this end, from a fixed range (net.ipv4.ip_local_port_range); when all are "
    'taken, programs cannot connect to it any more ("Cannot assign requested address").',
    causes="A program that opens a connection for each request instead of keeping a few open "
    "(closed ones keep their port for another minute, in the state TIME_WAIT), or that never "
    "closes.",
    advice="Let the program keep its connections (keep-alive, a pool). To gain time: a wider range "
    '(`sysctl net.ipv4.ip_local_port_range="1024 65535"`), `net.ipv4.tcp_tw_reuse` at 1, or '
    "further addresses for the destination.",
)


def reserved(host: Host, low: int, high: int) -> set[int]:
    """net.ipv4.ip_local_reserved_ports, `8080,9148-9150`, as far as it is within the range."""
    try:
        text = host.content("sys/net/ipv4/ip_local_reserved_ports")
    except Blind:
        return set()
    ports: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        for start in counters(first)[:1]:
            stop = (counters(last) or [start])[0] if dash else start
            ports.update(range(max(start, low), min(stop, high) + 1))
    return ports


def routes(table: Table) -> Iterator[tuple[Any, ...]]:
    """From which address to which destination: within each of these a port is taken once."""
    return zip(table["local_address"], table["remote_address"], table["remote_port"])


def towards(
    tables: Sequence[Table], destination: Sequence[Any], low: int, high: int
) -> list[tuple[Any, ...]]:
    """pid, program, state and port of the sockets with this destination and a client's port."""
    found = []
    for table in tables:
        names = ("pid", "program", "state", "local_port")
        for route, row in zip(routes(table), zip(*map(table.__getitem__, names))):
            if route == destination and low <= row[3] <= high:
                found.append(row)
    return found


def place(protocol: str, address: str, port: int) -> str:
    return f"{protocol} to {end(address, port)}" if port else f"{protocol} sockets that wait"


def taken_by(
    room: int, taken: int, protocol: str, destination: Sequence[Any], rows: Sequence[Any]
) -> dict[str, Any]:
    owner, held = next(iter(by_owner(rows).items()))
    return owned(
        owner,
        destination=place(protocol, *destination[1:]),
        ports_used=taken,
        ports_total=room,
        ports_of_program=len(held) if owner[0] is not None else None,
        time_wait=sum(row[2] == "TIME_WAIT" for row in rows),
    )


def time_wait_flood(host: Host, limits: Limits) -> Iterator[Finding]:
    number = host.states["TIME_WAIT"]
    if number < limits["floor"]:
        return
    most = focus(host, host.rows("local_port remote_address remote_port", {"TIME_WAIT"}))
    low, high = (host.setting("ipv4/ip_local_port_range") * 2)[:2]
    limit = host.setting("ipv4/tcp_max_tw_buckets")[0]
    running_out = most.destination and most.number >= limits["ports"] * (high - low + 1)
    share = number / sum(host.states.values())
    if not (
        (running_out and most.number >= limits["floor"])
        or number >= limits["buckets"] * limit
        or (number >= limits["sockets"] and share >= limits["share"])
    ):
        return
    yield found(
        "warning",
        f"{count(number, 'connection')} were closed within the last minute, {most.number:,} of them"
        f" {most.words}",
        [most.row | {"total": number, "limit": limit}],
    )


TIME_WAIT_FLOOD = Rule(
    "time-wait-flood",
    time_wait_flood,
    limits=(
        Limit("sockets", 10000, "sockets in TIME_WAIT"),
        Limit("share", 0.75, "of all tcp sockets"),
        Limit("ports", 0.5, "of the ports of net.ipv4.ip_local_port_range, to one destination"),
        Limit("floor", 1000, "sockets in TIME_WAIT, below which nothing is told"),
        Limit("buckets", 0.8, "of net.ipv4.tcp_max_tw_buckets"),
    ),
    means="Very many connections have been closed during the last minute. The end that closes "
    "first keeps a note of each for 60 seconds (TIME_WAIT), so that stray packets are not "
    "taken for a new connection's. A note costs little, but as long as it stands, its port "
    "is taken.",
    causes="A program that opens a new connection for each request and closes it again.",
    advice="Let the program keep its connections (HTTP keep-alive, a pool). Harmless on a server "
    "whose clients are many; where one program talks to one destination, its ports are "
    "running out.",
)


class Focus(NamedTuple):
    """Where most of the connections that belong to no program are, and the likely program: at
    a port of this machine that others connect to, or at a destination that it connects to."""

    number: int
    owner: Owner
    port: int | None = None
    destination: str | None = None

    @property
    def words(self) -> str:
        known = self.owner[0] is not None
        if self.destination:
            return f"to {self.destination}" + (f", by {who(self.owner)}" if known else "")
        return f"at port {self.port}" + (f" of {who(self.owner)}" if known else "")

    @property
    def row(self) -> dict[str, Any]:
        place = {"port": self.port, "destination": self.destination}
        return owned(self.owner, **place, connections=self.number)


def focus(host: Host, rows: Sequence[tuple[Any, ...]]) -> Focus:
    """Of local port, remote address and remote port, of at least one socket."""
    port, serving = Counter(row[0] for row in rows).most_common(1)[0]
    place, number = Counter(row[1:3] for row in rows).most_common(1)[0]
    if serving > number:
        return Focus(serving, host.listeners.get(port, (None, None)), port=port)
    return Focus(number, talker(host, *place), destination=end(*place))


def talker(host: Host, address: str, port: int) -> Owner:
    """The program that has most of the living connections to a destination: who closed so many
    has mostly some left. Otherwise the program here that is the destination itself."""
    rows = host.rows("pid program remote_address remote_port", having="pid")
    found = Counter(row[:2] for row in rows if row[2:] == (address, port))
    if found:
        return found.most_common(1)[0][0]
    own = {row[0] for row in host.rows("local_address")}
    return host.listeners.get(port, (None, None)) if address in own else (None, None)


def orphans(host: Host, limits: Limits) -> Iterator[Finding]:
    ends = "local_port remote_address remote_port inode timer"
    states = {"FIN_WAIT1", "FIN_WAIT2", "CLOSING", "LAST_ACK"}
    rows = [row for row in host.rows(ends, states) if not row[3] and row[4].name != "timewait"]
    total, limit = len(rows), 0
    with suppress(Blind):  # a limit of the whole host, which a network namespace does not see
        limit = host.setting("ipv4/tcp_max_orphans")[0]
        total = max(total, host.after.value("TCP", "orphan"))
    near = limit > 0 and total >= limits["limit_share"] * limit
    if not near and (
        len(rows) < limits["orphans"] or len(rows) < limits["share"] * sum(host.states.values())
    ):
        return
    text = f"{count(total, 'connection')} were left by their program and are not done"
    text += f", of {limit:,} that the system allows" if limit else ""
    evidence = [{"connections": total, "limit": limit or None}]
    if rows:
        most = focus(host, rows)
        text += f"; {most.number:,} of them {most.words}"
        evidence = [most.row | {"total": total, "limit": limit or None}]
    critical = limit > 0 and total >= limits["critical"] * limit
    yield found("critical" if critical else "warning", text, evidence)


ORPHANS = Rule(
    "orphans",
    orphans,
    limits=(
        Limit("orphans", 1000, "connections without a program"),
        Limit("share", 0.2, "of all tcp sockets"),
        Limit("limit_share", 0.5, "of net.ipv4.tcp_max_orphans"),
        Limit("critical", 0.9, "of net.ipv4.tcp_max_orphans is critical"),
    ),
    means="Many connections have been left by their program and are not done: the system still "
    "tries to deliver the last data, or waits for the other end to say goodbye (orphans). "
    "Each takes up to 64 kB of memory; beyond a limit the system cuts them off.",
    causes="A program that ends, or gives up, while its clients no longer answer; clients that "
    "vanish (phones, an attack); a firewall that drops the last packets.",
    advice="See with whom they are: are these machines there? `net.ipv4.tcp_orphan_retries` (how "
    "often to try) and `net.ipv4.tcp_fin_timeout` make the system give up earlier.",
)
