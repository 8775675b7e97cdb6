"""Multicast groups of macOS and Windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...kernel.proc import Proc
from ...listing import Report
from ...options import Options
from ...table import Table
from ..linux import groups
from . import address_text, calls, failed, rtsock, windows
from .routes import CTL_NET, PF_ROUTE, interface_name

NET_RT_IFLIST2 = 6

Row = tuple[str, bytes, "int | None"]  # interface, group, how often it was joined


def collect_macos(
    proc: Proc,
    options: Options,
    outcome: Report,
    ask: Callable[[tuple[int, ...]], bytes] = calls.sysctl,
    name: Callable[[int], str] = interface_name,
) -> Iterator[Table]:
    """sysctl NET_RT_IFLIST2, which tells of all interfaces and their groups"""

    def read() -> list[Row]:
        found = rtsock.groups(ask((CTL_NET, PF_ROUTE, 0, 0, NET_RT_IFLIST2, 0)))
        return [
            (group.name or name(group.interface), group.address, group.references)
            for group in found
        ]

    yield from tables(outcome, options, "NET_RT_IFLIST2", read)


def collect_windows(
    proc: Proc,
    options: Options,
    outcome: Report,
    ask: Callable[[], tuple[bytes, int, int]] = calls.adapters,
) -> Iterator[Table]:
    """GetAdaptersAddresses(); how often a group was joined is not told"""

    def read() -> list[Row]:
        found = windows.adapters(*ask())
        return [(adapter.name, packed, None) for adapter in found for _, packed in adapter.groups]

    yield from tables(outcome, options, "GetAdaptersAddresses", read)


def tables(
    outcome: Report, options: Options, name: str, read: Callable[[], Sequence[Row]]
) -> Iterator[Table]:
    """The heading, IPv4, IPv6"""
    yield Table(groups.Group, 0)
    try:
        rows = read()
    except (OSError, ValueError) as error:
        failed(outcome, name, error)
        return
    for version in options.versions:
        found = [row for row in rows if len(row[1]) == (16 if version else 4)]
        yield Table(
            groups.Group,
            len(found),
            ifname=[row[0] for row in found],
            family=["inet" + version] * len(found),
            address=[address_text(row[1]) for row in found],
            users=[row[2] for row in found],
        )


MACOS_GROUPS = groups.GROUPS._replace(collect=collect_macos)
WINDOWS_GROUPS = groups.GROUPS._replace(collect=collect_windows)
