"""Rules about interfaces, and about packets that this machine drops before any program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .host import Host
from .rule import Blind, Finding, Limit, Limits, Rule, Value, finding_of, plural, value

# What is there only because a kernel module is loaded; never a way out without an address
FALLBACKS = (
    "dummy",
    "erspan",
    "gre",
    "ip6_vti",
    "ip6gre",
    "ip6tnl",
    "ip_vti",
    "sit",
    "teql",
    "tunl",
)


def interface_down(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    if problem := host.after.problems.get("net/dev"):
        raise Blind(problem)
    known = [one for one in host.after.interfaces if one.flags is not None]
    if host.after.interfaces and not known:
        raise Blind(NO_FLAGS, never=not host.proc.own)
    real = [one for one in known if "LOOPBACK" not in one.flags and not fallback(one)]
    dead = [one for one in real if not {"UP", "RUNNING"} <= set(one.flags)]
    yield value("interfaces_down", len(dead), len(real) or None)
    if not dead:
        return
    addressed = [one for one in dead if one.addr_info]
    alive = [one for one in real if one not in dead]
    rows = [interface_row(one) for one in (addressed or dead)]
    if not alive:
        one = (addressed or dead)[0]
        text = f"No interface is up except loopback: {one.ifname} {fault(one)}"
        others = len(dead) - 1
        text += f"; {plural(others, 'more interface')} alike" if others else ""
        yield finding_of("critical", text, rows, [f"ip link show {one.ifname}", cure(one)])
        return
    off = [one for one in addressed if "UP" not in one.flags]
    if off:
        text = f"{off[0].ifname} has an address and is switched off"
        rows = [interface_row(one) for one in off]
        yield finding_of("information", text, rows, [f"ip link show {off[0].ifname}", cure(off[0])])


NO_FLAGS = "whether an interface is up is told by the kernel alone, not by its files"


def fallback(one: Any) -> bool:
    return not one.addr_info and one.ifname.rstrip("0123456789").startswith(FALLBACKS)


def fault(one: Any) -> str:
    return "is switched off" if "UP" not in one.flags else "has no link (cable, access point)"


def cure(one: Any) -> str:
    return f"ip link set {one.ifname} up" if "UP" not in one.flags else f"ethtool {one.ifname}"


def interface_row(one: Any) -> dict[str, Any]:
    addresses = [info.get("local") for info in one.addr_info or []]
    return {
        "interface": one.ifname,
        "up": "UP" in one.flags,
        "carrier": "RUNNING" in one.flags,
        "address": next((text for text in addresses if text), None),
    }


INTERFACE_DOWN = Rule(
    "interface-down",
    interface_down,
    means=(
        "An interface is switched off, or has no link, so that nothing is sent or received there."
        " If no other is up, this machine is cut off."
    ),
    causes=(
        "A cable that is out. A switch or an access point that is off. An interface that was"
        " taken down by hand (`ip link set IFACE down`) or never set up."
    ),
    advice=(
        "`ip link` shows the state of each interface. `ip link set IFACE up` switches it on."
        " NO-CARRIER there means that the cable or the other end is missing."
    ),
)


def interface_errors(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    if problem := host.after.problems.get("net/dev"):
        raise Blind(problem)
    before = {one.ifname: one.stats for one in host.before.interfaces}
    now, ever, total = [], [], 0
    for one in host.after.interfaces:
        for side in ("rx", "tx") if one.stats and before.get(one.ifname) else ():
            last, first = one.stats[side], before[one.ifname][side]
            grown = {name: (last[name] or 0) - (first[name] or 0) for name in last}
            row = counters_of_side(one.ifname, side, grown)
            bad, packets = worst_of(row), row["packets"]
            total += bad
            if (bad >= limits["errors"] and bad >= limits["share"] * (packets + bad)) or (
                row["dropped"] >= limits["drops"]
                and row["dropped"] >= limits["drop_share"] * (packets + row["dropped"])
            ):
                now.append(row)
            elif (last["errors"] or 0) >= max(limits["ever"], limits["share"] * last["packets"]):
                ever.append(counters_of_side(one.ifname, side, last))
    yield value("errors", total, limits["errors"])
    if now or ever:
        rows = sorted(now or ever, key=lambda row: -worst_of(row) - row["dropped"])
        text = interface_text(rows[0])
        text += f" in {host.seconds:.1f} seconds" if now else " since it came up, none of them now"
        name = rows[0]["interface"]
        steps = [f"pynetstat -ei {name}", f"ethtool -S {name}"]
        yield finding_of("warning" if now else "information", text, rows, steps)


def interface_text(row: Mapping[str, Any]) -> str:
    bad, dropped, packets = worst_of(row), row["dropped"], row["packets"]
    verb = "received" if row["direction"] == "received" else "sent"
    if bad >= dropped:
        return f"{row['interface']} counts {plural(bad, 'error')} beside {packets:,} packets {verb}"
    should = "was to send" if verb == "sent" else "received"
    cause = " (its send queue is full, or it has no link)" if verb == "sent" else ""
    return f"{row['interface']} dropped {dropped:,} of {packets + dropped:,} packets that it" \
           f" {should}{cause}"  # fmt: skip


def counters_of_side(name: str, side: str, stats: Mapping[str, int | None]) -> dict[str, Any]:
    """The counters that matter of an interface that receives or sends."""
    received = side == "rx"
    return {
        "interface": name,
        "direction": "received" if received else "sent",
        "packets": stats["packets"] or 0,
        "errors": stats["errors"] or 0,
        "dropped": stats["dropped"] or 0,
        "overruns": stats["fifo_errors"] or 0,
        "frame_errors": stats["frame_errors"] if received else None,
        "carrier_errors": None if received else stats["carrier_errors"],
    }


def worst_of(row: Mapping[str, Any]) -> int:
    """Errors of any kind; a driver may count one in its kind alone."""
    kinds = ("errors", "overruns", "frame_errors", "carrier_errors")
    return max(row[name] or 0 for name in kinds)


INTERFACE_ERRORS = Rule(
    "interface-errors",
    interface_errors,
    limits=(
        Limit("errors", 10, "from {:,} errors between the samples"),
        Limit("share", 0.01, "if these are {:.0%} of the packets"),
        Limit("drops", 100, "or {:,} dropped packets"),
        Limit("drop_share", 0.05, "if these are {:.0%}"),
        Limit("ever", 100, "information from {:,} errors since the interface came up"),
    ),
    means=(
        "Packets are damaged or dropped in an interface of this machine. The errors of its cable,"
        " plug, wireless link or driver are counted there; connections become slow, since what is"
        " lost has to be sent again."
    ),
    causes=(
        "A bad cable or plug. A weak wireless signal. Two ends that disagree about speed or"
        " duplex. A machine too busy to fetch the packets in time (drops, overruns)."
    ),
    advice=(
        "`pynetstat -ci` shows the counters every second. Change cable and port, compare both"
        " ends with `ethtool IFACE`; `ethtool -S IFACE` tells the errors apart. For drops, a"
        " larger ring: `ethtool -G IFACE rx 4096`."
    ),
)


def softnet_drops(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    dropped, processed = host.grown("softnet", "dropped"), host.grown("softnet", "processed")
    yield value("dropped", dropped, limits["dropped"])
    if dropped >= limits["dropped"]:
        text = f"The machine dropped {plural(dropped, 'packet')} of {processed + dropped:,} that it"
        text += " received, since no processor had time for them"
        rows = [{"dropped": dropped, "processed": processed}]
        steps = ["cat /proc/net/softnet_stat", "sysctl net.core.netdev_max_backlog"]
        yield finding_of("warning", text, rows, [*steps, "mpstat -P ALL 1 3"])


SOFTNET_DROPS = Rule(
    "softnet-drops",
    softnet_drops,
    whole_machine=True,
    limits=(Limit("dropped", 10, "from {:,} packets between the samples"),),
    means=(
        "Packets came in faster than the processors could look at them, and were dropped before"
        " any program could see them (the second column of /proc/net/softnet_stat)."
    ),
    causes=(
        "One processor that handles all packets of a busy interface. A machine that is too slow"
        " for its network, or busy with something else."
    ),
    advice=(
        "Spread the packets over more processors (`ethtool -L IFACE combined N`, RPS), or make"
        " the queue longer: `sysctl net.core.netdev_max_backlog=10000`."
    ),
)


DROPS = {
    "TCPBacklogDrop": "a program was slow while data came in (its backlog was full)",
    "TCPRcvQDrop": "the receive buffer of a connection was full",
    "RcvPruned": "the receive buffer of a connection was full",
    "OfoPruned": "what had come out of order did not fit into a receive buffer",
}


def buffer_drops(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    grown = {name: host.grew("TcpExt", name) for name in DROPS}
    total = sum(grown.values())
    yield value("dropped", total, limits["dropped"])
    if total >= limits["dropped"]:
        most = max(grown, key=lambda name: grown[name])
        text = f"{plural(total, 'segment')} of tcp came in and were dropped in {host.seconds:.1f}"
        text += f" seconds, mostly since {DROPS[most]}"
        rows = [{"counter": name, "count": number} for name, number in grown.items() if number]
        steps = ["pynetstat -tanp --sort -recv_q", "sysctl net.ipv4.tcp_rmem"]
        yield finding_of("warning", text, rows, steps)


BUFFER_DROPS = Rule(
    "buffer-drops",
    buffer_drops,
    limits=(Limit("dropped", 10, "from {:,} segments between the samples"),),
    means=(
        "Data of tcp arrived here, found no room in the buffer of its connection, and was"
        " dropped. The other end has to send it again."
    ),
    causes=(
        "Programs that read too slowly. Receive buffers that are too small for a fast line, or"
        " memory that is short."
    ),
    advice=(
        "Look at the connections with most unread data: `pynetstat -tanp --sort -recv_q`. If"
        " their programs are quick enough, raise the last number of `sysctl net.ipv4.tcp_rmem`."
    ),
)
