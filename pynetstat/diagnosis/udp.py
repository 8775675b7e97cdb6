"""Rules about udp: datagrams dropped here, sent to nobody, and name servers that do not answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from .connections import log_of
from .host import Host
from .rule import (
    Blind,
    Finding,
    Limit,
    Limits,
    Rule,
    Value,
    by_owner,
    endpoint_of,
    finding_of,
    others,
    percent,
    plural,
    value,
)


def udp_drops(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    owners = {
        row[0]: row[1:]
        for row in host.rows("inode pid program local_address local_port", protocol="udp")
    }
    lost, fresh = [], 0
    for inode, (waiting, dropped) in host.after.udp.items():
        earlier = host.before.udp.get(inode, (0, dropped))
        grown = max(dropped - earlier[1], 0)
        fresh += grown
        stuck = 0 < waiting == earlier[0]
        if (grown or (stuck and dropped >= limits["drops"])) and inode in owners:
            lost.append((grown, dropped, waiting, stuck, owners[inode]))
    received = errors = unsent = 0
    problem = ""
    for section, prefix in (("Udp", ""), ("Udp6", "Udp6")):
        try:
            received += host.grown(section, f"{prefix}InDatagrams")
            errors += host.grown(section, f"{prefix}RcvbufErrors")
        except Blind as blind:
            problem = problem or (str(blind) if section == "Udp" else "")
        unsent += host.grew(section, f"{prefix}SndbufErrors")
    fresh = max(fresh, errors)
    share = fresh / max(received + fresh, 1)
    yield value("dropped", fresh, limits["drops"])
    if (fresh >= limits["drops"] and share >= limits["share"]) or any(one[3] for one in lost):
        lost.sort(key=lambda one: (-one[0], -one[1]))
        text = dropped_by(host, lost, fresh, share)
        steps = ["pynetstat -uanp"] + (log_of(host, lost[0][4][:2]) if lost else [])
        yield finding_of("warning", text, [udp_row(host, *one) for one in lost], steps)
    if unsent >= limits["drops"]:
        text = (
            f"{plural(unsent, 'datagram')} could not be sent in {host.seconds:.1f} seconds, since"
        )
        text += " a send buffer was full"
        rows = [{"send_buffer_errors": unsent}]
        yield finding_of("warning", text, rows, ["pynetstat -uanp --filter 'sendq > 0'"])
    problems = (host.after.problems.get(name) for name in ("net/udp", "net/udp6"))
    problem = problem or (next(problems) or "")
    if problem:
        raise Blind(problem)


def dropped_by(host: Host, lost: list[Any], fresh: int, share: float) -> str:
    if not lost:
        return (
            f"{plural(fresh, 'datagram')} ({percent(share)} of those that came in) were dropped,"
            " since a receive buffer was full; the socket is closed by now"
        )
    grown, dropped, _, stuck, owner = lost[0]
    who, place = host.who(owner[:2]), endpoint_of(*owner[2:])
    state = host.process(owner[0]).state
    more = (f"; the program is {state}" if state else "") + others(lost, "socket", "alike")
    if stuck and not grown:
        text = f"{who} does not read its datagrams at udp {place}: {plural(dropped, 'datagram')}"
        return f"{text} were dropped so far{more}"
    text = f"{who} does not read its datagrams at udp {place} fast enough:"
    return f"{text} {plural(grown, 'datagram')} were dropped in {host.seconds:.1f} seconds{more}"


def udp_row(
    host: Host, grown: int, dropped: int, waiting: int, stuck: bool, owner: Any
) -> dict[str, Any]:
    more = {"dropped": grown, "dropped_total": dropped, "unread_bytes": waiting}
    return host.owned(owner[:2], local=endpoint_of(*owner[2:]), **more)


UDP_DROPS = Rule(
    "udp-drops",
    udp_drops,
    limits=(
        Limit(
            "drops",
            10,
            "from {:,} datagrams between the samples, or ever where a program does not read at all",
        ),
        Limit("share", 0.01, "if these are {:.0%} of those that came in"),
    ),
    means=(
        "Datagrams (packets of udp) came in and were dropped, because the program does not read"
        " them fast enough and its receive buffer is full. With udp nobody sends them again."
    ),
    causes=(
        "A program that hangs or is too slow for what is sent to it. Bursts that are more than"
        " its buffer holds."
    ),
    advice=(
        "See why the program does not keep up (its load, its log, `strace -p PID`). If it is only"
        " bursts, give it a larger buffer: a setting of the program, up to `sysctl"
        " net.core.rmem_max`; programs that do not set one get `net.core.rmem_default`."
    ),
)


def udp_nobody_listens(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    unheard = host.grown("Udp", "NoPorts") + host.grew("Udp6", "Udp6NoPorts")
    yield value("datagrams_per_second", round(unheard / host.span, 2), limits["datagrams"])
    if unheard >= limits["datagrams"] * host.span:
        text = (
            f"{plural(unheard, 'datagram')} came in {host.seconds:.1f} seconds to udp ports where"
        )
        text += " nothing listens"
        rows = [{"datagrams": unheard}]
        steps = ["pynetstat -ulnp", "sudo tcpdump -ni any 'icmp[0] = 3 and icmp[1] = 3'"]
        yield finding_of("warning", text, rows, steps)


UDP_NOBODY_LISTENS = Rule(
    "udp-nobody-listens",
    udp_nobody_listens,
    limits=(Limit("datagrams", 20, "from {:g} datagrams a second"),),
    means=(
        "Datagrams (packets of udp) arrive at ports of this machine where no program listens. The"
        " system drops them and tells the sender so."
    ),
    causes=(
        "A service that is down here (syslog, statsd, DNS), or listens at another port. A sender"
        " with a wrong address. A port scan."
    ),
    advice=(
        "The answers of the system name the port: `tcpdump -ni any 'icmp[0] = 3 and icmp[1] ="
        " 3'`. Start what should listen there, or correct the sender."
    ),
)


def dns_silent(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    rows = host.rows("pid program remote_address remote_port inode", protocol="udp")
    asked = [row for row in rows if row[3] == 53 and row[4] in host.after.udp]
    asked = [row for row in asked if not host.after.udp[row[4]][0]]  # no answer waits
    servers = name_servers()
    yield value("questions", len(asked), limits["questions"])
    patient = len(asked) >= 1 and host.seconds >= limits["seconds"]
    if len(asked) < limits["questions"] and not patient:
        return
    silent = Counter(row[2] for row in asked)
    every = bool(servers) and servers <= set(silent)
    server, number = silent.most_common(1)[0]
    owner = next(iter(by_owner(asked)))
    text = f"The name server {server} does not answer: {plural(number, 'question')}"
    text += f" {'waits' if number == 1 else 'wait'}"
    if every:
        text = f"No name server answers ({', '.join(sorted(servers)[:3])}): {len(asked):,} wait"
    text += f", most of {host.who(owner)}" if owner[0] is not None else ""
    evidence = [
        host.owned(owner, questions=len(held), name_server=Counter(row[2] for row in held)
                   .most_common(1)[0][0], configured=held[0][2] in servers)
        for owner, held in by_owner(asked).items()
    ]  # fmt: skip
    steps = [f"ping -c 3 {server}", f"dig @{server} example.org", "cat /etc/resolv.conf"]
    yield finding_of("critical" if every else "warning", text, evidence, steps)


def name_servers() -> set[str]:
    """The addresses of /etc/resolv.conf."""
    with suppress(OSError), open("/etc/resolv.conf", encoding="latin-1") as file:
        return set(re.findall(r"^\s*nameserver\s+([\w.:]+)", file.read(1 << 16), re.M))
    return set()


DNS_SILENT = Rule(
    "dns-silent",
    dns_silent,
    limits=(
        Limit("questions", 3, "from {:,} questions that wait in both samples"),
        Limit("seconds", 2, "or one for {:g} seconds; critical if no configured server answers"),
    ),
    means=(
        "Programs ask a name server (DNS) for addresses, and it does not answer. To their users"
        " everything hangs for some seconds, or fails, though the network may be in order."
    ),
    causes=(
        "A name server that is down. A wrong address in /etc/resolv.conf. A firewall or a network"
        " fault on the way to it."
    ),
    advice=(
        "`dig @SERVER example.org` asks it by hand. Correct /etc/resolv.conf, or what writes it"
        " (systemd-resolved, NetworkManager, DHCP)."
    ),
)
