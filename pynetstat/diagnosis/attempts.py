"""Rules about attempts to connect, and about what is sent again or reset on the whole machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from .host import Host
from .rule import (
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
    percent,
    plural,
    value,
)


def syn_sent_stuck(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    names = "pid program remote_address remote_port key"
    rows = host.rows(names, {"SYN_SENT"})
    later = host.later("timer", {"SYN_SENT"}) if rows else {}
    silent = []
    for row in rows:
        timer = later.get(row[-1], (None,))[0]
        if timer is not None and timer.retransmits >= limits["tries"]:
            silent.append((*row, timer.retransmits))
    yield value("attempts", len(silent), 1, limits["critical"])
    chosen = {
        owner: held
        for owner, held in by_owner(silent).items()
        if not expected(host, owner, held, limits)
    }
    if not chosen:
        return
    owner, held = next(iter(chosen.items()))
    place = peers((row[2], row[3]) for row in held)
    text = f"{host.who(owner)} cannot reach {place}: {plural(len(held), 'attempt')} to connect"
    text += f" without an answer{why_silent(host, held[0])}{others(list(chosen))}"
    address = Counter(row[2] for row in held).most_common(1)[0][0]
    yield finding_of(
        "critical" if len(held) >= limits["critical"] else "warning",
        text,
        [attempts_row(host, *group) for group in chosen.items()],
        [f"ip route get {address}", f"ping -c 3 {address}", f"tracepath {address}"],
    )


def expected(host: Host, owner: Owner, held: Sequence[Any], limits: Limits) -> bool:
    """True for a program of whose peers some never answer. It asks many hosts, of which each
    answers or does not; or few of its connections are concerned."""
    hosts = Counter(row[2] for row in held)
    places = Counter(row[2:4] for row in held)
    open_ones = host.established[owner]
    if len(hosts) >= limits["hosts"] and open_ones >= len(held):
        return True
    same = places.most_common(1)[0][1] >= limits["same"]
    return not same and len(held) < limits["share"] * host.connections[owner]


def why_silent(host: Host, row: Sequence[Any]) -> str:
    if row[2] in host.after.silent:
        return "; no machine on this network answers for the address"
    open_there = host.rows("remote_address remote_port", {"ESTABLISHED"})
    if tuple(row[2:4]) in set(open_there):
        return "; other connections to it are open: the server's queue is full, or a firewall" \
               " limits how many there may be"  # fmt: skip
    return ""


def attempts_row(host: Host, owner: Owner, held: Sequence[Any]) -> dict[str, Any]:
    return host.owned(
        owner,
        attempts=len(held),
        hosts=len({row[2] for row in held}),
        retransmits=max(row[-1] for row in held),
        peer=peers((row[2], row[3]) for row in held),
    )


SYN_SENT_STUCK = Rule(
    "syn-sent-stuck",
    syn_sent_stuck,
    limits=(
        Limit("tries", 1, "from {:,} repetition of the first packet without an answer"),
        Limit("share", 0.2, "if this is {:.0%} of the program's connections"),
        Limit("same", 3, "or {:,} attempts go to the same place"),
        Limit(
            "hosts",
            5,
            "a program that reaches as many hosts as do not answer, and tries {:,} or"
            " more of these, is left out",
        ),
        Limit("critical", 50, "critical from {:,} attempts"),
    ),
    means=(
        "The program wants to connect, and nothing comes back: the first packet (SYN) is sent and"
        " not answered. Most machines accept or refuse at once; silence means lost or dropped"
        " packets, or a server whose queue is full. After about two minutes the system gives up."
    ),
    causes=(
        "A wrong or old address. A machine that is off. A firewall on the way, there or here that"
        " drops instead of refusing. A missing route back. A server that is overloaded."
    ),
    advice=(
        "Check the address that the program was given, then `ping` it and `tracepath` it. If"
        " other ports of the same machine answer, it is a firewall, or this server's queue."
    ),
)


def nobody_listens(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    failed, opened = host.grown("Tcp", "AttemptFails"), host.grown("Tcp", "ActiveOpens")
    yield value("attempts_per_second", round(failed / host.span, 2), limits["attempts"])
    if failed >= limits["attempts"] * host.span and failed >= limits["share"] * opened:
        seen = host.attempts.most_common(5)
        text = f"{plural(failed, 'attempt')} to connect of {max(opened, failed):,} were refused or"
        text += f" failed in {host.seconds:.1f} seconds"
        rows = [
            {"peer": endpoint_of(address, port), "uid": uid, "attempts_seen": number}
            for (address, port, uid), number in seen
        ]
        if seen:
            (address, port, uid), _ = seen[0]
            text += f", mostly to {endpoint_of(address, port)} by user {uid}"
            steps = [f"pynetstat -tnp --state syn-sent --port {port} --interval 0.1"]
            steps += [f"nc -vz {address} {port}"]
        else:
            rows = [{"attempts_failed": failed, "attempts": max(opened, failed)}]
            steps = ["sudo tcpdump -ni any 'tcp[13] & 4 != 0'"]
        yield finding_of("warning", text, rows, steps)
    sent, cut = host.grown("Tcp", "OutRsts"), host.grown("Tcp", "EstabResets")
    refused = sent - cut - failed
    if refused >= limits["attempts"] * host.span and not failed:
        text = f"{plural(refused, 'packet')} came to tcp ports where nothing listens, in"
        text += f" {host.seconds:.1f} seconds"
        names = "pid program local_address local_port"
        inner = [row for row in host.rows(names, {"LISTEN"}) if is_loopback(row[2])]
        outer = {row[3] for row in host.rows(names, {"LISTEN"}) if not is_loopback(row[2])}
        inner = [row for row in inner if row[3] not in outer]
        if inner:
            listed = ", ".join(
                f"{host.who(row[:2])} at {endpoint_of(*row[2:])}" for row in inner[:3]
            )
            text += f"; these programs listen for this machine alone: {listed}"
        rows = [host.owned(row[:2], local=endpoint_of(*row[2:]), refused=refused) for row in inner]
        yield finding_of("information", text, rows or [{"refused": refused}], ["pynetstat -tlnp"])


def is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1" or address.startswith("::ffff:127.")


NOBODY_LISTENS = Rule(
    "nobody-listens",
    nobody_listens,
    limits=(
        Limit("attempts", 3, "from {:g} failed attempts a second"),
        Limit("share", 0.5, "if these are {:.0%} of all attempts"),
    ),
    means=(
        "A program here tries to connect, and is refused at once: at that address nothing listens"
        " at the port, or a firewall refuses it. The service there is down, or the address is"
        " wrong. As information: others try it here."
    ),
    causes=(
        "A server that is not running, listens at another port, or at 127.0.0.1 only. A wrong"
        " port in a configuration. A firewall that rejects."
    ),
    advice=(
        "Start the server, or correct address and port. On the machine in question `pynetstat"
        " -tlnp` shows what listens, and at which address. The system does not record which"
        " program was refused: its log says so."
    ),
)


RETRANSMITTED = "pid program send_q remote_address remote_port key"


def retransmissions(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    again, sent = host.sent_again
    share = again / max(sent + again, 1)
    yield value("segments_per_second", round(again / host.span, 2), limits["segments"])
    yield value("share", round(share, 4), limits["share"], limits["critical"])
    host.lossy = (
        again >= limits["segments"] * host.span
        and sent + again >= limits["sent"]
        and sent >= again * limits["share"]
        and share >= limits["share"]
    )
    if not host.lossy:
        return
    rows = host.rows(RETRANSMITTED, {"ESTABLISHED", "CLOSE_WAIT"})
    told = [(*row, host.info_grown(row[5], "total_retrans")) for row in rows if row[5]]
    known = [row for row in told if row[6]]
    groups = by_owner(known or [row for row in told if row[2]])
    weight = 6 if known else 2
    busiest = sorted(groups, key=lambda owner: -sum(row[weight] for row in groups[owner]))[:5]
    evidence = [
        host.owned(
            owner,
            connections=len(groups[owner]),
            retransmitted=sum(row[6] for row in groups[owner]) if known else None,
            send_q_bytes=sum(row[2] for row in groups[owner]),
            peer=peers((row[3], row[4]) for row in groups[owner]),
        )
        for owner in busiest
    ]
    text = f"{percent(share)} of the segments had to be sent again ({again:,} of {sent + again:,})"
    seen = [owner for owner in busiest if owner[0] is not None]
    if seen:
        text += (
            f"; most of them are {host.who(seen[0])}'s"
            if known
            else (f"; {host.who(seen[0])} has most data under way")
        )
    steps = ["pynetstat -i"]
    if evidence:
        address = groups[busiest[0]][0][3]
        steps.append(f"tracepath {address}")
    yield finding_of(
        "critical" if share >= limits["critical"] else "warning", text, evidence, steps
    )


RETRANSMISSIONS = Rule(
    "retransmissions",
    retransmissions,
    limits=(
        Limit("segments", 20, "from {:g} segments sent again a second"),
        Limit("share", 0.05, "if these are {:.0%} of all"),
        Limit("sent", 100, "of at least {:,} sent"),
        Limit("critical", 0.2, "critical from {:.0%}"),
    ),
    means=(
        "Much of what this machine sends is not acknowledged in time and has to be sent again"
        " (retransmission). Everything over the network becomes slow; up to about 2% is normal."
    ),
    causes=(
        "A bad cable, plug or wireless link. A line or a switch that is overloaded. Two ends of a"
        " cable that disagree about the speed. A firewall that drops."
    ),
    advice=(
        "`pynetstat -i` shows whether an interface here counts errors. If not, `tracepath` or"
        " `mtr` to the other machine shows where packets are lost."
    ),
)


def resets(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    opened = host.grown("Tcp", "ActiveOpens") + host.grown("Tcp", "PassiveOpens")
    ended, sent = host.grown("Tcp", "EstabResets"), host.grown("Tcp", "OutRsts")
    # Both ends count EstabResets, the one that sends the reset too; that one counts OutRsts.
    cut = max(ended - sent, 0)
    yield value("resets_per_second", round(cut / host.span, 2), limits["resets"])
    if cut >= limits["resets"] * host.span and cut >= limits["share"] * opened:
        text = f"{plural(cut, 'open connection')} were reset by the other end in"
        text += f" {host.seconds:.1f} seconds, while {opened:,} were opened"
        counts = {"reset_by_peer": cut, "opened": opened, "resets_sent": sent}
        rows = [{"counter": name, "count": number} for name, number in counts.items()]
        yield finding_of("warning", text, rows, ["sudo tcpdump -ni any 'tcp[13] & 4 != 0'"])


RESETS = Rule(
    "resets",
    resets,
    limits=(
        Limit("resets", 50, "from {:g} a second"),
        Limit("share", 0.25, "if these are {:.0%} of the connections opened meanwhile"),
    ),
    means=(
        "The other end cuts connections off (RST) instead of closing them. What was still on the"
        " way is lost."
    ),
    causes=(
        "Programs at the other end that crash, are killed, or close while there is something left"
        " to read; a firewall or a load balancer that ends connections which it thinks too old. A"
        " load balancer's health checks do it on purpose."
    ),
    advice=(
        "The system does not record whose connections they were. `tcpdump -ni any 'tcp[13] & 4 !="
        " 0'` shows each reset with both ends, and `pynetstat -tlnp` which program that port"
        " belongs to."
    ),
)
