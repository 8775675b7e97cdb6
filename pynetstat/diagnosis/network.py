"""Rules about udp, interfaces and routes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .host import Host
from .rule import (
    Blind,
    Finding,
    Limit,
    Limits,
    Owner,
    Rule,
    count,
    end,
    found,
    others,
    owned,
    percent,
    who,
)

if TYPE_CHECKING:
    from ..collectors.linux.routes import Route


def udp_drops(host: Host, limits: Limits) -> Iterator[Finding]:
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
    received = errors = 0
    problem = ""
    for section, prefix in (("Udp", ""), ("Udp6", "Udp6")):
        try:
            received += host.grown(section, f"{prefix}InDatagrams")
            errors += host.grown(section, f"{prefix}RcvbufErrors")
        except Blind as blind:
            problem = problem or (str(blind) if section == "Udp" else "")
    fresh = max(fresh, errors)
    share = fresh / max(received + fresh, 1)
    if (fresh >= limits["drops"] and share >= limits["share"]) or any(one[3] for one in lost):
        lost.sort(key=lambda one: (-one[0], -one[1]))
        yield found(
            "warning", dropped_by(host, lost, fresh, share), [udp_row(*one) for one in lost]
        )
    problems = (host.after.problems.get(name) for name in ("net/udp", "net/udp6"))
    problem = problem or (next(problems) or "")
    if problem:
        raise Blind(problem)


UDP_DROPS = Rule(
    "udp-drops",
    udp_drops,
    limits=(
        Limit("drops", 10, "datagrams dropped between the samples, or since a socket is not read"),
        Limit("share", 0.01, "of the datagrams that came in"),
    ),
    means="Datagrams (packets of udp) came in and were thrown away, because the program does not "
    "read them fast enough and its receive buffer is full. With udp nobody sends them again.",
    causes="A program that hangs or is too slow for what is sent to it; bursts that are more than "
    "its buffer holds.",
    advice="See why the program does not keep up (its load, its log, `strace -p PID`). If it is "
    "only bursts, give it a larger buffer: a setting of the program, up to `sysctl "
    "net.core.rmem_max`; programs that do not care get `net.core.rmem_default`.",
)


def dropped_by(host: Host, lost: list[Any], fresh: int, share: float) -> str:
    if not lost:
        return (
            f"{count(fresh, 'datagram')} ({percent(share)} of those that came in) were thrown away"
            " since a receive buffer was full; the socket is closed by now"
        )
    grown, dropped, _, stuck, owner = lost[0]
    text = f"{who(owner[:2])} does not read fast enough what it is sent at udp {end(*owner[2:])}:"
    if stuck and not grown:
        text = f"{who(owner[:2])} does not read what it is sent at udp {end(*owner[2:])}:"
        return text + f" {count(dropped, 'datagram')} were thrown away so far{others(lost)}"
    when = f"in {host.seconds:.1f} seconds"
    return text + f" {count(grown, 'datagram')} were thrown away {when}{others(lost)}"


def udp_row(grown: int, dropped: int, waiting: int, stuck: bool, owner: Any) -> dict[str, Any]:
    place = end(*owner[2:])
    more = {"dropped": grown, "dropped_total": dropped, "unread_bytes": waiting}
    return owned(owner[:2], local=place, **more)


def interface_errors(host: Host, limits: Limits) -> Iterator[Finding]:
    if problem := host.after.problems.get("net/dev"):
        raise Blind(problem)
    before = {one.ifname: one.stats for one in host.before.interfaces}
    now, ever = [], []
    for one in host.after.interfaces:
        for side in ("rx", "tx") if one.stats and before.get(one.ifname) else ():
            last, first = one.stats[side], before[one.ifname][side]
            grown = {name: (last[name] or 0) - (first[name] or 0) for name in last}
            row = counted(one.ifname, side, grown)
            bad, packets = worst_of(row), row["packets"]
            if (bad >= limits["errors"] and bad >= limits["share"] * (packets + bad)) or (
                row["dropped"] >= limits["drops"]
                and row["dropped"] >= limits["drop_share"] * (packets + row["dropped"])
            ):
                now.append(row)
            elif (last["errors"] or 0) >= max(limits["ever"], limits["share"] * last["packets"]):
                ever.append(counted(one.ifname, side, last))
    if now or ever:
        rows = sorted(now or ever, key=lambda row: -worst_of(row) - row["dropped"])
        row = rows[0]
        wrong = f"{count(worst_of(row), 'error')} and {count(row['dropped'], 'lost packet')}"
        when = f"in {host.seconds:.1f} seconds" if now else "since it is there, none of them now"
        text = f"The interface {row['interface']} has {wrong} beside {row['packets']:,}"
        text += f" {row['direction']} {when}"
        yield found("warning" if now else "information", text, rows)


INTERFACE_ERRORS = Rule(
    "interface-errors",
    interface_errors,
    limits=(
        Limit("errors", 10, "errors between the samples"),
        Limit("share", 0.01, "of the packets"),
        Limit("drops", 100, "packets dropped between the samples"),
        Limit("drop_share", 0.05, "of the packets"),
        Limit("ever", 100, "errors since the interface came up: information"),
    ),
    means="Packets are damaged or lost in an interface of this machine. The errors of its cable, "
    "plug, wireless link or driver are counted there; connections become slow, since what is "
    "lost has to be sent again.",
    causes="A bad cable or plug, a weak wireless signal, two ends that disagree about speed or "
    "duplex, a machine too busy to fetch the packets in time (drops, over-runs).",
    advice="`pynetstat -ci` shows the counters every second. Change cable and port, compare both "
    "ends with `ethtool IFACE`; `ethtool -S IFACE` tells the errors apart. For drops, a "
    "larger ring: `ethtool -G IFACE rx 4096`.",
)


def counted(name: str, side: str, stats: Mapping[str, int | None]) -> dict[str, Any]:
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


def no_default_route(host: Host, limits: Limits) -> Iterator[Finding]:
    routes = host.routes
    known = {route.dst for route in routes}
    if "default" in known or any(halves <= known for halves in HALVES):
        return
    if problem := host.after.problems.get("net/route"):
        raise Blind(problem)
    rows = [{"destination": route.dst, "interface": route.dev} for route in routes[:10]]
    if not routes:
        text = "This machine has no network but itself (loopback), and no way out"
        yield found("information", text, rows)
        return
    try:
        unreachable = host.grown("Ip", "OutNoRoutes")
    except Blind:
        unreachable = 0
    text = "There is no route to the rest of the world (no default route)"
    text += f"; {count(unreachable, 'packet')} could not be sent meanwhile" if unreachable else ""
    yield found("critical" if unreachable else "warning", text, rows)


NO_DEFAULT_ROUTE = Rule(
    "no-default-route",
    no_default_route,
    means="The machine does not know where to send packets for the rest of the world: its table of "
    "routes has no entry `default`. What is on its own networks is reached, everything else "
    'is "Network is unreachable".',
    causes="The network was not set up to its end (DHCP without an answer, a wrong configuration), "
    "or a VPN or a container tool has removed the route. A machine may be meant to be like "
    "that.",
    advice="`pynetstat -rn` shows the routes. Ask for an address anew (`dhclient`, `nmcli`, "
    "`networkctl renew`), or add the route: `ip route add default via GATEWAY`.",
)


# What a VPN writes instead of a default route, so as to be preferred to it
HALVES = ({"0.0.0.0/1", "128.0.0.0/1"}, {"::/1", "8000::/1"})


def route_over_down_interface(host: Host, limits: Limits) -> Iterator[Finding]:
    routes = host.routes
    if problem := host.after.problems.get("net/route"):
        raise Blind(problem)
    flags = {one.ifname: {*one.flags} for one in host.after.interfaces if one.flags is not None}
    if routes and not flags:
        raise Blind("whether an interface is up is told by the kernel alone, not by its files")
    dead = [one for one in routes if one.dev in flags and not {"UP", "RUNNING"} <= flags[one.dev]]
    users = {route: passengers(host, route.dst) for route in dead if not wide(route)}
    # A network of its own with nobody in it (a bridge for containers) is no trouble.
    bad = [route for route in dead if wide(route) or users[route]]
    chosen = bad or [route for route in dead if route.family == "inet"]
    if not chosen:
        return
    cut_off = any(route.dst == "default" for route in bad) and not any(
        route.dst == "default" for route in routes if route not in dead
    )
    worst = chosen[0]
    state = "has no link" if "UP" in flags[worst.dev] else "is down"
    route = "default route" if worst.dst == "default" else f"route to {worst.dst}"
    text = f"The {route} leads over {worst.dev}, which {state}"
    if users.get(worst):
        text += f"; {who(users[worst][0])} has connections there"
    yield found(
        "critical" if cut_off else "warning" if bad else "information",
        text + others(chosen, "route"),
        [
            {
                "destination": route.dst,
                "gateway": route.gateway,
                "interface": route.dev,
                "up": "UP" in flags[route.dev],
                "carrier": "RUNNING" in flags[route.dev],
                "connections": len(users.get(route, ())) or None,
            }
            for route in chosen
        ],
    )


ROUTE_OVER_DOWN_INTERFACE = Rule(
    "route-over-down-interface",
    route_over_down_interface,
    means="A route leads over an interface that is switched off or has no link (no cable, no other "
    "end). What is sent there is lost.",
    causes="A cable that is out, a switch or an access point that is off, an interface that was "
    "taken down by hand, a virtual one whose other end is gone.",
    advice="`ip link` shows the state of each interface. Plug it in, or `ip link set IFACE up`; if "
    "it is down for good, remove its routes: `ip route del DESTINATION dev IFACE`.",
)


def wide(route: Route) -> bool:
    """Does it lead further than to the neighbours on a network of its own?"""
    return bool(route.gateway) or route.dst == "default"


def passengers(host: Host, destination: str | None) -> list[Owner]:
    """The programs of the connections to a network, one for each connection."""
    from ipaddress import ip_address, ip_network

    try:
        network = ip_network(destination or "", strict=False)
        rows = host.rows("pid program remote_address", {"ESTABLISHED", "SYN_SENT"})
    except (ValueError, Blind):
        return []
    inside = {text for text in {row[2] for row in rows} if ip_address(text) in network}
    return [row[:2] for row in rows if row[2] in inside]
