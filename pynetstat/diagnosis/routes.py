"""Rules about routes: none, over dead interfaces, to gateways that do not answer."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from .host import Host
from .interfaces import NO_FLAGS
from .rule import (
    Blind,
    Finding,
    Limit,
    Limits,
    Owner,
    Rule,
    Value,
    finding_of,
    others,
    plural,
    value,
)

if TYPE_CHECKING:
    from ..collectors.linux.routes import Route

# What a VPN writes instead of a default route, so as to be preferred to it
HALVES = ({"0.0.0.0/1", "128.0.0.0/1"}, {"::/1", "8000::/1", "2000::/3"})


def way_out(host: Host, family: str) -> bool:
    """Is there a route to the rest of the world, in the main table or in one that a rule of
    policy routing names, be it for some packets alone?"""
    tables: dict[str | None, set[str | None]] = {}
    for route in [*host.routes, *host.policy_routes(family)]:
        if route.family == family:
            tables.setdefault(route.table, set()).add(route.dst)
    return any(
        "default" in known or "2000::/3" in known or any(halves <= known for halves in HALVES)
        for known in tables.values()
    )


def unroutable(host: Host, family: str) -> int:
    """Packets that could not be sent since no route led to their destination."""
    if family == "inet":
        return host.grew("Ip", "OutNoRoutes")
    return host.grew("Ip6", "Ip6OutNoRoutes")


def no_default_route(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    if way_out(host, "inet") or way_out(host, "inet6"):
        yield value("unroutable", 0, None, limits["packets"])
        return
    if problem := host.after.problems.get("net/route"):
        raise Blind(problem)
    failed = unroutable(host, "inet") + unroutable(host, "inet6")
    yield value("unroutable", failed, None, limits["packets"])
    rows = [{"destination": route.dst, "interface": route.dev} for route in host.routes[:10]]
    discarded = host.discarding_default
    if discarded is not None:
        text = f"The default route discards what is for the rest of the world ({discarded})"
    elif not host.routes:
        text = "This machine has no route but to itself (loopback)"
    else:
        text = "There is no route to the rest of the world (no default route)"
    text += f"; {plural(failed, 'packet')} could not be sent meanwhile" if failed else ""
    severity = "critical" if failed >= limits["packets"] else "information"
    yield finding_of(severity, text, rows, ["pynetstat -rn", "ip route show"])


NO_DEFAULT_ROUTE = Rule(
    "no-default-route",
    no_default_route,
    limits=(Limit("packets", 3, "critical from {:,} packets that could not be sent meanwhile"),),
    means=(
        "The machine does not know where to send packets for the rest of the world: its table of"
        " routes has no entry `default`. What is on its own networks is reached, everything else"
        ' is "Network is unreachable". A machine may be meant to be like that.'
    ),
    causes=(
        "The network was not set up to its end (DHCP without an answer, a wrong configuration). A"
        " VPN or a container tool has removed the route."
    ),
    advice=(
        "`pynetstat -rn` shows the routes. Renew the address (`dhclient`, `nmcli`, `networkctl"
        " renew`), or add the route: `ip route add default via GATEWAY`."
    ),
)


def family_broken(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    for family, name in (("inet6", "IPv6"), ("inet", "IPv4")):
        failed = unroutable(host, family)
        yield value(f"unroutable_{family}", failed, limits["packets"])
        other = "inet" if family == "inet6" else "inet6"
        if way_out(host, family) or not way_out(host, other) or failed < limits["packets"]:
            continue
        address = global_address(host, family)
        if address is None:
            continue
        text = f"There is no {name} route to the rest of the world, though this machine has the"
        text += f" {name} address {address}: {plural(failed, 'packet')} could not be sent"
        switch = "-6" if family == "inet6" else "-4"
        rows = [{"family": name, "address": address, "unroutable": failed}]
        yield finding_of(
            "warning", text, rows, [f"ip {switch} route show", f"ip {switch} address show"]
        )


def global_address(host: Host, family: str) -> str | None:
    """An address of this machine that others could reach it by."""
    for one in host.after.interfaces:
        for info in one.addr_info or []:
            text = (info.get("local") or "").partition("%")[0]
            if not text or (":" in text) != (family == "inet6"):
                continue
            address = ip_address(text)
            if not (address.is_loopback or address.is_link_local):
                return str(address)
    return None


FAMILY_BROKEN = Rule(
    "family-broken",
    family_broken,
    limits=(Limit("packets", 3, "from {:,} packets that could not be sent between the samples"),),
    means=(
        "The machine has addresses of both IPv4 and IPv6, and a way out for one of them only."
        " Programs that try the other one fail, or lose time before they try the one that works."
    ),
    causes=(
        "Router advertisements that do not come or are not accepted (IPv6). A VPN that handles"
        " one family only. A configuration that was not finished."
    ),
    advice=(
        "`pynetstat -rn -6` and `pynetstat -rn -4` show the routes. Add the missing default"
        " route, or take the address away so that no program tries."
    ),
)


def wrong_interface(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    dropped = host.grew("TcpExt", "IPReversePathFilter")
    yield value("dropped", dropped, limits["packets"])
    if dropped >= limits["packets"]:
        text = f"{plural(dropped, 'packet')} came in at an interface that no route leads back over,"
        text += " and were dropped (rp_filter)"
        steps = [
            "sysctl -a -r rp_filter",
            "ip route show",
            "sysctl net.ipv4.conf.all.log_martians=1",
        ]
        yield finding_of("warning", text, [{"dropped": dropped}], steps)


WRONG_INTERFACE = Rule(
    "wrong-interface",
    wrong_interface,
    limits=(Limit("packets", 5, "from {:,} packets between the samples"),),
    means=(
        "Packets arrive at one interface, and the route back to their sender leads over another"
        " one. The system takes them for forged and drops them (reverse path filter, rp_filter)."
    ),
    causes=(
        "Two ways to the same network. A VPN or a second line without a route of its own. Packets"
        " with forged addresses."
    ),
    advice=(
        "`ip route get ADDRESS` shows over which interface answers would go. Add the route, or"
        " set `net.ipv4.conf.IFACE.rp_filter` to 2. `net.ipv4.conf.all.log_martians=1` writes the"
        " senders into the kernel's log."
    ),
)


def gateway_silent(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    silent = host.before.silent & host.after.silent
    used = best(route for route in host.routes if route.gateway)
    dead = [route for route in used if route.gateway in silent]
    yield value("gateways", len(dead), None, 1)
    if dead:
        dead.sort(key=lambda route: route.dst != "default")
        route = dead[0]
        leads = "the default route" if route.dst == "default" else f"the route to {route.dst}"
        text = f"The gateway {route.gateway} of {leads} does not answer on {route.dev}"
        rows = [
            {"gateway": one.gateway, "destination": one.dst, "interface": one.dev} for one in dead
        ]
        steps = [f"ip neigh show {route.gateway}", f"ping -c 3 {route.gateway}"]
        yield finding_of("critical", text + others(dead, "route", "alike"), rows, steps)


def best(routes: Any) -> list[Route]:
    """Of routes to the same destination, those that are used."""
    chosen: dict[Any, list[Route]] = {}
    for route in routes:
        chosen.setdefault((route.family, route.dst), []).append(route)
    return [
        route
        for group in chosen.values()
        for route in group
        if (route.metric or 0) == min(one.metric or 0 for one in group)
    ]


GATEWAY_SILENT = Rule(
    "gateway-silent",
    gateway_silent,
    means=(
        "The gateway, to which packets for other networks are given, does not answer when its"
        " hardware address is asked for (ARP, or neighbour discovery with IPv6). Nothing gets"
        " further than this network."
    ),
    causes=(
        "A router that is off or has another address now. A cable or switch between. A wrong"
        " gateway in the configuration."
    ),
    advice=(
        "`ip neigh` shows the neighbours: FAILED and INCOMPLETE do not answer. Check the router,"
        " and the address of the gateway: `pynetstat -rn`."
    ),
)


def route_over_down_interface(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    routes = best(host.routes)
    if problem := host.after.problems.get("net/route"):
        raise Blind(problem)
    flags = {one.ifname: {*one.flags} for one in host.after.interfaces if one.flags is not None}
    if routes and not flags:
        raise Blind(NO_FLAGS, never=not host.proc.own)
    dead = [one for one in routes if one.dev in flags and not {"UP", "RUNNING"} <= flags[one.dev]]
    yield value("routes", len(dead))
    users = {route: passengers(host, route.dst) for route in dead if not wide(route)}
    # An empty network (a bridge for containers without any) needs no route.
    bad = [route for route in dead if wide(route) or users[route]]
    if not bad:
        return
    cut_off = any(route.dst == "default" for route in bad) and not any(
        route.dst == "default" for route in routes if route not in dead
    )
    worst = bad[0]
    state = "has no link" if "UP" in flags[worst.dev or ""] else "is switched off"
    route = "default route" if worst.dst == "default" else f"route to {worst.dst}"
    text = f"The {route} leads over {worst.dev}, which {state}"
    if users.get(worst):
        text += f"; {host.who(users[worst][0])} has connections there"
    yield finding_of(
        "critical" if cut_off else "warning",
        text + others(bad, "route", "alike"),
        [
            {
                "destination": route.dst,
                "gateway": route.gateway,
                "interface": route.dev,
                "up": "UP" in flags[route.dev],
                "carrier": "RUNNING" in flags[route.dev],
                "connections": len(users.get(route, ())) or None,
            }
            for route in bad
        ],
        [f"ip link show {worst.dev}", "pynetstat -rn"],
    )


def wide(route: Route) -> bool:
    """True if it leads further than to the neighbours on a network of its own."""
    return bool(route.gateway) or route.dst == "default"


def passengers(host: Host, destination: str | None) -> list[Owner]:
    """The programs of the connections to a network, one for each connection."""
    try:
        network = ip_network(destination or "", strict=False)
        rows = host.rows("pid program remote_address", {"ESTABLISHED", "SYN_SENT"})
    except (ValueError, Blind):
        return []
    inside = {text for text in {row[2] for row in rows} if ip_address(text) in network}
    return [row[:2] for row in rows if row[2] in inside]


ROUTE_OVER_DOWN_INTERFACE = Rule(
    "route-over-down-interface",
    route_over_down_interface,
    means=(
        "A route leads over an interface that is switched off or has no link (no cable, no other"
        " end). What is sent there is lost."
    ),
    causes=(
        "A cable that is out. A switch or an access point that is off. An interface that was"
        " taken down by hand. A virtual one whose other end is gone."
    ),
    advice=(
        "`ip link` shows the state of each interface. Plug it in, or `ip link set IFACE up`; if"
        " it is down for good, remove its routes: `ip route del DESTINATION dev IFACE`."
    ),
)
