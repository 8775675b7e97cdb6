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
    Value,
    by_owner,
    endpoint_of,
    finding_of,
    others,
    peers,
    plural,
    value,
)


def local_ports(host: Host) -> tuple[int, int, int]:
    """The ports that the system gives to clients: the first, the last, and how many these are."""
    low, high = (host.setting("ipv4/ip_local_port_range") * 2)[:2]
    return low, high, max(high - low + 1 - len(reserved(host, low, high)), 1)


def port_exhaustion(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    low, high, total = local_ports(host)
    listeners = {row[0] for row in host.rows("local_port", {"LISTEN"}) if low <= row[0] <= high}
    used, most = [], 0
    for protocol in ("tcp", "udp"):
        # A port where something listens is given to no client, wherever it wants to go.
        bound = listeners if protocol == "tcp" else set()
        tables = host.of(protocol)
        ends = Counter(chain.from_iterable(map(destinations, tables)))
        for destination, number in ends.most_common():
            if number + len(bound) < limits["share"] * total:
                break
            rows = towards(tables, destination, low, high)
            if not rows and destination[2]:
                continue
            taken = len({row[3] for row in rows} | bound)
            most = max(most, taken)
            if taken >= limits["share"] * total:
                used.append((taken, protocol, destination, rows))
        most = max(most, *ends.values(), 0) if ends else most
    yield value("ports", most, limits["share"] * total, limits["critical"] * total)
    if not used:
        return
    used.sort(key=lambda one: -one[0])
    taken, protocol, destination, rows = used[0]
    owner = next(iter(by_owner(rows)), (None, None))
    if destination[2]:
        text = f"{taken:,} of the {total:,} local ports for {protocol}"
        text += f" to {endpoint_of(*destination[1:])} are taken"
    else:
        text = f"{taken:,} of the {total:,} local ports that clients are given are taken by"
        text += " listeners" if protocol == "tcp" else " udp sockets"
    closed = sum(row[2] == "TIME_WAIT" for row in rows)
    text += f", {closed:,} of them by connections that are closed already" if closed else ""
    text += f", most by {host.who(owner)}" if owner[0] is not None else ""
    steps = ["sysctl net.ipv4.ip_local_port_range net.ipv4.tcp_tw_reuse"]
    if destination[2]:
        steps.insert(0, f"pynetstat -tanp --filter 'dst {endpoint_of(*destination[1:])}'")
    yield finding_of(
        "critical" if taken >= limits["critical"] * total else "warning",
        text + others(used, "destination", "alike"),
        [taken_by(host, total, *one) for one in used],
        steps,
    )


def reserved(host: Host, low: int, high: int) -> set[int]:
    """net.ipv4.ip_local_reserved_ports, `8080,9148-9150`, those within the range."""
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


def destinations(table: Table) -> Iterator[tuple[Any, ...]]:
    """From which address to which destination: within each of these a port is taken once."""
    return zip(table["local_address"], table["remote_address"], table["remote_port"])


def towards(
    tables: Sequence[Table], destination: Sequence[Any], low: int, high: int
) -> list[tuple[Any, ...]]:
    """pid, program, state and port of the sockets with this destination and a client's port."""
    found = []
    for table in tables:
        names = ("pid", "program", "state", "local_port")
        for place, row in zip(destinations(table), zip(*map(table.__getitem__, names))):
            if place == destination and low <= row[3] <= high:
                found.append(row)
    return found


def taken_by(
    host: Host, total: int, taken: int, protocol: str, destination: Sequence[Any], rows: Any
) -> dict[str, Any]:
    owner, held = next(iter(by_owner(rows).items()), ((None, None), []))
    return host.owned(
        owner,
        proto=protocol,
        peer=endpoint_of(*destination[1:]) if destination[2] else None,
        ports_used=taken,
        ports_total=total,
        ports_of_program=len(held) if owner[0] is not None else None,
        time_wait=sum(row[2] == "TIME_WAIT" for row in rows),
    )


PORT_EXHAUSTION = Rule(
    "port-exhaustion",
    port_exhaustion,
    limits=(
        Limit(
            "share",
            0.8,
            "from {:.0%} of the ports of net.ipv4.ip_local_port_range to one destination",
        ),
        Limit("critical", 0.95, "critical from {:.0%}"),
    ),
    means=(
        "The local ports run out. Each connection to one and the same destination needs a local"
        " port of its own, from a fixed range (net.ipv4.ip_local_port_range); when all are taken,"
        ' programs cannot connect to it any more ("Cannot assign requested address").'
    ),
    causes=(
        "A program that opens a connection for each request instead of keeping a few open (closed"
        " ones keep their port for another minute, in the state TIME_WAIT), or that never closes."
        " Programs that listen at ports of this range."
    ),
    advice=(
        "Let the program reuse its connections (keep-alive, a pool). To gain time: a wider range"
        ' (`sysctl net.ipv4.ip_local_port_range="1024 65535"`), `net.ipv4.tcp_tw_reuse` at 1, or'
        " further addresses for the destination."
    ),
)


def ports_gone(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    low, high, total = local_ports(host)
    rows = host.rows("pid program local_address local_port remote_address remote_port")
    everywhere = {row[3] for row in rows if row[2] in ("0.0.0.0", "::")}
    addresses: dict[str, set[int]] = {}
    for row in rows:
        addresses.setdefault(row[2], set(everywhere)).add(row[3])
    taken = {
        address: len([port for port in ports if low <= port <= high])
        for address, ports in addresses.items()
    }
    address = max(taken, key=lambda one: taken[one], default="")
    most = taken.get(address, 0)
    yield value("ports", most, limits["share"] * total)
    if most < limits["share"] * total:
        return
    holders = [row for row in rows if low <= row[3] <= high]
    same = Counter(row[4:] for row in holders).most_common(1)[0][1]
    if same >= limits["share"] * most:  # port-exhaustion tells it
        return
    owner = next(iter(by_owner(holders)))
    text = f"{most:,} of the {total:,} local ports of {address} are in use: a program that binds a"
    text += " port before it connects gets none"
    text += f"; most are of {host.who(owner)}" if owner[0] is not None else ""
    yield finding_of(
        "warning",
        text,
        [
            host.owned(
                owner,
                ports=len({row[3] for row in held}),
                local=address,
                ports_total=total,
                peer=peers((row[4], row[5]) for row in held),
            )
            for owner, held in list(by_owner(holders).items())[:5]
        ],
        ["sysctl net.ipv4.ip_local_port_range", "pynetstat -tan --count-by program,state"],
    )


PORTS_GONE = Rule(
    "ports-gone",
    ports_gone,
    limits=(Limit("share", 0.95, "from {:.0%} of the ports of net.ipv4.ip_local_port_range"),),
    means=(
        "Nearly every local port of an address is in use, by connections to several destinations,"
        " by closed ones that wait (TIME_WAIT), or by listeners. connect() alone can still share a"
        ' port between destinations; a program that calls bind() first gets "Address already in'
        ' use".'
    ),
    causes=(
        "Very many connections at once. Programs that bind an address before they connect without"
        " the option IP_BIND_ADDRESS_NO_PORT."
    ),
    advice=(
        'A wider range (`sysctl net.ipv4.ip_local_port_range="1024 65535"`), more addresses, or'
        " connections that are used again."
    ),
)


def time_wait_flood(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    number = host.states["TIME_WAIT"]
    overflow = host.grew("TcpExt", "TCPTimeWaitOverflow")
    yield value("sockets", number, limits["sockets"])
    if number < limits["floor"] and not overflow:
        return
    rows = host.rows("local_port remote_address remote_port", {"TIME_WAIT"})
    most = focus(host, rows) if rows else Focus(0, (None, None))
    total = local_ports(host)[2]
    limit = host.setting("ipv4/tcp_max_tw_buckets")[0]
    full = overflow > 0 or number >= limits["buckets"] * limit
    client = most.destination is not None
    running_out = client and most.number >= limits["ports"] * total
    share = number / max(sum(host.states.values()), 1)
    many = client and number >= limits["sockets"] and share >= limits["share"]
    if not (full or many or (running_out and most.number >= limits["floor"])):
        return
    all_of = "all" if most.number == number else f"{most.number:,}"
    text = f"{plural(number, 'connection')} were closed within the last minute"
    if full:
        text = f"The table of closed connections (TIME_WAIT) is full: {number:,} of {limit:,}"
        text += f", and {overflow:,} more found no room" if overflow else ""
        all_of = "all of them" if most.number == number else f"{most.number:,} of them"
        text += f"; {all_of} {most.words(host)}"
    else:
        text += f", {all_of} of them {most.words(host)}".replace("all of them of", "all of")
    yield finding_of(
        "warning",
        text,
        [most.row(host) | {"total": number, "limit": limit, "overflow": overflow}],
        ["pynetstat -tan --state time-wait --count-by remote_address,remote_port --top 5"],
    )


class Focus(NamedTuple):
    """Where most of the connections that belong to no program are, and the likely program: at
    a port of this machine that others connect to, or at a destination that it connects to."""

    number: int
    owner: Owner
    port: int | None = None
    destination: str | None = None

    def words(self, host: Host) -> str:
        known = self.owner[0] is not None
        if self.destination:
            return f"to {self.destination}" + (f", by {host.who(self.owner)}" if known else "")
        return f"at port {self.port}" + (f" of {host.who(self.owner)}" if known else "")

    def row(self, host: Host) -> dict[str, Any]:
        place = {"port": self.port, "peer": self.destination}
        return host.owned(self.owner, **place, connections=self.number)


def focus(host: Host, rows: Sequence[tuple[Any, ...]]) -> Focus:
    """Of local port, remote address and remote port, of at least one socket."""
    port, serving = Counter(row[0] for row in rows).most_common(1)[0]
    place, number = Counter(row[1:3] for row in rows).most_common(1)[0]
    if serving > number or (serving == number and port in host.listeners):
        return Focus(serving, host.listener(port), port=port)
    return Focus(number, talker(host, *place), destination=endpoint_of(*place))


def talker(host: Host, address: str, port: int) -> Owner:
    """The program that has most of the living connections to a destination: who closed so many
    has mostly some left. Otherwise the program here that is the destination itself."""
    rows = host.rows("pid program remote_address remote_port", having="pid")
    found = Counter(row[:2] for row in rows if row[2:] == (address, port))
    if found:
        return found.most_common(1)[0][0]
    own = {row[0] for row in host.rows("local_address")}
    return host.listener(port) if address in own else (None, None)


TIME_WAIT_FLOOD = Rule(
    "time-wait-flood",
    time_wait_flood,
    limits=(
        Limit(
            "sockets", 10000, "from {:,} sockets in TIME_WAIT that this machine closed as a client"
        ),
        Limit("share", 0.75, "if these are {:.0%} of all tcp sockets"),
        Limit(
            "ports",
            0.5,
            "or {:.0%} of the ports of net.ipv4.ip_local_port_range, to one destination",
        ),
        Limit("floor", 1000, "not below {:,}"),
        Limit("buckets", 0.8, "or {:.0%} of net.ipv4.tcp_max_tw_buckets"),
    ),
    means=(
        "Very many connections have been closed during the last minute. The end that closes first"
        " keeps a note of each for 60 seconds (TIME_WAIT), so that stray packets are not taken for"
        " a new connection's. A note costs little, but as long as it stands, a client's port is"
        " taken."
    ),
    causes="A program that opens a new connection for each request and closes it again.",
    advice=(
        "Let the program reuse its connections (HTTP keep-alive, a pool). On a server whose"
        " clients are many this is harmless, unless the table is full; where one program talks to"
        " one destination, its ports are running out."
    ),
)


def orphans(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    ends = "local_port remote_address remote_port inode timer"
    states = {"FIN_WAIT1", "FIN_WAIT2", "CLOSING", "LAST_ACK"}
    rows = [row for row in host.rows(ends, states) if not row[3] and row[4].name != "timewait"]
    total, limit = len(rows), 0
    with suppress(Blind):  # a limit of the whole host, which a network namespace does not see
        limit = host.setting("ipv4/tcp_max_orphans")[0]
        total = max(total, host.after.value("TCP", "orphan"))
    yield value("connections", total, limits["orphans"])
    # Stuck: the other end takes no more data (probe), or does not answer (retransmissions)
    stuck = [row for row in rows if row[4].name == "probe" or row[4].retransmits]
    near = limit > 0 and total >= limits["limit_share"] * limit
    enough = max(limits["share"] * sum(host.states.values()), 1)
    many = len(rows) >= limits["orphans"] and len(rows) >= enough
    held = len(stuck) >= limits["stuck"] and len(stuck) >= enough
    if not (near or many or held):
        return
    text = f"{plural(total, 'closed connection')} still wait for the other end"
    text += f", of {limit:,} that the system allows" if limit else ""
    evidence = [{"connections": total, "limit": limit or None}]
    if rows:
        most = focus(host, rows)
        all_of = "all" if most.number == total else f"{most.number:,}"
        text += f"; {all_of} of them {most.words(host)}"
        counted = {"total": total, "retransmitting": len(stuck), "limit": limit or None}
        evidence = [most.row(host) | counted]
    critical = limit > 0 and total >= limits["critical"] * limit
    steps = ["pynetstat -tano --state fin-wait-1,fin-wait-2,closing,last-ack"]
    yield finding_of("critical" if critical else "warning", text, evidence, steps)


ORPHANS = Rule(
    "orphans",
    orphans,
    whole_machine=True,
    limits=(
        Limit("orphans", 1000, "from {:,} closed connections without a program"),
        Limit("stuck", 100, "or {:,} whose last data the other end does not take"),
        Limit("share", 0.2, "if these are {:.0%} of all tcp sockets"),
        Limit("limit_share", 0.5, "or {:.0%} of net.ipv4.tcp_max_orphans"),
        Limit("critical", 0.9, "critical from {:.0%} of it"),
    ),
    means=(
        "Many closed connections still wait for the other end: their program has closed them or"
        " ended, and the system still tries to deliver the last data, or waits for the other end"
        " to close (orphans). Each takes up to 64 kB of memory; beyond a limit the system cuts"
        " them off."
    ),
    causes=(
        "A program that ends, or gives up, while its clients no longer answer or no longer read."
        " Clients that vanish (phones, an attack). A firewall that drops the last packets."
    ),
    advice=(
        "`pynetstat -tano --state fin-wait-1` shows the other ends: ping them."
        " `net.ipv4.tcp_orphan_retries` (how often to try) and `net.ipv4.tcp_fin_timeout` make the"
        " system give up earlier."
    ),
)
