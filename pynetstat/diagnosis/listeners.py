"""Rules about programs that listen: too slow to accept, flooded, two at one port, open to all."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from .connections import log_of
from .host import Host
from .rule import (
    Blind,
    Finding,
    Limit,
    Limits,
    Owner,
    Rule,
    Value,
    endpoint_of,
    finding_of,
    others,
    plural,
    value,
)


class Queue(NamedTuple):
    """The connections that wait for a listener to accept them: how many in the first sample, the
    fewest of both samples, how many of them the client has closed again, and for how many there
    is room, where that is known."""

    owner: Owner
    place: str
    port: int
    waiting: int
    least: int
    given_up: int
    backlog: int | None

    @property
    def full(self) -> bool:
        return self.backlog is not None and self.least >= max(self.backlog, 1)

    def row(self, host: Host) -> dict[str, Any]:
        return host.owned(
            self.owner,
            local=self.place,
            waiting=self.waiting,
            backlog=self.backlog,
            closed_by_client=self.given_up,
            process_state=host.process(self.owner[0]).state,
        )


def queues(host: Host) -> list[Queue]:
    """The listeners for whom connections wait, the longest queue first."""
    limits = host.listener_limits()
    names = "pid program local_address local_port recv_q key"
    rows = host.rows(names, {"LISTEN"}, having="recv_q")
    later = host.later("recv_q", {"LISTEN"}) if rows else {}
    left = Counter(
        port
        for port, pid, key in host.rows("local_port pid key", {"CLOSE_WAIT"})
        if pid is None and not isinstance(key, int)
    )
    found = []
    for pid, program, address, port, waiting, key in rows:
        least = min(waiting, later.get(key, (0,))[0])
        place, backlog = endpoint_of(address, port), limits.get(key)
        found.append(Queue((pid, program), place, port, waiting, least, left[port], backlog))
    return sorted(found, key=lambda queue: -queue.waiting)


def listen_overflow(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    waiting = queues(host)
    full = [one for one in waiting if one.full or one.least >= limits["waiting"]]
    lost, accepted, problem = 0, 0, None
    try:
        lost = host.grown("TcpExt", "ListenOverflows")
        accepted = host.grown("Tcp", "PassiveOpens")
    except Blind as blind:
        problem = blind
    yield value("waiting", max((one.waiting for one in waiting), default=0), limits["waiting"])
    yield value("overflows", lost, limits["overflows"])
    turned_away = f"; {plural(lost, 'attempt')} to connect met a full queue" if lost else ""
    host.overflowing = {one.place for one in full}
    if full:
        first = full[0]
        number = f"{first.waiting:,} wait"
        number += f", {first.backlog:,} have room" if first.backlog is not None else ""
        text = f"{host.who(first.owner)} does not accept connections at {first.place} ({number})"
        text += owner_state(host, first.owner) + turned_away + others(full)
        severity = "critical" if lost or first.full else "warning"
        rows = [queue.row(host) for queue in full]
        yield finding_of(severity, text, rows, listener_steps(host, first))
    elif lost >= limits["overflows"] and lost >= limits["share"] * (accepted + lost):
        text = "Connections come in bursts that are more than a program accepts"
        text += f"; most wait for {host.who(waiting[0].owner)}" if waiting else ""
        rows = [queue.row(host) for queue in waiting[:3]]
        steps = listener_steps(host, waiting[0]) if waiting else ["pynetstat -tlnp"]
        yield finding_of("warning", text + turned_away, rows, steps)
    if problem:
        raise problem


def owner_state(host: Host, owner: Owner) -> str:
    state = host.process(owner[0]).state
    return f"; the program is {state}" if state else ""


def listener_steps(host: Host, queue: Queue) -> list[str]:
    steps = [f"pynetstat -tlnp --port {queue.port}"]
    pid = queue.owner[0]
    if pid is not None:
        stopped = host.process(pid).state == "stopped"
        steps.append(f"kill -CONT {pid}" if stopped else f"cat /proc/{pid}/stack")
    return [*steps, *log_of(host, queue.owner)]


LISTEN_OVERFLOW = Rule(
    "listen-overflow",
    listen_overflow,
    limits=(
        Limit("waiting", 100, "from {:,} connections that wait in both samples, or a full queue"),
        Limit("overflows", 10, "or {:,} attempts that met a full queue between the samples"),
        Limit("share", 0.01, "if these are {:.0%} of those that came in"),
    ),
    means=(
        "Connections come in faster than the program accepts them: they wait in its queue (of a"
        " listener, Recv-Q counts them), and when the queue is full, further ones are turned away."
        " Clients see a slow server, or none."
    ),
    causes=(
        "A program that hangs, is stopped or overloaded, or may open no more files. Too few"
        " threads or processes. A short queue (its listen() call; the setting net.core.somaxconn"
        " is the upper bound)."
    ),
    advice=(
        "See what keeps the program from accepting (its log, its load, `strace -p PID`). If it is"
        " only bursts, give it a longer queue: `backlog` or a similar setting of the program, and"
        " `sysctl net.core.somaxconn`."
    ),
)


def waits_for_accept(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    slow = []
    for one in queues(host):
        half = limits["share"] * one.backlog if one.backlog else limits["waiting"]
        if one.least >= max(min(limits["waiting"], half), 2):
            slow.append(one)
    yield value("waiting", max((one.least for one in slow), default=0), limits["waiting"])
    slow = [one for one in slow if one.place not in host.overflowing]
    if slow:
        first = slow[0]
        room = f" of {first.backlog:,}" if first.backlog is not None else ""
        text = f"{host.who(first.owner)} is slow to accept connections at {first.place}"
        text += f" ({first.waiting:,}{room} wait)"
        text += f"; {first.given_up:,} clients have given up" if first.given_up > 1 else ""
        text += owner_state(host, first.owner) + others(slow)
        rows = [queue.row(host) for queue in slow]
        yield finding_of("warning", text, rows, listener_steps(host, first))


WAITS_FOR_ACCEPT = Rule(
    "waits-for-accept",
    waits_for_accept,
    limits=(
        Limit("waiting", 16, "from {:,} connections that wait in both samples"),
        Limit("share", 0.5, "or from {:.0%} of the queue"),
    ),
    means=(
        "Clients are connected, and the program has not accepted them yet: they wait in the"
        " listener's queue, and nobody answers them. When the queue is full, further ones are"
        " turned away (listen-overflow)."
    ),
    causes=(
        "A program that hangs, is stopped or overloaded, has too few threads, or may open no more"
        " files (files-exhausted)."
    ),
    advice=(
        "See what keeps the program from accepting: its log, its load, `strace -p PID`, `cat"
        " /proc/PID/stack` (as root). Restart it if it hangs."
    ),
)


def syn_flood(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    rows = host.rows("local_port remote_address timer", {"SYN_RECV"})
    silent = [row for row in rows if row[2].retransmits]
    cookies = host.grown("TcpExt", "SyncookiesSent")
    yield value("sockets", len(silent), limits["sockets"])
    yield value("cookies", cookies, None, limits["cookies"])
    many = len(silent) >= limits["sockets"] and len(silent) >= limits["share"] * len(rows)
    if not many and cookies < limits["cookies"]:
        return
    evidence = []
    for port, number in Counter(row[0] for row in silent or rows).most_common(5):
        sources = {row[1] for row in rows if row[0] == port}
        shown = ", ".join(sorted(sources)[:3]) + (", ..." if len(sources) > 3 else "")
        place = {"port": port, "half_open": number, "addresses": len(sources)}
        evidence.append(host.owned(host.listener(port), **place, examples=shown))
    text = "Connections are begun faster than they are completed"
    steps = ["nstat -az TcpExtSyncookiesSent TcpExtTCPReqQFullDrop"]
    if evidence:
        port = evidence[0]["port"]
        text = (
            f"{plural(len(rows), 'connection')} to {host.who(host.listener(port))} at port {port}"
        )
        text += f" are begun and not completed, from {plural(evidence[0]['addresses'], 'address')}"
        steps = [f"pynetstat -tan --state syn-recv --port {port}"]
        steps.append(f"ip route get {next(row[1] for row in rows if row[0] == port)}")
    text += f"; the system had to send {plural(cookies, 'cookie')}" if cookies else ""
    critical = cookies >= limits["cookies"]
    yield finding_of("critical" if critical else "warning", text, evidence, steps)


SYN_FLOOD = Rule(
    "syn-flood",
    syn_flood,
    limits=(
        Limit("sockets", 20, "from {:,} half-open connections that do not go on"),
        Limit("share", 0.5, "if these are {:.0%} of the half-open ones"),
        Limit("cookies", 50, "critical from {:,} SYN cookies sent between the samples"),
    ),
    means=(
        "Many connections are begun and not completed (SYN_RECV): a first packet came, this"
        " system answered, and the last packet of the handshake never came. They fill the queue in"
        " front of the listener. The system defends itself with cookies: it keeps nothing in"
        " memory, and asks the other end to prove itself."
    ),
    causes=(
        "An attack with forged addresses (SYN flood). A port scan. A way back on which our"
        " answers get lost: a missing or wrong route, a firewall."
    ),
    advice=(
        "Leave `sysctl net.ipv4.tcp_syncookies` at 1. If the addresses are all different and"
        " unknown, ask your provider to filter. If they are your own clients, look for the way"
        " back: `ip route get ADDRESS`."
    ),
)


def shared_port(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    places: dict[tuple[Any, ...], list[Owner]] = {}
    for row in host.rows("pid program local_address local_port", {"LISTEN"}):
        if row[0] is not None:
            places.setdefault(row[2:], []).append(row[:2])
    wrong = []
    for place, owners in places.items():
        pids = dict.fromkeys(owners)
        if len(pids) > 1 and len({identity(host, owner) for owner in pids}) > 1:
            wrong.append((place, list(pids)))
    yield value("ports", len(wrong), 1)
    if wrong:
        (place, owners) = wrong[0]
        listed = " and ".join(host.who(owner) for owner in owners[:2])
        more = len(owners) - 2
        listed += f" and {plural(more, 'more program')}" if more > 0 else ""
        text = f"{listed} listen at the same port, {endpoint_of(*place)}:"
        text += " each gets a share of the clients"
        yield finding_of(
            "warning",
            text + others(wrong, "port", "alike"),
            [
                host.owned(one, local=endpoint_of(*where))
                for where, all_of in wrong
                for one in all_of
            ],
            [f"pynetstat -tlnp --port {place[1]}"],
        )


def identity(host: Host, owner: Owner) -> Any:
    """What workers of one service have in common."""
    known = host.process(owner[0])
    return known.unit, known.parent, known.exe, known.command or owner[1]


SHARED_PORT = Rule(
    "shared-port",
    shared_port,
    means=(
        "Two different programs listen at the same address and port (SO_REUSEPORT allows it to"
        " programs of one user). The system gives each new connection to one of them, by chance."
    ),
    causes=(
        "A second copy that was started by mistake. An old version that was not stopped. Workers"
        " of one service are not meant: they have the same parent."
    ),
    advice="Stop the one that is not wanted. `systemctl status PID` shows what started each.",
)


def exposed_listeners(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    everywhere = {"0.0.0.0", "::"}
    seen: dict[Any, int] = {}
    names = "pid program proto local_address local_port dev"
    for row in host.rows(names, {"LISTEN"}):
        if row[3] in everywhere and row[5] != LOOPBACK:
            seen.setdefault(row, 0)
    lowest = ephemeral(host)
    for row in host.rows(f"{names} remote_port", protocol="udp"):
        if row[3] in everywhere and row[5] != LOOPBACK and not row[6] and row[4] < lowest:
            seen.setdefault(row[:6], 0)
    ports = {(row[2].rstrip("6"), row[4]) for row in seen}
    yield value("ports", len(ports))
    if seen:
        rows = sorted(seen, key=lambda row: (row[4], row[2]))
        programs = list(dict.fromkeys(row[1] for row in rows if row[1]))
        named = ", ".join(programs[:4]) + (", ..." if len(programs) > 4 else "")
        are = "is" if len(ports) == 1 else "are"
        text = f"{plural(len(ports), 'port')} {are} open at every address of this machine"
        yield finding_of(
            "information",
            f"{text} (no firewall was looked at)" + (f": {named}" if named else ""),
            [host.owned(row[:2], proto=row[2], local=bound_end(*row[3:])) for row in rows],
            ["pynetstat -tulnp"],
        )


LOOPBACK = "lo"  # what is bound to this interface is reached from this machine alone


def bound_end(address: str, port: int, device: str | None) -> str:
    """0.0.0.0%eth1:80, where a socket is bound to one interface."""
    return endpoint_of(f"{address}%{device}" if device else address, port)


def ephemeral(host: Host) -> int:
    """The first of the ports that clients are given: a udp socket there serves nobody."""
    try:
        return host.setting("ipv4/ip_local_port_range")[0]
    except Blind:
        return 32768


EXPOSED_LISTENERS = Rule(
    "exposed-listeners",
    exposed_listeners,
    means=(
        "These programs listen at every address of the machine: whoever reaches one of its"
        " addresses, and is not stopped by a firewall, can talk to the program. No firewall was"
        " looked at."
    ),
    causes="That is how most programs are set up, and often as it should be.",
    advice=(
        "See whether each of them is meant for others. One that serves only this machine should"
        " listen at 127.0.0.1 (its setting is usually called bind, listen or host)."
    ),
)


def files_exhausted(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    tables = (table for protocol in ("tcp", "udp") for table in host.of(protocol))
    owners: dict[Owner, None] = {}
    for table in tables:
        owners |= dict.fromkeys(zip(table["pid"], table["program"]))
    near, most = [], 0.0
    for owner in owners:
        pid = owner[0]
        if pid is None or pid == os.getpid():
            continue
        used, allowed = host.files_open(pid), host.files_allowed(pid)
        if not used or not allowed:
            continue
        most = max(most, used / allowed)
        if used >= limits["share"] * allowed:
            near.append((owner, used, allowed))
    yield value("share", round(most, 3), limits["share"], 1)
    if not near:
        return
    near.sort(key=lambda one: -one[1] / one[2])
    waiting: Counter[Owner] = Counter()
    for queue in queues(host):
        waiting[queue.owner] += queue.least
    (owner, used, allowed) = near[0]
    full = [one for one in near if one[1] >= one[2] or waiting[one[0]]]
    text = f"{host.who(owner)} has {used:,} of the {allowed:,} files open that it may have"
    if waiting[owner]:
        text += f", and {plural(waiting[owner], 'connection')} wait for it to accept them"
    rows = [
        host.owned(
            owner,
            files_open=used,
            max_files=allowed,
            sockets=host.connections[owner],
            waiting=waiting[owner],
        )
        for owner, used, allowed in near
    ]
    steps = [f"ls -l /proc/{owner[0]}/fd", f"prlimit --pid {owner[0]} --nofile"]
    yield finding_of(
        "critical" if full else "warning", text + others(near), rows, [*steps, *log_of(host, owner)]
    )


FILES_EXHAUSTED = Rule(
    "files-exhausted",
    files_exhausted,
    limits=(
        Limit(
            "share",
            0.95,
            "from {:.0%} of the file descriptors that a program may have; critical"
            " if all are used, or if clients wait for it",
        ),
    ),
    means=(
        "A program has as many files and connections open as it is allowed. It can open no more:"
        ' it cannot accept or connect ("Too many open files").'
    ),
    causes=(
        "A program that forgets to close files or connections. More clients than the limit was"
        " made for."
    ),
    advice=(
        "`ls -l /proc/PID/fd` shows what is open; many of a kind are a leak. To gain time:"
        " `prlimit --pid PID --nofile=65536`; for good: LimitNOFILE= in the unit, or `ulimit -n`."
    ),
)
