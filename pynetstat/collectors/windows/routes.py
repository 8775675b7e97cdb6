"""Routes of Windows: GetIpForwardTable2()."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from struct import Struct, unpack_from
from typing import NamedTuple

from ...kernel.proc import Proc
from ...listing import Report
from ...options import Options
from ...table import Table
from ..linux import routes, routes6
from ..linux.route_flags import GATEWAY, HOST, UP
from ..portable.routes import Entry, interface_name, psutil_routes, refused
from . import adapters as windows
from . import iphlpapi
from .adapters import AF_INET, AF_INET6, socket_address


class Route(NamedTuple):
    """A route of MIB_IPFORWARD_ROW2; `gateway` is None where there is none."""

    family: int
    interface: int
    destination: bytes
    prefix: int
    gateway: bytes | None
    metric: int
    protocol: int


# luid, index, destination and its prefix, next hop, site prefix, two lives, metric, protocol
FORWARD = Struct("<8x I 28s B 3x 28s B 3x 4x 4x I I 12x")
ROWS = 8  # where they begin, after their number
REDIRECT = 4  # MIB_IPPROTO_ICMP: learnt from a redirect


def forward_rows(data: bytes) -> list[Route]:
    """GetIpForwardTable2(); families other than IPv4 and IPv6 are passed over."""
    count = unpack_from("<I", data)[0] if len(data) >= ROWS else 0
    if len(data) < ROWS + count * FORWARD.size:
        raise ValueError("the table of routes is cut short")
    found = []
    for row in FORWARD.iter_unpack(data[ROWS : ROWS + count * FORWARD.size]):
        interface, destination, prefix, hop, _, metric, protocol = row
        target, gateway = socket_address(destination), socket_address(hop)
        if target is None:
            continue
        near = gateway[1] if gateway and any(gateway[1]) else None
        found.append(Route(target[0], interface, target[1], prefix, near, metric, protocol))
    return found


DYNAMIC = 0x10


def collect(
    proc: Proc,
    options: Options,
    outcome: Report,
    version: str,
    ask: Callable[[], bytes] = iphlpapi.forward_table,
    adapters: Callable[[], tuple[bytes, int, int]] = iphlpapi.adapter_list,
    name: Callable[[int], str] = interface_name,
) -> Iterator[Table]:
    """GetIpForwardTable2(); the metric is that of the route and that of its interface."""
    family = AF_INET6 if version else AF_INET
    try:
        found = forward_rows(ask())
    except (OSError, ValueError) as error:
        raise refused(version, "GetIpForwardTable2", error) from error
    kept = [route for route in found if route.family == family]
    known = interfaces_by_number(adapters, version)
    entries = [entry(route, known, name) for route in kept]
    yield from psutil_routes(version, entries, None)


def interfaces_by_number(
    adapters: Callable[[], tuple[bytes, int, int]], version: str
) -> Mapping[int, tuple[str, int]]:
    """Name and metric of each interface, by its number; of none where they cannot be had."""
    try:
        found = windows.adapters(*adapters())
    except (OSError, ValueError):
        return {}
    if version:
        return {one.interface6: (one.name, one.metric6) for one in found}
    return {one.interface: (one.name, one.metric) for one in found}


def entry(route: Route, known: Mapping[int, tuple[str, int]], name: Callable[[int], str]) -> Entry:
    dev, metric = known.get(route.interface) or ("", 0)
    bits = UP | (GATEWAY if route.gateway else 0)
    bits |= HOST if route.prefix == 8 * len(route.destination) else 0
    bits |= DYNAMIC if route.protocol == REDIRECT and route.family == 2 else 0
    return Entry(
        bits,
        route.destination,
        route.prefix,
        route.gateway,
        dev or name(route.interface),
        route.metric + metric,
        None,
        None,
    )


INET = routes.INET._replace(collect=partial(collect, version=""))
INET6 = routes6.INET6._replace(collect=partial(collect, version="6"))
