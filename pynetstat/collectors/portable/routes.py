"""Routes of macOS and Windows, in Linux's terms."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from ...kernel.proc import Proc
from ...listing import Report, Stop
from ...options import Options
from ...table import Table
from ..linux import routes, routes6
from ..linux.route_flags import GATEWAY, HOST, LOCAL, REJECT, UP
from . import address_text, calls, mask_text, rtsock, said, windows

DYNAMIC, MODIFIED = 0x10, 0x20
MAC_LOCAL = 0x200000
MAC_REFUSALS = rtsock.REJECT | rtsock.BLACKHOLE
CTL_NET, PF_ROUTE, NET_RT_DUMP2 = 4, 17, 7
FAMILIES = {"": rtsock.AF_INET, "6": rtsock.AF_INET6}
CONFIGURED = {"": "INET (IPv4)", "6": "INET6 (IPv6)"}


class Entry(NamedTuple):
    """A route with Linux's flags; `gateway` is None where the link itself is meant."""

    bits: int
    destination: bytes
    prefix: int
    gateway: bytes | None
    dev: str
    metric: int | None
    ref: int | None
    use: int | None


def tables(version: str, entries: Sequence[Entry], metrics: int | None) -> Iterator[Table]:
    """The heading, and the routes; `metrics` are MSS, window and round trip of all of them."""
    yield Table(routes.Route, 0)
    if not entries:
        return
    bits, destination, prefix, gateway, dev, metric, ref, use = map(list, zip(*entries))
    nowhere = "::" if version else "0.0.0.0"
    fields = {
        "destination": list(map(address_text, destination)),
        "next_hop": [address_text(hop) if hop else nowhere for hop in gateway],
        "dev": dev,
        "metric": metric,
        "ref": ref,
        "use": use,
        **dict.fromkeys(("mss", "window", "irtt"), [metrics] * len(bits)),
    }
    if version:
        yield routes6.table(bits, prefix=prefix, **fields)
    else:
        yield routes.table(bits, genmask=list(map(mask_text, prefix)), **fields)


def refused(version: str, name: str, error: Exception) -> Stop:
    """What netstat says where it has no table of routes."""
    remark = f"{CONFIGURED[version]} not configured in this system."
    return Stop(f"{name}: {said(error)}", remark=remark)


def interface_name(number: int) -> str:
    """Where an interface has no name (any more), its number has to do."""
    try:
        return socket.if_indextoname(number)
    except (OSError, OverflowError):
        return str(number)


# macOS


def collect_macos(
    proc: Proc,
    options: Options,
    outcome: Report,
    version: str,
    ask: Callable[[tuple[int, ...]], bytes] = calls.sysctl,
    name: Callable[[int], str] = interface_name,
) -> Iterator[Table]:
    """sysctl NET_RT_DUMP2, without the routes that the kernel makes for single hosts."""
    numbers = (CTL_NET, PF_ROUTE, 0, FAMILIES[version], NET_RT_DUMP2, 0)
    try:
        found = rtsock.routes(ask(numbers))
    except (OSError, ValueError) as error:
        raise refused(version, "NET_RT_DUMP2", error) from error
    kept = [route for route in found if route.family == numbers[3] and not route.cloned]
    names = {number: name(number) for number in {route.interface for route in kept}}
    entries = [
        Entry(
            mac_bits(route.flags, version),
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
    yield from tables(version, entries, 0)


def mac_bits(flags: int, version: str) -> int:
    bits = flags & (UP | GATEWAY | HOST)
    if not version:  # IPv6 has other letters for these bits
        return bits | flags & (DYNAMIC | MODIFIED) | (REJECT if flags & MAC_REFUSALS else 0)
    local = LOCAL if flags & MAC_LOCAL else 0
    return bits | flags & MODIFIED | local | (REJECT if flags & MAC_REFUSALS else 0)


# Windows


def collect_windows(
    proc: Proc,
    options: Options,
    outcome: Report,
    version: str,
    ask: Callable[[], bytes] = calls.forward_table,
    adapters: Callable[[], tuple[bytes, int, int]] = calls.adapters,
    name: Callable[[int], str] = interface_name,
) -> Iterator[Table]:
    """GetIpForwardTable2(); the metric is that of the route and that of its interface."""
    family = windows.AF_INET6 if version else windows.AF_INET
    try:
        found = windows.forward_rows(ask())
    except (OSError, ValueError) as error:
        raise refused(version, "GetIpForwardTable2", error) from error
    kept = [route for route in found if route.family == family]
    known = interfaces(adapters, version)
    entries = [entry(route, known, name) for route in kept]
    yield from tables(version, entries, None)


def interfaces(
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


def entry(
    route: windows.Route, known: Mapping[int, tuple[str, int]], name: Callable[[int], str]
) -> Entry:
    dev, metric = known.get(route.interface) or ("", 0)
    bits = UP | (GATEWAY if route.gateway else 0)
    bits |= HOST if route.prefix == 8 * len(route.destination) else 0
    bits |= DYNAMIC if route.protocol == windows.REDIRECT and route.family == 2 else 0
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


MACOS_INET = routes.INET._replace(collect=partial(collect_macos, version=""))
MACOS_INET6 = routes6.INET6._replace(collect=partial(collect_macos, version="6"))
WINDOWS_INET = routes.INET._replace(collect=partial(collect_windows, version=""))
WINDOWS_INET6 = routes6.INET6._replace(collect=partial(collect_windows, version="6"))
