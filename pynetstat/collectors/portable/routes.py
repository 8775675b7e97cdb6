"""Routes in Linux's terms, for systems without /proc."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...listing import Stop
from ...table import Table
from ..linux import routes, routes6
from . import (
    mask_text,
    packed_text,
    said,
)

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


def psutil_routes(version: str, entries: Sequence[Entry], metrics: int | None) -> Iterator[Table]:
    """The heading, and the routes; `metrics` are MSS, window and round trip of all of them."""
    yield Table(routes.Route, 0)
    if not entries:
        return
    bits, destination, prefix, gateway, dev, metric, ref, use = map(list, zip(*entries))
    nowhere = "::" if version else "0.0.0.0"
    fields = {
        "destination": list(map(packed_text, destination)),
        "next_hop": [packed_text(hop) if hop else nowhere for hop in gateway],
        "dev": dev,
        "metric": metric,
        "ref": ref,
        "use": use,
        **dict.fromkeys(("mss", "window", "irtt"), [metrics] * len(bits)),
    }
    if version:
        yield routes6.route6_table(bits, prefix=prefix, **fields)
    else:
        yield routes.route_table(bits, genmask=list(map(mask_text, prefix)), **fields)


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
