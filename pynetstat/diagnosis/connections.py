"""Rules about tcp connections: never closed, never read, never answered, lost, cut off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .host import Host
from .rule import (
    Finding,
    Limit,
    Limits,
    Owner,
    Rule,
    by_owner,
    count,
    found,
    mostly,
    others,
    owned,
    percent,
    who,
)

HELD = "pid program recv_q local_address local_port remote_address remote_port key"


def close_wait_leak(host: Host, limits: Limits) -> Iterator[Finding]:
    rows = host.rows(HELD, {"CLOSE_WAIT"})
    later = host.later("", {"CLOSE_WAIT"}) if rows else {}
    groups = by_owner(row for row in rows if row[-1] in later)
    many = {}
    for owner, held in groups.items():
        share = len(held) / max(host.connections[owner], len(held))
        if len(held) >= limits["many"] or (
            len(held) >= limits["sockets"] and share >= limits["share"]
        ):
            many[owner] = held
    few = {owner: held for owner, held in groups.items() if any(row[2] for row in held)}
    chosen = many or few
    told: list[dict[str, Any]] = []
    severity = "warning" if many else "information"
    for owner, held in chosen.items():
        allowed = host.files_allowed(owner[0])
        told.append(held_by(owner, held) | {"max_files": allowed})
        used_up = allowed is not None and len(held) >= limits["files"] * allowed
        if many and (used_up or len(held) >= limits["critical"]):
            severity = "critical"
    if told:
        yield found(severity, unclosed(told[0], limits) + others(told), told)


CLOSE_WAIT_LEAK = Rule(
    "close-wait-leak",
    close_wait_leak,
    limits=(
        Limit(
            "sockets", 5, "connections of one program in CLOSE_WAIT, the same ones in both samples"
        ),
        Limit("share", 0.1, "of the program's connections"),
        Limit("many", 100, "connections, whatever their share"),
        Limit("critical", 1000, "connections are critical"),
        Limit("files", 0.5, "of the file descriptors that the program may have are critical"),
    ),
    means="The other end has ended these connections (CLOSE_WAIT: they wait for the program here "
    "to close its own end). Only the program can do that; until it does, or ends, each of "
    "them takes one of its file descriptors, of which it has a limited number, and memory of "
    "the system.",
    causes="A program that forgets to close, mostly after an error or a timeout; a pool of "
    "connections that does not notice that they are dead; a program that hangs.",
    advice="Restarting the program sets them free, for a while. Then look for the place where it "
    "does not close: data that was never read means that it had lost interest before the "
    "other end ended. `pynetstat -tanp --state close-wait` lists them. A few of them are no "
    "reason to worry.",
)


def unclosed(row: dict[str, Any], limits: Limits) -> str:
    name, number = who((row["pid"], row["program"])), row["connections"]
    text = f"{name} has not closed {count(number, 'connection')} that the other end ended"
    if row["unread_bytes"]:
        text += f", and never read the last {count(row['unread_bytes'], 'byte')}"
    if row["max_files"] and number >= limits["files"] * row["max_files"]:
        text += f"; it may have {row['max_files']:,} files and connections open at once"
    return text


def held_by(owner: Owner, rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """A program's rows of the fields HELD."""
    return owned(
        owner,
        connections=len(rows),
        unread_bytes=sum(row[2] or 0 for row in rows),
        local=mostly(row[3:5] for row in rows),
        peer=mostly(row[5:7] for row in rows),
    )


def unread_data(host: Host, limits: Limits) -> Iterator[Finding]:
    rows = host.rows(HELD, {"ESTABLISHED"}, having="recv_q")
    later = host.later("recv_q", {"ESTABLISHED"}) if rows else {}
    stuck = by_owner(row for row in rows if later.get(row[-1]) == (row[2],))
    chosen = {}
    for owner, held in stuck.items():
        share = len(held) / max(host.connections[owner], len(held))
        several = len(held) >= limits["sockets"] and share >= limits["share"]
        if several or max(row[2] for row in held) >= limits["bytes"]:
            chosen[owner] = held
    if chosen:
        owner, held = next(iter(chosen.items()))
        critical = len(held) >= limits["critical"]
        yield found(
            "critical" if critical else "warning",
            f"{who(owner)} does not read what it was sent: {count(sum(r[2] for r in held), 'byte')}"
            f" wait in {count(len(held), 'connection')}{others(list(chosen))}",
            [held_by(*group) for group in chosen.items()],
        )


UNREAD_DATA = Rule(
    "unread-data",
    unread_data,
    limits=(
        Limit(
            "sockets",
            5,
            "connections of one program, each with as many bytes unread in both samples",
        ),
        Limit("share", 0.2, "of the program's connections"),
        Limit("bytes", 65536, "unread bytes in one connection"),
        Limit("critical", 100, "connections are critical"),
    ),
    means="Data has arrived (Recv-Q counts its bytes) and the program does not read it: at both "
    "looks as much was waiting. The system keeps it, and when there is no more room, the "
    "other end has to stop sending.",
    causes="A program that hangs, that waits for something else (a lock, a disk, another server), "
    "or that is too slow for what is sent to it; rarely one that is stopped (Ctrl-Z, a "
    "debugger).",
    advice="See what the program is doing: `cat /proc/PID/stack` (as root), `strace -p PID`, its "
    "log; a state of T in `ps -o stat PID` is a stopped one. Restart it if it hangs.",
)


def unacknowledged_data(host: Host, limits: Limits) -> Iterator[Finding]:
    names = "pid program send_q remote_address remote_port key timer"
    states = {"ESTABLISHED", "CLOSE_WAIT"}
    rows = [row for row in host.rows(names, states, having="send_q") if row[-1].retransmits]
    later = host.later("timer", states) if rows else {}
    lost = []
    for row in rows:
        timer = later.get(row[-2], (row[-1],))[0]
        if timer.name == "on" and timer.retransmits >= limits["tries"] and row[-2] in later:
            lost.append((*row[:-1], timer.retransmits))
    chosen = {}
    for owner, held in by_owner(lost).items():
        if len(held) >= limits["share"] * host.connections[owner]:
            chosen[owner] = held
    if chosen:
        owner, held = next(iter(chosen.items()))
        critical = len(held) >= limits["critical"]
        unsent = count(sum(row[2] for row in held), "byte")
        yield found(
            "critical" if critical else "warning",
            f"{who(owner)} gets no answer in {count(len(held), 'connection')}: {unsent} were sent"
            f" up to {max(row[-1] for row in held) + 1} times in vain{others(list(chosen))}",
            [unanswered(*group) for group in chosen.items()],
        )


UNACKNOWLEDGED_DATA = Rule(
    "unacknowledged-data",
    unacknowledged_data,
    limits=(
        Limit("tries", 3, "retransmissions of the same data, about 1.4 seconds without an answer"),
        Limit("share", 0.1, "of the program's connections"),
        Limit("critical", 50, "connections are critical"),
    ),
    means="What was sent is not acknowledged (Send-Q counts its bytes): the system sends it again "
    "and again, each time after a longer pause, and after some 15 minutes gives the "
    "connection up. The program notices nothing until then, unless it has a timeout of its "
    "own.",
    causes="The other machine is gone or cut off, a cable or a wireless link is dead, a firewall "
    "has begun to drop the packets, or large packets do not fit through (MTU) while small "
    "ones do.",
    advice="`ping` the other end, then `tracepath` it, which shows up to where packets come and "
    "how large they may be. If only this program's connections are hit, ask who runs the other "
    "end.",
)


def unanswered(owner: Owner, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """A program's rows that are pid, program, bytes, the other end, ..., how often repeated."""
    return owned(
        owner,
        connections=len(rows),
        unacknowledged_bytes=sum(row[2] for row in rows),
        retransmits=max(row[-1] for row in rows),
        peer=mostly((row[3], row[4]) for row in rows),
    )


def syn_sent_stuck(host: Host, limits: Limits) -> Iterator[Finding]:
    names = "pid program remote_address remote_port key"
    rows = host.rows(names, {"SYN_SENT"})
    later = host.later("timer", {"SYN_SENT"}) if rows else {}
    silent = []
    for row in rows:
        timer = later.get(row[-1], (None,))[0]
        if timer is not None and timer.retransmits >= limits["tries"]:
            silent.append((*row, timer.retransmits))
    chosen = {}
    for owner, held in by_owner(silent).items():
        if len(held) >= limits["share"] * host.connections[owner]:
            chosen[owner] = held
    if chosen:
        owner, held = next(iter(chosen.items()))
        place = mostly((row[2], row[3]) for row in held)
        yield found(
            "critical" if len(held) >= limits["critical"] else "warning",
            f"{who(owner)} cannot reach {place}: {count(len(held), 'attempt')} to connect"
            f" without an answer{others(list(chosen))}",
            [
                owned(
                    owner,
                    attempts=len(held),
                    retransmits=max(row[-1] for row in held),
                    peer=mostly((row[2], row[3]) for row in held),
                )
                for owner, held in chosen.items()
            ],
        )


SYN_SENT_STUCK = Rule(
    "syn-sent-stuck",
    syn_sent_stuck,
    limits=(
        Limit("tries", 1, "retransmissions of the SYN, without an answer in both samples"),
        Limit("share", 0.2, "of the program's connections"),
        Limit("critical", 50, "attempts are critical"),
    ),
    means="The program wants to connect, and nothing comes back (SYN_SENT: the first packet, SYN, "
    "is sent and not answered). A machine that is there would accept or refuse at once; "
    "silence means that the packets are lost. After about two minutes the system gives up.",
    causes="A wrong or old address, a machine that is off, a firewall on the way (or here) that "
    "drops instead of refusing, a missing route.",
    advice="Check the address that the program was given, then `ping` it and `tracepath` it. If "
    "other ports of the same machine answer, it is a firewall.",
)


def retransmissions(host: Host, limits: Limits) -> Iterator[Finding]:
    again, sent = host.grown("Tcp", "RetransSegs"), host.grown("Tcp", "OutSegs")
    share = again / max(sent + again, 1)
    if again < limits["segments"] * host.span or share < limits["share"]:
        return
    rows = host.rows("pid program send_q remote_address remote_port", having="send_q")
    groups = by_owner(rows)
    busiest = sorted(groups, key=lambda owner: -sum(row[2] for row in groups[owner]))[:5]
    evidence = [
        owned(
            owner,
            connections=len(groups[owner]),
            send_q_bytes=sum(row[2] for row in groups[owner]),
            peer=mostly((row[3], row[4]) for row in groups[owner]),
        )
        for owner in busiest
    ]
    seen = [owner for owner in busiest if owner[0] is not None]
    most_of_it = f"; most data on the way is that of {who(seen[0])}" if seen else ""
    yield found(
        "critical" if share >= limits["critical"] else "warning",
        f"{percent(share)} of what is sent gets lost: {count(again, 'segment')} of {sent + again:,}"
        f" were sent again{most_of_it}",
        evidence,
    )


RETRANSMISSIONS = Rule(
    "retransmissions",
    retransmissions,
    limits=(
        Limit("segments", 20, "segments sent again a second"),
        Limit("share", 0.05, "of the segments sent"),
        Limit("critical", 0.2, "of the segments sent are critical"),
    ),
    means="Much of what this machine sends is lost on the way and has to be sent again "
    "(retransmission). Everything over the network becomes slow; up to some 2 % is ordinary.",
    causes="A bad cable, plug or wireless link, a line or a switch that is overloaded, two ends of "
    "a cable that disagree about the speed, a firewall that drops.",
    advice="`pynetstat -i` shows whether an interface here counts errors. If not, `tracepath` or "
    "`mtr` to the other end shows where packets are lost.",
)


def resets(host: Host, limits: Limits) -> Iterator[Finding]:
    cut = host.grown("Tcp", "EstabResets")
    actively, passively = host.grown("Tcp", "ActiveOpens"), host.grown("Tcp", "PassiveOpens")
    failed, sent = host.grown("Tcp", "AttemptFails"), host.grown("Tcp", "OutRsts")
    evidence = [
        {"counter": "open connections cut off", "count": cut},
        {"counter": "attempts to connect that failed", "count": failed},
        {"counter": "connections opened from here", "count": actively},
        {"counter": "connections opened from elsewhere", "count": passively},
        {"counter": "resets that this machine sent", "count": sent},
    ]
    if cut >= limits["resets"] * host.span and cut >= limits["reset_share"] * (
        actively + passively
    ):
        text = f"{count(cut, 'open connection')} were cut off in {host.seconds:.1f} seconds"
        yield found("warning", f"{text}, while {actively + passively:,} were opened", evidence)
    elif failed >= limits["refused"] * host.span and failed >= limits["refused_share"] * (
        actively + passively
    ):
        text = f"{count(failed, 'attempt')} to connect failed in {host.seconds:.1f} seconds"
        yield found("warning", f"{text}, of {actively + passively:,}", evidence)


RESETS = Rule(
    "resets",
    resets,
    limits=(
        Limit("resets", 50, "open connections reset a second"),
        Limit("reset_share", 0.25, "of the connections opened between the samples"),
        Limit("refused", 50, "attempts to connect that fail a second"),
        Limit("refused_share", 0.5, "of the attempts to connect"),
    ),
    means="Connections are cut off instead of being closed (reset), or refused when they are "
    "opened. What was still on the way in a connection that is reset is lost.",
    causes="Programs that crash or are killed, that close while there is something left to read, "
    "or that are asked at a port where nothing listens; a firewall or a load balancer that ends "
    "connections which it thinks too old; someone who tries ports one after the other.",
    advice="The system does not record whose connections they were. `tcpdump -n 'tcp[13] & 4 != "
    "0'` shows each reset with both ends, and `pynetstat -tlnp` which program that port belongs "
    "to.",
)
