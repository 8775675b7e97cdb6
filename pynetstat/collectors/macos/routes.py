"""Routes of macOS: sysctl NET_RT_DUMP2."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ...kernel.proc import Proc
from ...listing import Report
from ...options import Options
from ...table import Table
from ..linux import routes, routes6
from ..linux.route_flags import GATEWAY, HOST, LOCAL, REJECT, UP
from ..portable.routes import Entry, interface_name, psutil_routes, refused
from . import rtsock
from .sysctl import sysctl

DYNAMIC, MODIFIED = 0x10, 0x20
MAC_LOCAL = 0x200000
MAC_REFUSALS = rtsock.REJECT | rtsock.BLACKHOLE
CTL_NET, PF_ROUTE, NET_RT_DUMP2 = 4, 17, 7
FAMILIES = {"": rtsock.AF_INET, "6": rtsock.AF_INET6}


def collect(
    proc: Proc,
    options: Options,
    outcome: Report,
    version: str,
    ask: Callable[[tuple[int, ...]], bytes] = sysctl,
    name: Callable[[int], str] = interface_name,
) -> Iterator[Table]:
    """sysctl NET_RT_DUMP2, without the routes that the kernel makes for single hosts."""
    numbers = (CTL_NET, PF_ROUTE, 0, FAMILIES[version], NET_RT_DUMP2, 0)
    try:
        found = rtsock.decode_routes_list(ask(numbers))
    except (OSError, ValueError) as error:
        raise refused(version, "NET_RT_DUMP2", error) from error
    kept = [route for route in found if route.family == numbers[3] and not route.cloned]
    names = {number: name(number) for number in {route.interface for route in kept}}
    entries = [
        Entry(
            linux_bits(route.flags, version),
            route.destination,
            route.prefix,
            route.gateway if route.flags & GATEWAY else None,  # else it is an own address
            names[route.interface],
            0,
            route.references,
            route.uses,
        )
        for route in kept
    ]
    scoped = [bool(route.flags & rtsock.IFSCOPE) for route in kept]
    for table in psutil_routes(version, entries, 0):
        yield marked(table, scoped) if len(table) else table


def marked(table: Table, scoped: Sequence[bool]) -> Table:
    """Apple's letter I behind the others: a route for sockets that are bound to its interface,
    and for no others. Of several default routes the one without it is used."""
    texts = table["flags_str"]
    table.fields["flags_str"] = [text + "I" * one for text, one in zip(texts, scoped)]
    return table


def linux_bits(flags: int, version: str) -> int:
    bits = flags & (UP | GATEWAY | HOST)
    if not version:  # IPv6 has other letters for these bits
        return bits | flags & (DYNAMIC | MODIFIED) | (REJECT if flags & MAC_REFUSALS else 0)
    local = LOCAL if flags & MAC_LOCAL else 0
    return bits | flags & MODIFIED | local | (REJECT if flags & MAC_REFUSALS else 0)


INET = routes.INET._replace(collect=partial(collect, version=""))
INET6 = routes6.INET6._replace(collect=partial(collect, version="6"))
