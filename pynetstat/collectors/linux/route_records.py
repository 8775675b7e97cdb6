"""Routes as the kernel tells them by netlink: all tables, kinds and next hops, for records.

/proc/net/route has the main table alone, the first hop of several, and no kind. What is printed
by netstat alone (flags, references, uses) is taken from /proc where the route stands there too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_network
from socket import AF_INET, AF_INET6
from typing import Any, NamedTuple

from ...kernel import rtnetlink
from ...kernel.ioctl import device_name
from ...kernel.rtnetlink import Hop, KernelRoute, Via
from ...options import nearest
from ...table import Table
from .route_flags import GATEWAY, HOST, LOCAL, REJECT, UP, flag_names


class NextHop(NamedTuple):
    """One of several ways that a route leads, its fields named as `ip -j route` names them."""

    gateway: str | None
    via: Via | None
    dev: str | None
    weight: int
    flags: list[str]


KINDS = (
    None, "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable",
    "prohibit", "throw", "nat", "xresolve",
)  # fmt: skip
REJECTING = (7, 8)  # unreachable and prohibit: netstat's `!` in IPv4
NOWHERE = (6, 7, 8, 9)
HOP_FLAGS = {1: "dead", 2: "pervasive", 4: "onlink", 8: "offload", 16: "linkdown", 64: "trap"}
PREFERENCES = {0: "medium", 1: "high", 3: "low"}
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
MAIN = 254
TABLES = {253: "default", MAIN: "main", 255: "local"}
# As iproute2 has them built in; its files may name more.
PROTOCOLS = {
    0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 8: "gated", 9: "ra",
    10: "mrt", 11: "zebra", 12: "bird", 13: "dnrouted", 14: "xorp", 15: "ntk", 16: "dhcp",
    18: "keepalived", 42: "babel", 99: "openr", 186: "bgp", 187: "isis", 188: "ospf", 189: "rip",
    192: "eigrp",
}  # fmt: skip
PLACES = ("/usr/share/iproute2", "/usr/lib/iproute2", "/etc/iproute2")  # the last one counts
ALL = "all"


def named_numbers(file: str, known: dict[int, str]) -> dict[int, str]:
    """The names that `ip` uses: those built in, then those of its files: `100  office`."""
    found = dict(known)
    for place in PLACES:
        with suppress(OSError), open(f"{place}/{file}", "rb") as lines:
            for line in lines.read(1 << 20).decode("latin-1").splitlines():
                words = line.split("#")[0].split()
                if len(words) == 2:
                    with suppress(ValueError):
                        found[int(words[0][:12], 0)] = words[1]
    return found


def table_names() -> dict[int, str]:
    return named_numbers("rt_tables", TABLES)


def table_number(name: str) -> int:
    """The number of a table that the user names; ValueError where there is none such."""
    if name.isascii() and name.isdecimal() and len(name) <= 10 and int(name) < 1 << 32:
        return int(name)
    names = table_names()
    for number, known in names.items():
        if known == name:
            return number
    valid = [ALL, *names.values()]
    hint = nearest(name, valid) or f"; there are: {', '.join(valid)}, and numbers"
    raise ValueError(f"no such table `{name}'{hint}")


def device_names(indexes: Iterable[int | None]) -> dict[int | None, str | None]:
    """The names of interfaces, as long as they are there."""
    names: dict[int | None, str | None] = {None: None}
    for index in {index for index in indexes if index is not None}:
        names[index] = device_name(index)
    return names


def kernel_routes(version: str, table: str | None, shown: Table | None) -> Table:
    """The routes of one IP version. OSError where the kernel refuses.

    `table` is a name, a number, `all`, or None for the tables that netstat shows: the main one
    in IPv4, all in IPv6. `shown` are the same routes as /proc has them.
    """
    found = rtnetlink.read_routes(AF_INET6 if version else AF_INET)
    wanted = MAIN if table is None and not version else None
    if table is not None and table != ALL:
        wanted = table_number(table)
    rows = [row for row in found if wanted is None or row.table == wanted]
    devices = device_names(hop.ifindex for row in rows for hop in row.hops)
    names = table_names()
    protocols = named_numbers("rt_protos", PROTOCOLS)
    known = from_proc(shown) if shown is not None else {}
    beside = [known.get(key(row, devices)) for row in rows]
    firsts = [row.hops[0] if row.hops else Hop(None, None, None, 1, 0) for row in rows]
    bits = [
        told["bits"] if told else rtf_flags(row, first)
        for row, first, told in zip(rows, firsts, beside)
    ]
    names_of = dict(zip(bits, flag_names(bits)))
    nowhere = "::" if version else "0.0.0.0"
    fields: dict[str, Any] = {
        "destination": [row.destination for row in rows],
        "next_hop": [first.gateway or nowhere for first in firsts],
        "source": [row.source for row in rows],
        "dev": [devices[first.ifindex] for first in firsts],
        "type": [KINDS[row.kind] if row.kind < len(KINDS) else str(row.kind) for row in rows],
        "metric": [row.metric for row in rows],
        "flags": [(*names_of[one], *hop_flags(first)) for one, first in zip(bits, firsts)],
        "mss": [row.metrics.get("advmss", -40) + 40 for row in rows],
        "window": [row.metrics.get("window", 0) for row in rows],
        "irtt": [row.metrics.get("rtt", 0) for row in rows],
        "ref": [told and told["ref"] for told in beside],
        "use": [told and told["use"] for told in beside],
        "table": [names.get(row.table, str(row.table)) for row in rows],
        "protocol": [protocols.get(row.protocol, str(row.protocol)) for row in rows],
        "scope": [SCOPES.get(row.scope, str(row.scope)) for row in rows],
        "prefsrc": [row.prefsrc for row in rows],
        "via": [first.via for first in firsts],
        "nexthops": [next_hops(row, devices) for row in rows],
        "nhid": [row.nhid for row in rows],
        "pref": [None if row.pref is None else PREFERENCES.get(row.pref) for row in rows],
        "metrics": [row.metrics or None for row in rows],
    }
    if version:
        fields["prefix"] = [row.length for row in rows]
        fields |= dict.fromkeys(("mss", "window", "irtt"), [None] * len(rows))
    else:
        fields["genmask"] = [str(ip_network((0, row.length)).netmask) for row in rows]
    return made(version, bits, fields)


def made(version: str, bits: Sequence[int], fields: dict[str, Any]) -> Table:
    if version:
        from .routes6 import route6_table

        return route6_table(bits, **fields)
    from .routes import route_table as table4

    return table4(bits, **fields)


def next_hops(row: KernelRoute, devices: dict[int | None, str | None]) -> list[NextHop] | None:
    if not row.several:
        return None
    return [
        NextHop(
            one.gateway,
            one.via,
            devices[one.ifindex],
            one.weight,
            hop_flags(one),
        )
        for one in row.hops
    ]


def hop_flags(hop: Hop) -> list[str]:
    return [name for bit, name in HOP_FLAGS.items() if hop.flags & bit]


def rtf_flags(row: KernelRoute, first: Hop) -> int:
    """The flags (RTF_*) of a route that /proc does not show."""
    bits = UP
    if row.kind in NOWHERE and (row.family == "inet6" or row.kind in REJECTING):
        bits |= REJECT
    if row.family == "inet6" and bits & REJECT:
        bits &= ~UP
    if first.gateway or first.via:
        bits |= GATEWAY
    if row.family == "inet" and row.length == 32:
        bits |= HOST
    if row.family == "inet6" and row.kind == 2:
        bits |= LOCAL
    return bits


Key = tuple[str, int, "str | None", "str | None"]


def key(row: KernelRoute, devices: dict[int | None, str | None]) -> Key | None:
    """What a row of /proc has in common with a route of the kernel; None where it cannot stand
    there."""
    if row.family == "inet" and row.table != MAIN:
        return None
    first = row.hops[0] if row.hops else None
    where = f"{row.destination}/{row.length}"
    device = devices[first.ifindex] if first else None
    return where, row.metric, first.gateway if first else None, device


def from_proc(shown: Table) -> dict[Key | None, dict[str, Any]]:
    """The columns that only /proc has, by what a route has in common with its row there."""
    lengths = [text.rpartition("/")[2] for text in shown["dst"]]
    if "prefix" in shown.fields:
        lengths = list(map(str, shown["prefix"]))
    else:
        lengths = ["0" if text == "default" else one for text, one in zip(shown["dst"], lengths)]
    where = [f"{text}/{length}" for text, length in zip(shown["destination"], lengths)]
    keys = zip(where, shown["metric"], shown["gateway"], shown["dev"])
    rows = [
        {"bits": bits, "ref": ref, "use": use}
        for bits, ref, use in zip(shown["bits"], shown["ref"], shown["use"])
    ]
    return dict(zip(keys, rows))
