"""Rules about programs that listen: too slow to accept, flooded, open to everybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..kernel.sockdiag import listener_limits
from .host import Host
from .rule import Blind, Finding, Limit, Limits, Owner, Rule, count, end, found, others, owned, who


def listen_overflow(host: Host, limits: Limits) -> Iterator[Finding]:
    waiting = queues(host)
    full = [
        one for one in waiting if one.least >= min(one.room or limits["waiting"], limits["waiting"])
    ]
    lost, accepted, problem = 0, 0, None
    try:
        lost = host.grown("TcpExt", "ListenOverflows")
        accepted = host.grown("Tcp", "PassiveOpens")
    except Blind as blind:
        problem = blind
    turned_away = f"; {count(lost, 'attempt')} to connect met a full queue" if lost else ""
    if full:
        text = f"{who(full[0].owner)} does not accept the connections at {full[0].place} fast"
        text += f" enough: {full[0].waiting:,} wait"
        text += f" where {full[0].room:,} have room" if full[0].room else ""
        evidence = [queue.row for queue in full]
        severity = "critical" if lost else "warning"
        yield found(severity, text + turned_away + others(full), evidence)
    elif lost >= limits["overflows"] and lost >= limits["share"] * (accepted + lost):
        text = "Connections come in bursts that are more than a program accepts"
        text += f"; most wait for {who(waiting[0].owner)}" if waiting else ""
        yield found("warning", text + turned_away, [queue.row for queue in waiting[:3]])
    if problem:
        raise problem


LISTEN_OVERFLOW = Rule(
    "listen-overflow",
    listen_overflow,
    limits=(
        Limit(
            "waiting",
            100,
            "connections that wait in both samples, or the whole backlog if it is less",
        ),
        Limit("overflows", 10, "attempts that met a full queue between the samples"),
        Limit("share", 0.01, "of the connections that came in between the samples"),
    ),
    means="Connections come in faster than the program accepts them: they wait in a queue (of a "
    "listener, Recv-Q counts them), and when it is full, further ones are turned away. Who "
    "connects sees a slow server, or none.",
    causes="A program that hangs or is overloaded, has too few threads or processes, or asked for "
    "a short queue (its listen() call, or the setting net.core.somaxconn, which is the upper "
    "bound).",
    advice="See what keeps the program from accepting (its log, its load, `strace -p PID`). If it "
    "is only bursts, give it a longer queue: `backlog` or a like setting of the program, and "
    "`sysctl net.core.somaxconn`.",
)


class Queue(NamedTuple):
    """The connections that wait for a listener to accept them, at the first look, and at both;
    and for how many there is room, where that is known."""

    owner: Owner
    place: str
    waiting: int
    least: int
    room: int | None

    @property
    def row(self) -> dict[str, Any]:
        place, waiting = self.place, self.waiting
        return owned(self.owner, local=place, waiting=waiting, backlog=self.room)


def queues(host: Host) -> list[Queue]:
    """The listeners for whom connections wait, the longest queue first."""
    limits = listener_limits(host.proc)
    names = "pid program local_address local_port recv_q key"
    rows = host.rows(names, {"LISTEN"}, having="recv_q")
    later = host.later("recv_q", {"LISTEN"}) if rows else {}
    found = []
    for pid, program, address, port, waiting, key in rows:
        room = max(limits[key], 1) if key in limits else None
        least = min(waiting, later.get(key, (0,))[0])
        found.append(Queue((pid, program), end(address, port), waiting, least, room))
    return sorted(found, key=lambda queue: -queue.waiting)


def syn_flood(host: Host, limits: Limits) -> Iterator[Finding]:
    rows = host.rows("local_port remote_address timer", {"SYN_RECV"})
    silent = [row for row in rows if row[2].retransmits]
    cookies = host.grown("TcpExt", "SyncookiesSent")
    many = len(silent) >= limits["sockets"] and len(silent) >= limits["share"] * len(rows)
    if not many and cookies < limits["cookies"]:
        return
    evidence = []
    for port, number in Counter(row[0] for row in silent or rows).most_common(5):
        sources = {row[1] for row in rows if row[0] == port}
        owner = host.listeners.get(port, (None, None))
        shown = ", ".join(sorted(sources)[:3]) + (", ..." if len(sources) > 3 else "")
        evidence.append(
            owned(owner, port=port, half_open=number, addresses=len(sources), examples=shown)
        )
    if evidence:
        worst = evidence[0]
        target = f"{who((worst['pid'], worst['program']))} at port {worst['port']}"
        text = f"{count(len(rows), 'connection')} to {target} are begun and not completed"
        text += f", from {count(worst['addresses'], 'address')}"
    else:
        text = "Connections are begun faster than they are completed"
    text += f"; the system had to send {count(cookies, 'cookie')}" if cookies else ""
    yield found("critical" if cookies >= limits["cookies"] else "warning", text, evidence)


SYN_FLOOD = Rule(
    "syn-flood",
    syn_flood,
    limits=(
        Limit("sockets", 100, "half-open connections whose SYN/ACK was sent again"),
        Limit("share", 0.5, "of all half-open connections"),
        Limit("cookies", 50, "SYN cookies sent between the samples"),
    ),
    means="Many connections are begun and not completed (SYN_RECV: somebody has knocked, was "
    "answered, and does not answer in turn). They fill the queue of those who are about to "
    "come in; the system defends itself with cookies: it remembers nothing and asks the "
    "other end to prove itself.",
    causes="An attack with forged addresses (SYN flood), someone who scans the network, or a path "
    "on which our answers get lost (a missing or wrong route back, a firewall).",
    advice="Leave `sysctl net.ipv4.tcp_syncookies` at 1. If the addresses are all different and "
    "unknown, ask your provider to filter. If they are your own clients, look for the way "
    "back: `ip route get ADDRESS`.",
)


def exposed_listeners(host: Host, limits: Limits) -> Iterator[Finding]:
    everywhere = {"0.0.0.0", "::"}
    seen: dict[Any, int] = {}
    names = "pid program proto local_address local_port"
    for row in host.rows(names, {"LISTEN"}):
        if row[3] in everywhere:
            seen.setdefault(row, 0)
    lowest = ephemeral(host)
    for row in host.rows(f"{names} remote_port", protocol="udp"):
        if row[3] in everywhere and not row[5] and row[4] < lowest:
            seen.setdefault(row[:5], 0)
    if seen:
        rows = sorted(seen, key=lambda row: (row[4], row[2]))
        programs = list(dict.fromkeys(row[1] for row in rows if row[1]))
        named = ", ".join(programs[:4]) + (", ..." if len(programs) > 4 else "")
        text = f"{count(len(rows), 'port')} can be reached at every address of this machine"
        yield found(
            "information",
            f"{text}: {named}" if named else text,
            [owned(row[:2], proto=row[2], local=end(*row[3:])) for row in rows],
        )


EXPOSED_LISTENERS = Rule(
    "exposed-listeners",
    exposed_listeners,
    means="These programs listen on every address of the machine: whoever can reach one of them, "
    "and is not stopped by a firewall, can talk to the program.",
    causes="That is how most programs are set up, and often as it should be.",
    advice="See whether each of them is meant for others. One that serves only this machine should "
    "listen at 127.0.0.1 (its setting is mostly called bind, listen or host).",
)


def ephemeral(host: Host) -> int:
    """The first of the ports that clients are given: a udp socket there serves nobody."""
    try:
        return host.setting("ipv4/ip_local_port_range")[0]
    except Blind:
        return 32768
