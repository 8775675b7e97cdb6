"""AppleTalk (DDP): its routes; of its sockets netstat lists none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ...kernel.proc import Proc, reason
from ...listing import Column, Listing, Report, Stop
from ...options import Options
from ...table import Remark, Table, in_order


class AppleTalkRoute(NamedTuple):
    """A route between AppleTalk networks (NETWORK:NODE, hexadecimal). `flags_str` is what netstat
    prints."""

    dst: str
    gateway: str | None = None
    dev: str | None = None
    flags: list[str] | None = None
    flags_str: str | None = None


# linux/route.h, in netstat's order; AppleTalk itself sets up, gateway and host.
FLAGS = {
    0x1: ("U", "up"),
    0x2: ("G", "gateway"),
    0x200: ("!", "reject"),
    0x4: ("H", "host"),
    0x8: ("R", "reinstate"),
    0x10: ("D", "dynamic"),
    0x20: ("M", "modified"),
    0x10000: ("d", "default"),
    0x20000: ("a", "allonlink"),
    0x40000: ("c", "addrconf"),
    0x200000: ("o", "nonexthop"),
    0x400000: ("e", "expires"),
    0x1000000: ("c", "cache"),
    0x2000000: ("f", "flow"),
    0x4000000: ("p", "policy"),
    0x80000000: ("l", "local"),
    0x40: ("u", "mtu"),
    0x80: ("w", "window"),
    0x100: ("i", "irtt"),
    0x400: ("n", "notcached"),
}

# Rows of /proc/net/atalk_route as atalk_seq_route_show() prints them, the flags in decimal;
# netstat reads word by word, wherever a line ends:
# Target        Router  Flags Dev
# 834F:39     120A:3D  3     ltalk0
ROUTE = re.compile(r"\s*(\S+)\s+(\S+)\s+([-+]?\d{1,19})(?!\d)\s*(\S+)", re.ASCII)


def collect_routes(proc: Proc, options: Options, outcome: Report) -> Iterator[Table | Remark]:
    """The first malformed row ends the list, as in netstat."""
    try:
        lines = proc.rare("net/atalk_route")
    except OSError as error:
        first = f"Error opening {proc.path('net/atalk_route')}: {reason(error)}"
        raise Stop(f"{first}\nDDP (AppleTalk) not configured on this system.") from error
    next(lines, None)
    yield from in_order(AppleTalkRoute, ddp_routes("\n".join(lines)))


def ddp_routes(text: str) -> Iterator[AppleTalkRoute]:
    place = 0
    while row := ROUTE.match(text, place):
        place = row.end()
        found = [names for bit, names in FLAGS.items() if int(row[3]) & bit]
        yield AppleTalkRoute(
            row[1],
            gateway=row[2],
            dev=row[4],
            flags=[name for _, name in found],
            flags_str="".join(letter for letter, _ in found),
        )


def route_heading(options: Options) -> str:
    return ""


def route_columns(options: Options) -> Iterator[Column]:
    yield Column("Destination     ", "%-16s", "dst", untrusted=True)
    yield Column("Gateway         ", "%-16s", "gateway", untrusted=True)
    yield Column("Device          ", "%-16s", "dev", untrusted=True)
    yield Column("Flags", "%s", "flags_str")


ROUTES = Listing("ddp_routes", AppleTalkRoute, collect_routes, route_columns, route_heading)
