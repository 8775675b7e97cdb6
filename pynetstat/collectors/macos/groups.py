"""Multicast groups of macOS: sysctl NET_RT_IFLIST2."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...kernel.proc import Proc
from ...listing import Report
from ...options import Options
from ...table import Table
from ..linux import groups
from ..portable.groups import Row, psutil_groups
from ..portable.routes import interface_name
from . import rtsock
from .routes import CTL_NET, PF_ROUTE
from .sysctl import sysctl

NET_RT_IFLIST2 = 6


def collect(
    proc: Proc,
    options: Options,
    outcome: Report,
    ask: Callable[[tuple[int, ...]], bytes] = sysctl,
    name: Callable[[int], str] = interface_name,
) -> Iterator[Table]:
    """sysctl NET_RT_IFLIST2, which tells of all interfaces and their groups"""

    def read() -> list[Row]:
        found = rtsock.decode_groups_list(ask((CTL_NET, PF_ROUTE, 0, 0, NET_RT_IFLIST2, 0)))
        return [
            (group.name or name(group.interface), group.address, group.references)
            for group in found
        ]

    yield from psutil_groups(outcome, options, "NET_RT_IFLIST2", read)


GROUPS = groups.GROUPS._replace(collect=collect)
